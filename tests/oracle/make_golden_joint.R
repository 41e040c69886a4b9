# Answers of R survey to what is computed from respondents' influence values: Rscript make_golden_joint.R (in this folder; writes
# golden/joint_*.csv). The answers are checked in; this script is their provenance and is not run by the tests.
# Calls are made on the subset of those who answered, with positive weight: R's own na.rm drops listwise, counts weights of 0 in
# the strata that "average" averages over, and svychisq counts those who did not answer in n and in df.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.adjust.domain.lonely = FALSE)
set.seed(19340203, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", paste0("joint_", name, ".csv")), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}
pick <- function(n, codes, prob) sample(codes, n, replace = TRUE, prob = prob)

respondents <- function(n) {
  d <- data.frame(sex = pick(n, c("F", "M", NA), c(.5, .47, .03)), age = pick(n, c("young", "middle", "old"), c(.5, .43, .07)))
  d$common <- pick(n, c(1, 0, NA), c(.5, .4, .1))
  d$rare <- ifelse(d$age == "old", ifelse(d$sex %in% "M", 1, 0), pick(n, c(1, 0, NA), c(.05, .9, .05)))
  d$income <- ifelse(runif(n) < .08, NA, round(exp(rnorm(n, 5, 1) + .3 * (d$sex %in% "F")), 3))
  d$persons <- pick(n, c(1:6, NA), c(.2, .2, .2, .2, .1, .05, .05))
  d$hours <- pick(n, c(0, 20, 40, 60, NA), c(.3, .1, .45, .1, .05))
  d$job <- ifelse(d$age == "old", pick(n, c("none", "farm"), c(.8, .2)), pick(n, c("none", "farm", "trade", "office", NA), c(.3, .2, .3, .15, .05)))
  d
}

# The smallest y with at least p of the weight at or below it. R 4.1-1's own "math" rule gives the second answer where the first
# holds more than p of the weight, and falls either way on ties of sums that differ by rounding.
inverse <- function(x, w, p) {
  x <- x[w > 0]; w <- w[w > 0]; o <- order(x); x <- x[o]; reached <- cumsum(w[o])
  x[which(reached >= p * reached[length(reached)] * (1 - 1e-12))[1]]
}
y_of <- list(
  common = function(d) d$common, rare = function(d) d$rare, mean_income = function(d) d$income,
  total_income = function(d) d$income, people = function(d) ifelse(is.na(d$sex), NA, 1),
  per_head = function(d) ifelse(is.na(d$persons), NA, d$income),
  `job:farm` = function(d) 0 + (d$job == "farm"), `job:none` = function(d) 0 + (d$job == "none"),
  `job:office` = function(d) 0 + (d$job == "office"), `job:trade` = function(d) 0 + (d$job == "trade"),
  income_10 = function(d) d$income, income_50 = function(d) d$income, income_90 = function(d) d$income, hours_50 = function(d) d$hours)
kind_of <- c(common = "share", rare = "share", mean_income = "mean", total_income = "total", people = "total", per_head = "ratio",
             `job:farm` = "share", `job:none` = "share", `job:office` = "share", `job:trade` = "share",
             income_10 = "quantile", income_50 = "quantile", income_90 = "quantile", hours_50 = "quantile")
q_of <- c(income_10 = .1, income_50 = .5, income_90 = .9, hours_50 = .5)

inside <- function(v, domain, y) {
  keep <- v$weight > 0 & !is.na(y)
  for (name in names(domain)) keep <- keep & v[[name]] %in% domain[[name]]
  keep
}
n_psus <- function(design) design$fpc$sampsize[, 1]
whole <- function(design) if (is.null(design$fpc$popsize)) rep(FALSE, nrow(design)) else n_psus(design) / design$fpc$popsize[, 1] > 1 - 1e-7
lonely <- function(design) n_psus(design) == 1 & !whole(design)
# What the sample says nothing of, we call not defined: R has 0 (to rounding).
silent <- function(d, rule, ratio) {
  if (!nrow(d)) return(TRUE)
  (rule != "adjust" && all(lonely(d))) || (ratio && length(unique(d$cluster[, 1])) == 1 && !any(whole(d)))
}

# Variance of a total of z. Under "adjust" 4.1-1 takes lonely units around 0, which is the sample's mean for a ratio, not for a
# total (mended in 4.3): put right here, at both stages.
variance <- function(z, design, rule) {
  options(survey.lonely.psu = rule)
  z <- as.matrix(z)
  v <- svyrecvar(z, design$cluster, design$strata, design$fpc)
  if (rule != "adjust") return(v)
  around <- function(unit, these, factor) {
    sums <- rowsum(z, as.character(unit)); m <- colMeans(sums)
    for (u in unique(as.character(unit[these]))) {
      f <- factor[which(as.character(unit) == u)[1]]; t <- sums[u, ]
      v <<- v + f * (outer(t - m, t - m) - outer(t, t))
    }
  }
  N <- design$fpc$popsize
  around(design$cluster[, 1], lonely(design), if (is.null(N)) rep(1, nrow(z)) else 1 - n_psus(design) / N[, 1])
  if (!is.null(N) && ncol(design$cluster) > 1) {
    m <- design$fpc$sampsize[, 2]
    around(design$cluster[, 2], m == 1 & N[, 2] > 1, n_psus(design) / N[, 1] * (1 - 1 / N[, 2]))
  }
  v
}
influence <- function(name, v, keep) {
  y <- y_of[[name]](v); x <- if (name == "per_head") v$persons else rep(1, nrow(v)); w <- v$weight
  y[!keep] <- 0; x[!keep] <- 0
  if (kind_of[[name]] == "total") return(w * y)
  w * (y - sum(w * y) / sum(w * x) * x) / sum(w * x)
}

estimate <- function(design, rule, name, domain) {
  options(survey.lonely.psu = rule)
  v <- design$variables; y <- y_of[[name]](v); kind <- kind_of[[name]]
  keep <- inside(v, domain, y)
  design$variables$y <- y
  d <- design[which(keep), ]
  n <- sum(keep)
  blank <- data.frame(value = NA, se = NA, ci_low = NA, ci_high = NA, n = n, population = sum(v$weight[keep]), deff = NA, df = 0,
                      t_low = NA, t_high = NA, wilson_low = NA, wilson_high = NA)
  if (n == 0) return(blank)
  out <- blank
  df <- out$df <- degf(d)
  w <- v$weight[keep]; yk <- y[keep]
  at_scale <- sum(v$weight) > 2 * sum(v$weight > 0)
  effect <- if (at_scale && sum(w) > n) TRUE else "replace"
  unknown <- silent(d, rule, kind != "total")
  t <- if (df > 0) qt(.975, df) else NA
  if (kind == "quantile") {
    q <- svyquantile(~y, d, q_of[[name]], interval.type = "mean", qrule = inverse, df = max(df, 1))$y
    out$value <- q[1, 1]
    if (!unknown && df > 0) { out$ci_low <- q[1, 2]; out$ci_high <- q[1, 3]; out$se <- q[1, 4] }
    return(out)
  }
  if (kind == "ratio") {
    m <- svyratio(~y, ~persons, d, deff = effect)
    out$value <- coef(m)[[1]]; out$se <- SE(m)[[1]]; out$deff <- attr(m, "deff")[1, 1]
  } else if (kind == "total") {
    m <- svytotal(~y, d, deff = effect)
    z <- influence(name, v, keep)
    out$value <- coef(m)[[1]]; out$se <- sqrt(variance(z, design, if (rule == "average") "remove" else rule)[1, 1])
    if (rule == "average" || !any(lonely(design))) out$se <- SE(m)[[1]]
    if (!any(lonely(design)) && !any(design$fpc$sampsize == 1)) stopifnot(isTRUE(all.equal(SE(m)[[1]], sqrt(variance(z, design, rule)[1, 1]))))
    out$deff <- if (isTRUE(SE(m)[[1]] > 0)) deff(m)[[1]] * out$se^2 / SE(m)[[1]]^2 else deff(m)[[1]]
  } else {
    m <- svymean(~y, d, deff = effect)
    out$value <- coef(m)[[1]]; out$se <- SE(m)[[1]]; out$deff <- deff(m)[[1]]
  }
  # Everybody alike: R has rounding over rounding.
  if (length(unique(yk)) == 1 && kind != "ratio") { out$deff <- NA; if (kind != "total") out$se <- 0 }
  if (n < 2) out$deff <- NA
  bound <- kind == "share" && length(unique(yk)) == 1
  if (bound) {
    out$value <- round(out$value); out$se <- 0; out$deff <- NA
    if (df > 0) { ci <- binom.test(sum(yk), n)$conf.int; out$ci_low <- ci[1]; out$ci_high <- ci[2] }
    if (df > 0) { ci <- prop.test(sum(yk), n, correct = FALSE)$conf.int; out$wilson_low <- ci[1]; out$wilson_high <- ci[2] }
    return(out)
  }
  if (unknown) { out$se <- out$deff <- NA; return(out) }
  if (df == 0) return(out)
  out$ci_low <- out$value - t * out$se; out$ci_high <- out$value + t * out$se
  if (kind == "share") {
    ci <- attr(svyciprop(~y, d, method = "xlogit", df = df), "ci"); out$ci_low <- ci[[1]]; out$ci_high <- ci[[2]]
    ci <- attr(svyciprop(~y, d, method = "mean", df = df), "ci"); out$t_low <- ci[[1]]; out$t_high <- ci[[2]]
    p <- out$value; size <- min(n, p * (1 - p) / out$se^2 * (qt(.975, n - 1) / t)^2)
    ci <- suppressWarnings(prop.test(p * size, size, correct = FALSE))$conf.int; out$wilson_low <- ci[1]; out$wilson_high <- ci[2]
  }
  out
}

# The difference and the log ratio of two categories of `by`.
contrast <- function(design, rule, name, by, a, b) {
  options(survey.lonely.psu = rule)
  v <- design$variables; y <- y_of[[name]](v); kind <- kind_of[[name]]
  keep <- inside(v, setNames(list(c(a, b)), by), y)
  design$variables$y <- y; design$variables$g <- v[[by]]
  d <- design[which(keep), ]
  of <- function(code) d[which(d$variables$g == code), ]
  values <- if (kind == "total") svyby(~y, ~g, d, svytotal, covmat = TRUE) else svyby(~y, ~g, d, svymean, covmat = TRUE)
  out <- data.frame(difference = NA, se = NA, df = degf(d), log_ratio = NA, log_se = NA)
  p <- coef(values); names(p) <- rownames(values)
  out$difference <- p[[a]] - p[[b]]
  if (silent(of(a), rule, kind != "total") || silent(of(b), rule, kind != "total")) return(out)
  out$se <- SE(svycontrast(values, setNames(c(1, -1), c(a, b))))[[1]]
  if (kind == "total" && rule == "adjust")
    out$se <- sqrt(variance(influence(name, v, keep & v[[by]] %in% a) - influence(name, v, keep & v[[by]] %in% b), design, rule)[1, 1])
  if (all(p > 1e-12)) {
    l <- svycontrast(values, bquote(log(.(as.name(a)) / .(as.name(b)))))
    out$log_ratio <- coef(l)[[1]]; out$log_se <- SE(l)[[1]]
    if (kind == "total" && rule == "adjust")
      out$log_se <- sqrt(variance(influence(name, v, keep & v[[by]] %in% a) / p[[a]] - influence(name, v, keep & v[[by]] %in% b) / p[[b]],
                                  design, rule)[1, 1])
  }
  out
}

association <- function(design, rule, rows, columns, domain) {
  options(survey.lonely.psu = rule)
  v <- design$variables
  d <- design[which(inside(v, domain, ifelse(is.na(v[[columns]]), NA, v[[rows]]))), ]
  out <- NULL
  for (statistic in c("F", "Chisq", "Wald", "adjWald")) {
    # Wald rests on totals, which 4.1-1 centres wrongly under "adjust" where a PSU is lonely: no answer to compare with.
    trap <- statistic %in% c("Wald", "adjWald") && rule == "adjust" && (any(lonely(design)) || any(design$fpc$sampsize == 1))
    t <- tryCatch(suppressWarnings(svychisq(as.formula(paste("~", rows, "+", columns)), d, statistic = statistic)), error = function(e) NULL)
    empty <- silent(d, rule, TRUE) || degf(d) == 0 || is.null(t)
    row <- data.frame(statistic = statistic, comparable = 0 + !trap, n = nrow(d), df = degf(d), value = NA, df1 = NA, df2 = NA, p_value = NA)
    if (!empty) {
      row$df1 <- t$parameter[[1]]; row$p_value <- t$p.value[[1]]
      if (statistic != "Chisq") { row$value <- t$statistic[[1]]; row$df2 <- t$parameter[[2]] }
    }
    out <- rbind(out, row)
  }
  out
}

# 1. Strata with PSUs whose ids return, two strata with one PSU, weights of 0; weights count people.
clustered <- respondents(260)
clustered$stratum <- pick(260, c("north", "south", "east", "isle", "camp"), c(.4, .3, .2, .06, .04))
clustered$psu <- ifelse(clustered$stratum %in% c("isle", "camp"), "1", as.character(sample(6, 260, replace = TRUE)))
clustered$weight <- exp(rnorm(260, 0, .6)) * 900
clustered$weight[sample(260, 10)] <- 0
# 2. Two stages without replacement: a stratum sampled whole, a stratum of one PSU, and (in `thin`) PSUs with one household.
staged <- function(n, thin) {
  d <- respondents(n)
  d$stratum <- pick(n, c("a", "b", "whole", "one"), c(.35, .35, .2, .1))
  d$psu <- paste0(d$stratum, sample(5, n, replace = TRUE)); d$psu[d$stratum == "one"] <- "one1"
  d$ssu <- as.character(sample(4, n, replace = TRUE))
  if (thin) { d$ssu[d$psu %in% c("a1", "whole2", "b3")] <- "1" }
  count <- function(x, by) ave(as.numeric(factor(x)), by, FUN = function(u) length(unique(u)))
  d$fpc <- ifelse(d$stratum == "whole", count(d$psu, d$stratum), c(a = 12, b = 9, whole = 0, one = 3)[d$stratum])
  d$ssu_fpc <- count(d$ssu, d$psu) + as.numeric(factor(d$psu)) %% 4
  d$weight <- d$fpc / count(d$psu, d$stratum) * d$ssu_fpc * runif(n, 5, 9)
  d
}
twostage <- staged(260, FALSE); thin <- staged(220, TRUE)
stopifnot(all(tapply(twostage$ssu, twostage$psu, function(s) length(unique(s))) > 1))
# 3. No PSUs; strata with sampling fractions, one sampled whole.
fraction <- respondents(160)
fraction$stratum <- pick(160, c("p", "q", "r"), c(.5, .35, .15))
fraction$fpc <- c(p = .2, q = .05, r = 1)[fraction$stratum]; fraction$weight <- 1 / fraction$fpc * runif(160, .9, 1.1)
# 4. No PSUs, no strata, weights in ratios up to 1 : 10^6 that add up to n.
plain <- respondents(150); plain$weight <- 10^runif(150, 0, 6); plain$weight <- plain$weight / mean(plain$weight)
# 5. PSUs of one stratum, few enough for domains in one PSU; fpc.
few <- respondents(50); few$psu <- as.character(sample(6, 50, replace = TRUE)); few$fpc <- 40; few$weight <- runif(50, 20, 60)
few$age[7] <- "ancient"  # a domain of one respondent
# 6. Two rounds of a panel, stacked: a person's id is the PSU, in the same stratum in both; some took part once.
ids <- 1:110
round_of <- function(those, name) {
  d <- respondents(length(those)); d$round <- name; d$psu <- as.character(those)
  d$stratum <- ifelse(those %% 3 == 0, "rural", "urban"); d$weight <- exp(rnorm(length(those), 3, .4)); d
}
panel <- rbind(round_of(ids[1:80], "r1"), round_of(ids[31:110], "r2"))
stay <- match(panel$psu[panel$round == "r2"], panel$psu[panel$round == "r1"]); keep <- !is.na(stay) & runif(80) < .7
for (name in c("sex", "common", "income", "job")) panel[[name]][81:160][keep] <- panel[[name]][1:80][stay[keep]]

for (name in c("clustered", "twostage", "thin", "fraction", "plain", "few", "panel")) {
  d <- get(name); d$weight <- signif(d$weight, 7); assign(name, d)
}
data <- list(clustered = clustered, twostage = twostage, thin = thin, fraction = fraction, plain = plain, few = few, panel = panel)
design_of <- list(
  clustered = function(d) svydesign(~psu, strata = ~stratum, weights = ~weight, data = d, nest = TRUE),
  twostage = function(d) svydesign(~psu + ssu, strata = ~stratum, fpc = ~fpc + ssu_fpc, weights = ~weight, data = d, nest = TRUE),
  thin = function(d) svydesign(~psu + ssu, strata = ~stratum, fpc = ~fpc + ssu_fpc, weights = ~weight, data = d, nest = TRUE),
  replaced = function(d) svydesign(~psu + ssu, strata = ~stratum, fpc = ~fpc + infinite, weights = ~weight, data = transform(d, infinite = Inf), nest = TRUE),
  fraction = function(d) svydesign(~1, strata = ~stratum, fpc = ~fpc, weights = ~weight, data = d),
  plain = function(d) svydesign(~1, weights = ~weight, data = d),
  few = function(d) svydesign(~psu, fpc = ~fpc, weights = ~weight, data = d),
  panel = function(d) svydesign(~psu, strata = ~stratum, weights = ~weight, data = d, nest = TRUE))
rules <- c("adjust", "remove", "average", "certainty")
runs <- rbind(data.frame(run = "clustered", rule = rules), data.frame(run = "twostage", rule = rules),
              data.frame(run = "thin", rule = c("adjust", "remove", "certainty")),  # "average" is NaN in R
              data.frame(run = c("replaced", "fraction", "plain", "few", "panel"), rule = "adjust"))
estimates <- contrasts <- covariances <- associations <- NULL
label <- function(domain) paste(names(domain), unlist(domain), sep = "=", collapse = ";")
for (i in seq_len(nrow(runs))) {
  run <- runs$run[i]; rule <- runs$rule[i]
  table <- data[[if (run == "replaced") "twostage" else run]]
  design <- design_of[[run]](table)
  domains <- list(list(), list(sex = "F"), list(sex = "M"), list(sex = "F", age = "old"))
  if (rule == "adjust") domains <- c(domains, list(list(sex = "M", age = "old"), list(sex = "F", age = "young")))
  if (!is.null(table$stratum)) for (s in head(unique(table$stratum), 5)) domains <- c(domains, list(list(stratum = s)))
  if (run == "few") domains <- c(domains, list(list(age = "ancient"), list(sex = "nobody")))
  if (rule == "adjust" && "isle" %in% table$stratum) domains <- c(domains, list(list(sex = "F", stratum = "isle")))
  for (name in names(y_of)) for (domain in domains)
    estimates <- rbind(estimates, data.frame(run, rule, result = name, domain = label(domain), estimate(design, rule, name, domain)))
  pairs <- if (run == "panel") list(c("round", "r1", "r2"), c("sex", "F", "M")) else list(c("sex", "F", "M"), c("age", "young", "old"))
  for (name in c("common", "rare", "mean_income", "total_income", "job:farm", "job:office")) for (p in pairs)
    contrasts <- rbind(contrasts, data.frame(run, rule, result = name, by = p[1], a = p[2], b = p[3],
                                             contrast(design, rule, name, p[1], p[2], p[3])))
  # Different indicators, each with its own missing answers, in different domains. Under "average" R scales by the strata of the
  # whole sample here and by those of the domain elsewhere: not comparable.
  if (rule != "average") {
    picked <- list(c("common", ""), c("rare", "F"), c("mean_income", "M"), c("total_income", "F"), c("people", "M"), c("per_head", ""),
                   c("job:farm", "F"), c("job:trade", "F"))
    keep_of <- function(p) inside(table, if (p[2] == "") list() else list(sex = p[2]), if (p[1] == "per_head") ifelse(is.na(table$persons), NA, table$income) else y_of[[p[1]]](table))
    z <- sapply(picked, function(p) influence(p[1], table, keep_of(p)))
    v <- variance(z, design, rule)
    for (j in seq_along(picked)) for (k in seq_len(j))
      covariances <- rbind(covariances, data.frame(run, rule, j = j - 1, k = k - 1, covariance = v[j, k]))
  }
  for (t in list(list("sex", "job", list()), list("sex", "common", list()), list("age", "job", list()), list("age", "common", list(sex = "F")),
                 list("sex", "hours", list(age = "middle")), list("sex", "job", list(age = "old")), list("sex", "age", list(sex = "F"))))
    associations <- rbind(associations, data.frame(run, rule, rows = t[[1]], columns = t[[2]], domain = label(t[[3]]),
                                                   association(design, rule, t[[1]], t[[2]], t[[3]])))
}
# To keep the files small: under the other rules only what the rule changes.
estimates[estimates$rule != "adjust", c("value", "ci_low", "ci_high", "population", "t_low", "t_high", "wilson_low", "wilson_high")] <- NA
for (name in names(data)) save_table(data[[name]], name)
save_table(estimates, "estimates")
save_table(contrasts, "contrasts")
save_table(covariances, "covariances")
save_table(associations, "associations")
