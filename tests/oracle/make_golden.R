# Makes awkward survey data and R survey's answers to it: Rscript make_golden.R (in this folder; needs survey, writes golden/).
# The answers are checked in; this script is their provenance and is not run by the tests.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.adjust.domain.lonely = FALSE)
set.seed(20200423, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", name), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}
pick <- function(n, codes, prob) sample(codes, n, replace = TRUE, prob = prob)

respondents <- function(n) {
  data <- data.frame(respondent_id = sprintf("r%04d", sample(9000, n)), stratum = NA, psu = NA, weight = NA)
  data$sex <- pick(n, c("F", "M", "_U"), c(.5, .47, .03))
  data$age_group <- pick(n, c("Y18T34", "Y35T54", "Y_GE55", "_U"), c(.45, .4, .12, .03))
  worked <- pick(n, c("yes", "no", NA), c(.6, .36, .04))
  data$common <- pick(n, c("yes", "no", NA), c(.5, .4, .1))
  data$rare <- ifelse(data$age_group == "Y_GE55", ifelse(data$sex == "M", "yes", "no"), pick(n, c("yes", "no", NA), c(.05, .9, .05)))
  data$worked <- worked
  data$lost <- ifelse(worked %in% "yes", pick(n, c("yes", "no", NA), c(.3, .65, .05)), NA)
  data
}

# y is 1, 0 or NA (not in the base): the three indicators that the test writes in SQL.
indicators <- list(
  common = function(d) ifelse(is.na(d$common), NA, 0 + (d$common == "yes")),
  rare = function(d) ifelse(is.na(d$rare), NA, 0 + (d$rare == "yes")),
  lost = function(d) ifelse(!(d$worked %in% "yes") | is.na(d$lost), NA, 0 + (d$lost == "yes"))
)
breakdowns <- list(character(0), "sex", c("sex", "age_group"))
columns <- c("sex", "age_group")

cells_of <- function(data, by) {
  if (!length(by)) return(data.frame(row.names = 1))
  unique(data[by])[do.call(order, unname(unique(data[by]))), , drop = FALSE]
}
# Who is in a domain: weight 0 counts for the design (n_h) and not for the domain, where "average" would count its stratum.
inside <- function(data, cell) {
  keep <- data$weight > 0
  for (name in names(cell)) keep <- keep & data[[name]] == cell[[name]]
  keep
}

estimates_of <- function(design, scenario, rule) {
  options(survey.lonely.psu = rule)
  rows <- list()
  at_scale <- sum(weights(design)) > 2 * sum(weights(design) > 0)
  for (indicator in names(indicators)) {
    design$variables$y <- indicators[[indicator]](design$variables)
    for (by in breakdowns) {
      cells <- cells_of(design$variables, by)
      for (i in seq_len(max(1, nrow(cells)))) {
        cell <- cells[i, , drop = FALSE]
        d <- design[which(inside(design$variables, cell) & !is.na(design$variables$y)), ]
        w <- weights(d); n <- sum(w > 0)
        if (n == 0) next
        y <- d$variables$y; population <- sum(w); df <- degf(d)
        m <- svymean(~y, d, deff = if (at_scale && population > n) TRUE else "replace")
        p <- coef(m)[[1]]; se <- SE(m)[[1]]; effect <- deff(m)[[1]]
        bound <- length(unique(y[w > 0])) == 1
        if (bound) {
          p <- round(p); se <- 0; effect <- NA
          ci <- if (df > 0) binom.test(sum(y[w > 0]), n)$conf.int else c(NA, NA)
          beta <- c(NA, NA)
        } else if (df > 0) {
          ci <- attr(svyciprop(~y, d, method = "xlogit", df = df), "ci")
          beta <- attr(svyciprop(~y, d, method = "beta"), "ci")
        } else ci <- beta <- c(NA, NA)
        rows[[length(rows) + 1]] <- data.frame(
          scenario, rule, indicator, breakdown = if (length(by)) paste(by, collapse = "*") else "total",
          sex = if ("sex" %in% by) cell$sex else "_T", age_group = if ("age_group" %in% by) cell$age_group else "_T",
          value = p, se, ci_low = ci[[1]], ci_high = ci[[2]], beta_low = beta[[1]], beta_high = beta[[2]], n,
          numerator_n = sum(y[w > 0]), population, deff = effect, df,
          psus = length(unique(d$cluster[w > 0, 1])))
      }
    }
  }
  do.call(rbind, rows)
}

gaps_of <- function(design, scenario, rule, n_min) {
  options(survey.lonely.psu = rule)
  rows <- list()
  for (indicator in names(indicators)) {
    design$variables$y <- indicators[[indicator]](design$variables)
    for (by in list(character(0), "age_group")) {
      cells <- cells_of(design$variables, by)
      for (i in seq_len(max(1, nrow(cells)))) {
        cell <- cells[i, , drop = FALSE]
        if (length(by) && cell[[1]] == "_U") next
        v <- design$variables
        d <- design[which(inside(v, cell) & !is.na(v$y) & v$sex %in% c("F", "M")), ]
        w <- weights(d); female <- d$variables$sex == "F"
        n <- c(sum(w > 0 & female), sum(w > 0 & !female))
        if (any(n == 0)) next
        shares <- svyby(~y, ~sex, d, svymean, covmat = TRUE)
        gap <- svycontrast(shares, c(F = 1, M = -1))
        df <- degf(d); p <- coef(shares)
        ends <- tapply(d$variables$y[w > 0], d$variables$sex[w > 0], function(y) length(unique(y)) == 1)
        exact <- all(ends)
        ratio <- limits <- c(NA, NA)
        if (p[["M"]] > 1e-12) ratio <- p[["F"]] / p[["M"]]
        if (all(p > 1e-12) && df > 0 && !exact) {
          log_ratio <- svycontrast(shares, quote(log(`F` / `M`)))
          limits <- exp(coef(log_ratio)[[1]] + c(-1, 1) * qt(.975, df) * SE(log_ratio)[[1]])
        }
        se <- if (exact) 0 else SE(gap)[[1]]
        known <- df > 0 && !exact
        rows[[length(rows) + 1]] <- data.frame(
          scenario, rule, indicator, breakdown = if (length(by)) "sex*age_group" else "sex",
          age_group = if (length(by)) cell[[1]] else "_T", women = p[["F"]], men = p[["M"]], n_women = n[1], n_men = n[2],
          gap = coef(gap)[[1]], se, ci_low = if (known) coef(gap)[[1]] - qt(.975, df) * se else NA,
          ci_high = if (known) coef(gap)[[1]] + qt(.975, df) * se else NA, df,
          p_value = if (known) 2 * pt(-abs(coef(gap)[[1]] / se), df) else NA,
          ratio = ratio[1], ratio_low = limits[1], ratio_high = limits[2])
      }
    }
  }
  table <- do.call(rbind, rows)
  table$p_adjusted <- NA
  for (name in unique(table$breakdown)) {
    tested <- table$breakdown == name & !is.na(table$p_value) & pmin(table$n_women, table$n_men) >= n_min
    table$p_adjusted[tested] <- p.adjust(table$p_value[tested], "BH")
  }
  table
}

# 1. Clustered and stratified; ids of PSUs return in every stratum; two strata with one PSU; zero weights; weights count people.
n <- 420
clustered <- respondents(n)
clustered$stratum <- pick(n, c("north", "south", "east", "isle", "camp"), c(.4, .3, .2, .06, .04))
clustered$psu <- ifelse(clustered$stratum %in% c("isle", "camp"), "1", as.character(sample(7, n, replace = TRUE)))
clustered$weight <- exp(rnorm(n, 0, .6)) * 900 * ifelse(clustered$stratum == "north", 2, 1)
clustered$weight[sample(n, 12)] <- 0
# 2. The same with PSUs so small that cells fall into one PSU, and no lonely stratum.
small <- respondents(60)
small$stratum <- pick(60, c("a", "b"), c(.5, .5))
small$psu <- as.character(sample(4, 60, replace = TRUE))
small$weight <- exp(rnorm(60, 0, .4)) * 5000
# 3. No PSUs; strata; weights normalised to the number of respondents.
normalised <- respondents(300)
normalised$stratum <- pick(300, c("1", "2", "3"), c(.5, .3, .2))
normalised$weight <- exp(rnorm(300, 0, .5)); normalised$weight <- normalised$weight / mean(normalised$weight)
# 4. No PSUs, no strata; raked to sex x age group and to sex x education, with respondents missing on either margin.
raked <- respondents(400)
raked$education <- pick(400, c("primary", "secondary", "tertiary", "_U"), c(.5, .3, .19, .01))
raked$base_weight <- exp(rnorm(400, 0, .3))
joint <- function(a, b) ifelse(a == "_U", "_U", paste(a, b, sep = "*"))  # F*_U where only the second is missing
raked$age_margin <- joint(raked$sex, raked$age_group)
raked$education_margin <- joint(raked$sex, raked$education)
targets <- rbind(
  data.frame(margin = "sex*age_group", category = c("F*Y18T34", "F*Y35T54", "F*Y_GE55", "M*Y18T34", "M*Y35T54", "M*Y_GE55"),
             total = c(310, 240, 150, 330, 235, 135) * 1000),
  # Another total, 0.3 % off: it is brought to that of the first margin.
  data.frame(margin = "sex*education", category = c("F*primary", "F*secondary", "F*tertiary", "M*primary", "M*secondary", "M*tertiary"),
             total = c(430, 190, 80, 380, 215, 105) * 1003))
fitted <- function(margin, values) {
  t <- targets[targets$margin == margin, ]
  total <- sum(targets$total[targets$margin == "sex*age_group"])
  held <- function(those, within) sum(raked$base_weight[those]) / sum(raked$base_weight[within])
  benchmark <- setNames(t$total / sum(t$total) * total * (1 - held(values == "_U", TRUE)), t$category)
  for (sex in c("F", "M")) {
    missing <- paste0(sex, "*_U"); of_sex <- startsWith(names(benchmark), sex)
    if (!any(values == missing)) next
    share <- held(values == missing, startsWith(values, sex)); people <- sum(benchmark[of_sex])
    benchmark[of_sex] <- benchmark[of_sex] * (1 - share); benchmark[missing] <- people * share
  }
  c(benchmark, "_U" = total * held(values == "_U", TRUE))
}
age <- fitted("sex*age_group", raked$age_margin); education <- fitted("sex*education", raked$education_margin)
frame <- function(name, totals) setNames(data.frame(names(totals), Freq = unname(totals)), c(name, "Freq"))
base <- svydesign(ids = ~1, weights = ~base_weight, data = raked)
by_rake <- rake(base, list(~age_margin, ~education_margin), list(frame("age_margin", age), frame("education_margin", education)),
                control = list(maxit = 3000, epsilon = 1e-13))
raked$weight <- weights(by_rake)
# calibrate() wants the base weights near the population's scale and one column per free category.
scaled <- svydesign(ids = ~1, weights = ~w0, data = transform(raked, w0 = base_weight * sum(age) / sum(base_weight)))
population <- c("(Intercept)" = sum(age))
for (margin in list(list("age_margin", age), list("education_margin", education))) {
  columns_of <- colnames(model.matrix(as.formula(paste("~", margin[[1]])), raked))[-1]
  population <- c(population, setNames(margin[[2]][sub(margin[[1]], "", columns_of, fixed = TRUE)], columns_of))
}
by_calibrate <- calibrate(scaled, ~age_margin + education_margin, population, calfun = "raking", epsilon = 1e-13, maxit = 500)
raked$calibrated <- weights(by_calibrate)
stopifnot(max(abs(raked$calibrated / raked$weight - 1)) < 1e-9)

design_of <- function(data) {
  with_psu <- !all(is.na(data$psu)); with_strata <- !all(is.na(data$stratum))
  svydesign(ids = if (with_psu) ~psu else ~1, strata = if (with_strata) ~stratum else NULL, weights = ~weight,
            data = data, nest = with_psu && with_strata)
}
data <- list(clustered = clustered, small = small, normalised = normalised, raked = raked)
runs <- rbind(data.frame(name = "clustered", rule = c("adjust", "remove", "average", "certainty")),
              data.frame(name = c("small", "normalised", "raked"), rule = "adjust"))
estimates <- gaps <- NULL
for (i in seq_len(nrow(runs))) {
  design <- design_of(data[[runs$name[i]]])
  estimates <- rbind(estimates, estimates_of(design, runs$name[i], runs$rule[i]))
  gaps <- rbind(gaps, gaps_of(design, runs$name[i], runs$rule[i], 25))
}
for (name in names(data)) save_table(data[[name]], paste0(name, ".csv"))
save_table(targets, "targets.csv")
save_table(estimates, "estimates.csv")
save_table(gaps, "gaps.csv")
cat(R.version.string, "survey", as.character(packageVersion("survey")), "\n", file = file.path("golden", "VERSION"))
