# Answers of R survey to survey regressions: Rscript make_golden_regression.R (in this folder; writes golden/regression_*.csv). The
# answers are checked in; this script is their provenance and is not run by the tests.
# svyglm gives coefficients and covariance. The average marginal effect, the gap, its composition and the parts of it are written out
# here from svyglm's fit: estimate, influence value of every respondent, and their variance by svyrecvar under the whole design.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.adjust.domain.lonely = FALSE)
set.seed(19540114, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", paste0("regression_", name, ".csv")), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}
pick <- function(n, codes, prob) sample(codes, n, replace = TRUE, prob = prob)

respondents <- function(n) {
  d <- data.frame(sex = pick(n, c("F", "M", NA), c(.48, .49, .03)), age = pick(n, c("young", "middle", "old", "_U"), c(.4, .35, .2, .05)))
  d$education <- ifelse(runif(n) < ifelse(d$sex %in% "F", .3, .55), "secondary", pick(n, c("primary", "none"), c(.7, .3)))
  d$residence <- pick(n, c("urban", "rural"), c(.45, .55))
  d$children <- round(rexp(n, .5))
  eta <- -.4 + .5 * (d$sex %in% "F") - .8 * (d$education == "secondary") + .6 * (d$age == "old") + .15 * d$children
  d$lost <- ifelse(runif(n) < .06, NA, 0 + (runif(n) < plogis(eta)))
  d$hours <- ifelse(runif(n) < .1, NA, round(20 + 8 * eta + rnorm(n, 0, 9), 2))
  d
}

# Mean, slope and curvature of the link.
links <- list(
  logistic = list(mean = plogis, slope = function(p) p * (1 - p), bend = function(p) p * (1 - p) * (1 - 2 * p)),
  linear = list(mean = identity, slope = function(p) rep(1, length(p)), bend = function(p) rep(0, length(p))))

answers <- function(run, design, rule, outcome, family, domain) {
  options(survey.lonely.psu = rule)
  v <- design$variables
  v$y <- v[[outcome]]; v$woman <- 0 + (v$sex %in% "F")
  design$variables <- v
  keep <- weights(design) > 0 & !is.na(v$y) & v$sex %in% c("F", "M")
  for (name in names(domain)) keep <- keep & v[[name]] == domain[[name]]
  f <- as.formula(paste("y ~ woman + age + education", if (is.null(domain$residence)) "+ residence", "+ children"))
  link <- links[[family]]
  glm_family <- if (family == "logistic") quasibinomial() else gaussian()
  fit <- svyglm(f, design[which(keep), ], family = glm_family, epsilon = 1e-14, maxit = 100)
  # glm keeps the weights of the step before its last, about 1e-9 off in the covariance: once more from where it ended.
  fit <- eval(bquote(svyglm(f, design[which(keep), ], family = glm_family, epsilon = 1e-14, maxit = 100, start = .(unname(coef(fit))))))
  b <- coef(fit)
  coefficients <- data.frame(run, rule, outcome, domain = paste(names(domain), unlist(domain), sep = "=", collapse = ";"), term = names(b), value = b,
                             df = fit$df.residual, n = sum(keep))
  k <- length(b)
  covariances <- data.frame(run, rule, outcome, domain = coefficients$domain[1], a = rep(names(b), each = k), b = rep(names(b), k),
                            covariance = as.vector(vcov(fit)))
  covariances <- covariances[as.vector(upper.tri(vcov(fit), diag = TRUE)), ]

  # Everything below is zero outside the base: the design stays whole.
  n <- nrow(v); w <- ifelse(keep, weights(design), 0); y <- ifelse(keep, v$y, 0); W <- sum(w)
  X <- matrix(0, n, k, dimnames = list(NULL, names(b))); X[keep, ] <- model.matrix(f, v[keep, ])
  eta <- as.vector(X %*% b); p <- link$mean(eta)
  A <- crossprod(X, w * link$slope(p) * X)
  zb <- (w * (y - p) * X) %*% solve(A)  # influence of the coefficients
  XF <- X; XF[keep, "woman"] <- 1; XM <- X; XM[, "woman"] <- 0
  pF <- link$mean(as.vector(XF %*% b)); pM <- link$mean(as.vector(XM %*% b))
  ame <- sum(w * (pF - pM)) / W
  g <- colSums(w * (link$slope(pF) * XF - link$slope(pM) * XM)) / W
  z <- list(adjusted_gap = w * (pF - pM - ame) / W + as.vector(zb %*% g))
  value <- list(adjusted_gap = ame)

  wF <- w * (v$woman == 1) / sum(w * (v$woman == 1)); wM <- w * (v$woman == 0) / sum(w * (v$woman == 0))
  value$gap <- sum(wF * y) - sum(wM * y)
  z$gap <- wF * (y - sum(wF * y)) - wM * (y - sum(wM * y))
  # Composition from its definition, not as a difference: A C_man + B C_woman.
  share <- sum(w * (v$woman == 1)) / W
  composition_at <- function(q) sum(wF * q) - sum(wM * q)
  z_composition_at <- function(q, XS) wF * (q - sum(wF * q)) - wM * (q - sum(wM * q)) + as.vector(zb %*% colSums((wF - wM) * link$slope(q) * XS))
  value$composition <- share * composition_at(pM) + (1 - share) * composition_at(pF)
  z$composition <- share * z_composition_at(pM, XM) + (1 - share) * z_composition_at(pF, XF) +
    w * ((v$woman == 1) - share) / W * (composition_at(pM) - composition_at(pF))

  slope <- sum(w * link$slope(p)) / W
  z_slope <- w * (link$slope(p) - slope) / W + as.vector(zb %*% (colSums(w * link$bend(p) * X) / W))
  left <- value$composition; z_left <- z$composition
  for (name in c("age", "education", "residence", "children")) {
    own <- startsWith(names(b), name)
    if (!any(own)) { value[[name]] <- 0; z[[name]] <- rep(0, n); next }
    difference <- colSums((wF - wM) * X[, own, drop = FALSE])
    L <- sum(difference * b[own])
    index <- as.vector(X[, own, drop = FALSE] %*% b[own])
    value[[name]] <- slope * L
    z[[name]] <- L * z_slope + slope * (wF * (index - sum(wF * index)) - wM * (index - sum(wM * index)) + as.vector(zb[, own, drop = FALSE] %*% difference))
    left <- left - value[[name]]; z_left <- z_left - z[[name]]
  }
  value$nonlinearity <- left; z$nonlinearity <- z_left
  variance <- function(z) {
    z <- as.matrix(z)
    if (rule == "average") {  # the mean over the strata of the base, as svyglm has it on a subset
      d <- design[which(keep), ]
      return(svyrecvar(z[keep, , drop = FALSE], d$cluster, d$strata, d$fpc)[1, 1])
    }
    svyrecvar(z, design$cluster, design$strata, design$fpc, postStrata = design$postStrata)[1, 1]
  }
  base <- design[which(keep), ]
  gaps <- data.frame(run, rule, outcome, domain = coefficients$domain[1], what = names(value), value = unlist(value),
                     se = sapply(z[names(value)], function(u) sqrt(max(variance(u), 0))), df = degf(base))
  if (family == "linear") {
    own <- svyglm(f, base)  # the coefficient of sex is the adjusted gap
    stopifnot(abs(coef(own)[["woman"]] / value$adjusted_gap - 1) < 1e-9, abs(SE(own)[["woman"]] / gaps$se[gaps$what == "adjusted_gap"] - 1) < 1e-9)
  }
  stopifnot(abs(value$gap - value$composition - value$adjusted_gap) < 1e-10)
  list(coefficients = coefficients, covariances = covariances, gaps = gaps)
}

# 1. Strata and PSUs whose ids return, two strata of one PSU, weights of 0.
clustered <- respondents(500)
clustered$stratum <- pick(500, c("north", "south", "east", "isle", "camp"), c(.4, .3, .2, .06, .04))
clustered$psu <- ifelse(clustered$stratum %in% c("isle", "camp"), "1", as.character(sample(9, 500, replace = TRUE)))
clustered$weight <- exp(rnorm(500, 0, .6)) * 900; clustered$weight[sample(500, 12)] <- 0
# 2. Weights only. 3. Strata with sampling fractions.
plain <- respondents(400); plain$weight <- exp(rnorm(400, 0, .7))
fraction <- respondents(300); fraction$stratum <- pick(300, c("p", "q"), c(.6, .4))
fraction$fpc <- c(p = .3, q = .1)[fraction$stratum]; fraction$weight <- 1 / fraction$fpc * runif(300, .9, 1.1)
# 4. Calibrated to sex x age and to residence, from base weights; PSUs.
calibrated <- respondents(500); calibrated$sex[is.na(calibrated$sex)] <- "F"
calibrated$stratum <- pick(500, c("a", "b", "c"), c(.4, .4, .2)); calibrated$psu <- as.character(sample(12, 500, replace = TRUE))
calibrated$base_weight <- signif(exp(rnorm(500, 5, .4)), 7)
calibrated$sex_age <- paste(calibrated$sex, calibrated$age, sep = "*")
for (name in c("clustered", "plain", "fraction")) { d <- get(name); d$weight <- signif(d$weight, 7); assign(name, d) }
base <- svydesign(~psu, strata = ~stratum, weights = ~base_weight, data = calibrated, nest = TRUE)
target <- colSums(model.matrix(~ sex_age + residence, calibrated) * calibrated$base_weight) * runif(9, .96, 1.04); target[1] <- sum(calibrated$base_weight)
by_calibrate <- calibrate(base, ~ sex_age + residence, target, calfun = "raking", epsilon = 1e-13, maxit = 500)
calibrated$weight <- weights(by_calibrate)

designs <- list(
  clustered = svydesign(~psu, strata = ~stratum, weights = ~weight, data = clustered, nest = TRUE),
  plain = svydesign(~1, weights = ~weight, data = plain),
  fraction = svydesign(~1, strata = ~stratum, fpc = ~fpc, weights = ~weight, data = fraction),
  calibrated = by_calibrate)
by_calibrate$variables$weight <- calibrated$weight
runs <- rbind(data.frame(run = "clustered", rule = c("adjust", "remove", "average", "certainty")),
              data.frame(run = c("plain", "fraction", "calibrated"), rule = "adjust"))
all <- list()
for (i in seq_len(nrow(runs))) for (outcome in c("lost", "hours")) for (domain in list(list(), list(residence = "urban"))) {
  found <- answers(runs$run[i], designs[[runs$run[i]]], runs$rule[i], outcome, if (outcome == "lost") "logistic" else "linear", domain)
  for (name in names(found)) all[[name]] <- rbind(all[[name]], found[[name]])
}
for (name in c("clustered", "plain", "fraction", "calibrated")) save_table(get(name), name)
for (name in names(all)) save_table(all[[name]], name)
