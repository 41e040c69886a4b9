# R survey's standard errors of calibrated designs where some people have no PSU or no category on a margin, and its tests of
# independence: Rscript make_golden_held.R (in this folder, after make_golden_weights.R; needs survey, writes golden/held_*). Not
# run by the tests.
#
# held_persons.csv    the persons of calibrated_clustered.csv; psu is empty for one in four, sex_m and education_m for some
#   (missing education depends on sex). Then final weights: `complete.raking` (crossed margins of sex, age_group, education), and
#   `apart.linear`, `within.linear` (margins of sex_m, age_group, education_m, of which a missing category is held at the share
#   that it has of the base weights, within sex where that is known and the margin crosses it).
# held_estimates.csv  problem, y, domain, value, se. complete: svymean and svytotal of domains of calibrate()'s design, everybody
#   without a PSU being one. apart, within: the infinitesimal jackknife (Jaeckel 1972). Each base weight is moved, shares held
#   and weights found anew, and the derivatives, times the base weights, are svyrecvar()'s influence values.
# held_tests.csv      rows, columns, test, statistic, p: svychisq of the design of `complete`, with the degrees of freedom of those
#   who answered both
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.lonely.psu = "fail")
set.seed(19840229, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", name), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}

d <- read.csv("golden/calibrated_clustered.csv", na.strings = "", colClasses = c(stratum = "character", psu = "character"))
d <- d[c("respondent_id", "stratum", "psu", "base_weight", "sex", "age_group", "education", "region", "common", "amount")]
n <- nrow(d)
d$psu[runif(n) < .25] <- NA
d$unit <- ifelse(is.na(d$psu), d$respondent_id, d$psu)
d$education_m <- ifelse(runif(n) < ifelse(d$sex == "F", .35, .12), NA, d$education)
d$sex_m <- ifelse(runif(n) < .08, NA, d$sex)
targets <- read.csv("golden/calibrated_targets.csv")
targets <- targets[targets$problem == "crossed", ]
of <- function(margin) { t <- targets[targets$margin == margin, ]; setNames(t$total, t$category) }
crossed <- list("sex*age_group" = of("sex*age_group"), "sex*education" = of("sex*education"))
summed <- function(x, part) tapply(x, sapply(strsplit(names(x), "*", fixed = TRUE), `[`, part), sum)
single <- list(sex = summed(crossed[[1]], 1), age_group = summed(crossed[[1]], 2), education = summed(crossed[[2]], 2))

# Complete: calibrate() itself.
design <- svydesign(~unit, strata = ~stratum, weights = ~base_weight, data = d, nest = TRUE)
d$a <- paste(d$sex, d$age_group, sep = "*"); d$e <- paste(d$sex, d$education, sep = "*")
x <- cbind(model.matrix(~0 + a, d), model.matrix(~0 + e, d))
totals <- c(crossed[[1]][sub("^a", "", grep("^a", colnames(x), value = TRUE))], crossed[[2]][sub("^e", "", grep("^e", colnames(x), value = TRUE))])
used <- qr(x)$pivot[seq_len(qr(x)$rank)]
x <- x[, used]; totals <- totals[used]; colnames(x) <- names(totals) <- paste0("x", seq_len(ncol(x)))
design$variables <- cbind(d, x)
complete <- calibrate(design, as.formula(paste("~0+", paste(colnames(x), collapse = "+"))), totals, calfun = "raking",
                      epsilon = 1e-13, maxit = 500)
d$complete.raking <- weights(complete)

estimates <- NULL
domains <- list(`_T` = rep(TRUE, n), F = d$sex == "F", M = d$sex == "M", north = d$region == "north", `F*north` = d$sex == "F" & d$region == "north")
for (name in names(domains)) for (y in c("common", "amount", "total")) {
  v <- if (y == "common") as.numeric(d$common == "yes") else d$amount
  inside <- domains[[name]] & !is.na(v)
  complete$variables$v <- ifelse(is.na(v), 0, v)
  part <- complete[inside, ]
  m <- if (y == "total") svytotal(~v, part) else svymean(~v, part)
  estimates <- rbind(estimates, data.frame(problem = "complete", y, domain = name, value = coef(m)[[1]], se = SE(m)[[1]]))
}

tests <- NULL
for (pair in list(c("sex", "common"), c("region", "common"), c("region", "age_group"), c("education", "common"))) {
  known <- complete[which(!is.na(d[[pair[1]]]) & !is.na(d[[pair[2]]])), ]
  # A domain of a calibrated design keeps everybody, at weight 0: with a category, to be counted nowhere.
  for (p in pair) known$variables[[p]] <- factor(ifelse(is.na(known$variables[[p]]), names(table(d[[p]]))[1], known$variables[[p]]))
  # degf of a calibrated design counts everybody: of the same respondents without calibration.
  df <- degf(design[which(!is.na(d[[pair[1]]]) & !is.na(d[[pair[2]]])), ])
  test <- function(statistic) suppressWarnings(svychisq(as.formula(paste("~", pair[1], "+", pair[2])), known, statistic = statistic))
  f <- test("F"); chisq <- test("Chisq"); wald <- test("Wald")
  q <- wald$parameter[[1]]; adjusted <- wald$statistic[[1]] * (df - q + 1) / df
  tests <- rbind(tests, data.frame(
    rows = pair[1], columns = pair[2], test = c("F", "Chisq", "Wald", "adjWald"),
    statistic = c(f$statistic[[1]], chisq$statistic[[1]], wald$statistic[[1]], adjusted),
    p = c(pf(f$statistic[[1]], f$parameter[[1]], f$parameter[[1]] * df, lower.tail = FALSE), chisq$p.value[[1]],
          pf(wald$statistic[[1]], q, df, lower.tail = FALSE), pf(adjusted, q, df - q + 1, lower.tail = FALSE))))
}

# Held: linear calibration by hand, shares of missing categories being taken from the weights that it is given.
joined <- function(a, b) ifelse(is.na(a), "_U", paste(a, ifelse(is.na(b), "_U", b), sep = "*"))
alone <- function(a) ifelse(is.na(a), "_U", a)
problems <- list(
  apart = list(list(alone(d$sex_m), single$sex), list(d$age_group, single$age_group), list(alone(d$education_m), single$education)),
  within = list(list(joined(d$sex_m, d$age_group), crossed[[1]]), list(joined(d$sex_m, d$education_m), crossed[[2]])))
held <- function(code, benchmark, base) {
  whole <- sum(benchmark)
  unknown <- sum(base[code == "_U"]) / sum(base)
  benchmark <- benchmark * (1 - unknown)
  for (sex in c("F", "M")) if (any(code == paste0(sex, "*_U"))) {
    of_sex <- startsWith(names(benchmark), paste0(sex, "*"))
    share <- sum(base[code == paste0(sex, "*_U")]) / sum(base[startsWith(code, paste0(sex, "*"))])
    more <- setNames(sum(benchmark[of_sex]) * share, paste0(sex, "*_U"))
    benchmark[of_sex] <- benchmark[of_sex] * (1 - share)
    benchmark <- c(benchmark, more)
  }
  if (any(code == "_U")) benchmark <- c(benchmark, `_U` = whole * unknown)
  benchmark
}
weigh <- function(problem, base) {
  x <- NULL; totals <- NULL
  for (margin in problem) {
    t <- held(margin[[1]], margin[[2]], base)
    x <- cbind(x, outer(margin[[1]], names(t), "==") + 0); totals <- c(totals, t)
  }
  q <- qr(x)$pivot[seq_len(qr(x)$rank)]
  base <- base * sum(problem[[1]][[2]]) / sum(base)
  lambda <- solve(crossprod(x[, q], base * x[, q]), totals[q] - colSums(base * x[, q]))
  weights <- as.vector(base * (1 + x[, q] %*% lambda))
  stopifnot(max(abs(colSums(weights * x) / totals - 1)) < 1e-9)
  weights
}
wanted <- function(weights) {
  found <- NULL
  for (name in names(domains)) for (y in c("common", "amount", "total", "no education")) {
    v <- switch(y, common = as.numeric(d$common == "yes"), `no education` = as.numeric(is.na(d$education_m)), d$amount)
    inside <- domains[[name]] & !is.na(v)
    found[[paste(y, name, sep = ".")]] <- sum((weights * v)[inside]) / (if (y == "total") 1 else sum(weights[inside]))
  }
  unlist(found)
}
for (name in names(problems)) {
  d[[paste0(name, ".linear")]] <- weigh(problems[[name]], d$base_weight)
  value <- wanted(d[[paste0(name, ".linear")]])
  z <- t(sapply(seq_len(n), function(i) {
    step <- 1e-4 * d$base_weight[i]
    up <- down <- d$base_weight; up[i] <- up[i] + step; down[i] <- down[i] - step
    d$base_weight[i] * (wanted(weigh(problems[[name]], up)) - wanted(weigh(problems[[name]], down))) / (2 * step)
  }))
  se <- sqrt(diag(svyrecvar(z, design$cluster, design$strata, design$fpc)))
  parts <- do.call(rbind, strsplit(names(value), ".", fixed = TRUE))
  estimates <- rbind(estimates, data.frame(problem = name, y = parts[, 1], domain = parts[, 2], value = unname(value), se = unname(se)))
}
save_table(d[setdiff(names(d), c("unit", "a", "e"))], "held_persons.csv")
save_table(estimates, "held_estimates.csv")
save_table(tests, "held_tests.csv")
