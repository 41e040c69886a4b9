# Makes awkward survey data with replicate weights and R survey's answers to it: Rscript make_golden_replicates.R
# (in this folder; needs survey, writes golden/replicates_*.csv). The answers are checked in; the tests do not run this.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.drop.replicates = TRUE, warn = -1)  # of discarded replicates and guessed scales
set.seed(20210423, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

number <- function(x) ifelse(is.finite(x), sprintf("%.15g", as.numeric(x)), "")
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", paste0("replicates_", name, ".csv")), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}
pick <- function(n, codes, prob) sample(codes, n, replace = TRUE, prob = prob)

respondents <- function(n) {
  data <- data.frame(sex = pick(n, c("F", "M", "_U"), c(.5, .46, .04)), area = pick(n, c("R", "U"), c(.6, .4)))
  data$area[n] <- "lone"
  data$common <- pick(n, c(1, 0, NA), c(.5, .4, .1))
  data$rare <- ifelse(data$area == "U", ifelse(data$sex == "M", 1, 0), pick(n, c(1, 0, NA), c(.1, .85, .05)))
  data$worked <- pick(n, c(1, 0, NA), c(.6, .36, .04))
  data$lost <- ifelse(data$worked %in% 1, pick(n, c(1, 0, NA), c(.3, .65, .05)), NA)
  data$income <- ifelse(runif(n) < .08, NA, round(exp(rnorm(n, 5, 1)) / 5) * 5)
  data$spent <- ifelse(runif(n) < .08, NA, round(data$income * runif(n)))
  data$job <- pick(n, c("farm", "office", "none", NA), c(.3, .2, .45, .05))
  data$weight <- round(exp(rnorm(n, 3, 1)), 2)
  data$weight[1:2] <- c(.05, 700)
  data$weight[sample(3:(n - 1), 3)] <- 0
  data
}

# Each statistic: y, x, and who is known. A total has no x.
statistics <- list(
  common = list("share", function(d) d$common), rare = list("share", function(d) d$rare), lost = list("share", function(d) d$lost),
  income = list("mean", function(d) d$income), all_income = list("total", function(d) d$income),
  people = list("total", function(d) rep(1, nrow(d))),
  spending = list("ratio", function(d) ifelse(is.na(d$income), NA, d$spent), function(d) ifelse(is.na(d$spent), NA, d$income)),
  job.farm = list("share", function(d) 0 + (d$job == "farm")), job.none = list("share", function(d) 0 + (d$job == "none")),
  job.office = list("share", function(d) 0 + (d$job == "office")),
  median = list("quantile", function(d) d$income, .5), decile9 = list("quantile", function(d) d$income, .9)
)
cells_of <- function(data) {
  crossed <- unique(data[c("sex", "area")])
  rbind(data.frame(sex = "_T", area = "_T"), data.frame(sex = sort(unique(data$sex)), area = "_T"),
        crossed[order(crossed$sex, crossed$area), ])
}
# The smallest x whose cumulative share reaches p. Not qrule = "math": where p is below the first share it gives the second x
# (survey 4.1-1, function qs).
smallest <- function(x, w, p) {
  x <- x[w > 0]; w <- w[w > 0]
  o <- order(x); reached <- cumsum(w[o]) / sum(w)
  x[o][min(which(reached >= p - 1e-12), length(x))]
}
# df: NULL for the rank (degf of the replicates), or the design whose PSUs and strata are counted.
answers <- function(rep, scenario, taylor = NULL, kinds = names(statistics)) {
  rows <- list(); replicates <- list()
  cells <- cells_of(rep$variables)
  for (name in kinds) {
    kind <- statistics[[name]][[1]]
    y <- statistics[[name]][[2]](rep$variables)
    x <- if (kind == "ratio") statistics[[name]][[3]](rep$variables) else rep(1, length(y))
    rep$variables$y <- y; rep$variables$x <- x
    for (i in seq_len(nrow(cells))) {
      keep <- !is.na(y) & !is.na(x)
      for (k in c("sex", "area")) if (cells[i, k] != "_T") keep <- keep & rep$variables[[k]] == cells[i, k]
      d <- rep[which(keep), ]
      w <- weights(d, "sampling"); n <- sum(w > 0)
      if (n == 0) next
      # With PSUs: those of respondents of positive weight.
      df <- if (is.null(taylor)) degf(d) else degf(taylor[which(keep & weights(taylor) > 0), ])
      psus <- if (is.null(taylor)) df + 1 else length(unique(taylor$cluster[keep & weights(taylor) > 0, 1]))
      ys <- d$variables$y; theta <- NULL
      if (kind == "quantile") {
        q <- svyquantile(~y, d, statistics[[name]][[3]], interval.type = "mean", qrule = smallest, df = df)$y
        value <- q[1, 1]; ci <- q[1, 2:3]; se <- q[1, 4]
      } else {
        m <- switch(kind, total = svytotal(~y, d, return.replicates = TRUE), ratio = NULL, svymean(~y, d, return.replicates = TRUE))
        if (kind == "ratio") {
          m <- svyratio(~y, ~x, d, return.replicates = TRUE)
          value <- m$ratio[1]; se <- sqrt(m$var[1]); theta <- as.vector(m$replicates)
        } else {
          value <- coef(m)[[1]]; se <- SE(m)[[1]]; theta <- as.vector(m$replicates)
        }
        ci <- value + c(-1, 1) * (if (df > 0) qt(.975, df) else NA) * se
        if (kind == "share") {
          if (length(unique(ys[w > 0])) == 1) {
            value <- round(value); se <- 0; theta[!is.na(theta)] <- value
            ci <- if (df > 0) binom.test(sum(ys[w > 0]), n)$conf.int else c(NA, NA)
          } else ci <- if (df > 0) attr(svyciprop(~y, d, method = "xlogit", df = df), "ci") else c(NA, NA)
        }
      }
      rows[[length(rows) + 1]] <- data.frame(scenario, statistic = name, sex = cells$sex[i], area = cells$area[i], value, se,
        ci_low = ci[[1]], ci_high = ci[[2]], n, population = sum(w), df, psus)
      replicates[[length(replicates) + 1]] <- theta
    }
  }
  table <- do.call(rbind, rows)
  varying <- which(!sapply(replicates, is.null))
  replicates <- replicates[intersect(varying, seq_along(replicates))]
  table_of <- table[table$statistic %in% kinds[sapply(kinds, function(k) statistics[[k]][[1]] != "quantile")], ]
  pairs <- NULL
  if (length(replicates)) {
    key <- paste(table_of$statistic, table_of$sex, table_of$area, sep = "|")
    for (p in 1:40) {
      ij <- sample(length(replicates), 2)
      v <- tryCatch(svrVar(cbind(replicates[[ij[1]]], replicates[[ij[2]]]), rep$scale, rep$rscales, mse = rep$mse,
                           coef = table_of$value[ij])[1, 2], error = function(e) NA)
      pairs <- rbind(pairs, data.frame(scenario, first = key[ij[1]], second = key[ij[2]], covariance = v))
    }
  }
  estimates <<- rbind(estimates, table); covariances <<- rbind(covariances, pairs)
}
estimates <- covariances <- NULL

# 1. The form of the US Household Pulse Survey: 80 Fay replicates, rho 0.5, whole weights. And the same columns as other methods.
pulse <- respondents(110)
factors <- matrix(sample(c(.5, 1.5), 110 * 80, replace = TRUE), 110)
columns <- round(pulse$weight * factors * runif(110 * 80, .9, 1.1), 2)
colnames(columns) <- paste0("PWEIGHT", 1:80)
scales <- rep(c(0, .5, 1, 1.5), 20) / 80
for (mse in c(FALSE, TRUE)) {
  of <- function(...) svrepdesign(data = pulse, repweights = columns, weights = ~weight, mse = mse, combined.weights = TRUE, ...)
  name <- function(method) paste0("pulse-", method, if (mse) "-mse" else "")
  answers(of(type = "Fay", rho = .5), name("Fay"))
  answers(of(type = "other", scale = 1.7, rscales = scales), name("other"))
  some <- c("common", "rare", "income", "all_income", "spending", "median")
  if (mse) answers(of(type = "bootstrap"), name("bootstrap"), kinds = some)
  else {
    answers(of(type = "BRR"), name("BRR"), kinds = some)
    answers(of(type = "JK1"), name("JK1"), kinds = some)
    answers(of(type = "JKn", rscales = scales * 80), name("JKn"), kinds = some)
  }
}
save_table(cbind(pulse, columns), "pulse")

# 2. Pairs of PSUs, whose ids return in every stratum: BRR, Fay, JKn made by R; factors of another's making that are not whole weights.
pairs <- respondents(120)
pairs$stratum <- paste0("s", c(3, 1, 6, 2, 5, 4)[sort(sample(6, 120, replace = TRUE))])
pairs$psu <- paste0("p", sample(2, 120, replace = TRUE))
taylor <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = pairs, nest = TRUE)
sylvester <- matrix(1, 1, 1)
for (i in 1:3) sylvester <- kronecker(matrix(c(1, 1, 1, -1), 2), sylvester)
answers(as.svrepdesign(taylor, type = "BRR", hadamard.matrix = sylvester), "pairs-BRR")
answers(as.svrepdesign(taylor, type = "BRR"), "pairs-BRR_of_R", kinds = c("all_income", "people"))
answers(as.svrepdesign(taylor, type = "Fay", fay.rho = .3, hadamard.matrix = sylvester, mse = TRUE), "pairs-Fay-mse")
answers(as.svrepdesign(taylor, type = "JKn"), "pairs-JKn")
answers(as.svrepdesign(taylor, type = "JKn", mse = TRUE), "pairs-JKn-mse-psu", taylor = taylor)
place <- paste(pairs$stratum, pairs$psu)
draws <- sapply(1:15, function(r) round(rexp(length(unique(place))) * rbinom(length(unique(place)), 1, .8), 2))
loose <- draws[match(place, unique(place)), ]
colnames(loose) <- paste0("F", 1:15)
answers(svrepdesign(data = pairs, repweights = loose, weights = ~weight, type = "bootstrap", combined.weights = FALSE), "pairs-bootstrap")
answers(svrepdesign(data = pairs, repweights = loose, weights = ~weight, type = "JKn", combined.weights = FALSE, mse = TRUE),
        "pairs-JKn_guessed-mse", kinds = some)
save_table(cbind(pairs, loose), "pairs")

# 3. Strata with a lonely PSU, finite populations.
lonely <- respondents(90)
lonely$stratum <- paste0("s", pick(90, c(2, 9, 4, 1, 7), c(.3, .3, .2, .12, .08)))
lonely$psu <- paste0("p", sample(4, 90, replace = TRUE))
lonely$psu[lonely$stratum %in% c("s1", "s7")] <- "p1"
lonely$fpc <- c(s1 = 3, s2 = 8, s4 = 30, s7 = 2, s9 = 5)[lonely$stratum]
taylor <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = lonely, nest = TRUE)
finite <- svydesign(~psu, strata = ~stratum, weights = ~weight, fpc = ~fpc, data = lonely, nest = TRUE)
for (rule in c("adjust", "average", "remove", "certainty")) {
  options(survey.lonely.psu = rule)
  answers(as.svrepdesign(taylor, type = "JKn"), paste0("lonely-", rule), kinds = some)
}
answers(as.svrepdesign(finite, type = "JKn", mse = TRUE), "lonely-certainty-fpc-mse", kinds = some)
options(survey.lonely.psu = "adjust")
answers(as.svrepdesign(finite, type = "JKn"), "lonely-adjust-fpc", kinds = some)
options(survey.lonely.psu = "fail")
save_table(lonely, "lonely")

# 4. No strata: JK1 over PSUs, over respondents, and with a finite population.
flat <- respondents(45)
flat$psu <- paste0("p", sample(9, 45, replace = TRUE))
flat$fpc <- 30
answers(as.svrepdesign(svydesign(~psu, weights = ~weight, data = flat), type = "JK1"), "flat-JK1", kinds = some)
answers(as.svrepdesign(svydesign(~1, weights = ~weight, data = flat), type = "JK1", mse = TRUE), "flat-JK1-respondents-mse", kinds = some)
answers(as.svrepdesign(svydesign(~psu, weights = ~weight, fpc = ~fpc, data = flat), type = "JK1"), "flat-JK1-fpc", kinds = some)
save_table(flat, "flat")
save_table(estimates, "estimates")
save_table(covariances, "covariances")
