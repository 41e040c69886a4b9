# Answers of R to what is made of several countries or many groups: Rscript make_golden_regional.R (in this folder; writes
# golden/regional_*.csv). Needs survey and metafor. The answers are checked in; this script is their provenance, not run by the tests.
suppressPackageStartupMessages({library(survey); library(metafor)})
options(stringsAsFactors = FALSE, survey.lonely.psu = "adjust")
set.seed(20200423, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", paste0("regional_", name, ".csv")), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}

# --- Heterogeneity: metafor on sets of two to eleven countries, alike, unlike, and with sampling variances a thousand times apart.
sets <- list()
for (k in c(2, 3, 5, 7, 11)) for (spread in c(0, 1, 10, 100)) for (draw in 1:3) {
  v <- exp(runif(k, log(1), log(if (draw == 3) 1000 else 6)))
  sets[[length(sets) + 1]] <- data.frame(set = length(sets) + 1, country = seq_len(k), y = rnorm(k, 4, sqrt(v + spread)), v = v)
}
sets <- do.call(rbind, sets)
save_table(sets, "sets")
tight <- list(threshold = 1e-11, maxiter = 100000, tol = 1e-13, tau2.max = 1e5)
answers <- do.call(rbind, lapply(split(sets, sets$set), function(s) {
  fit <- function(method, test = "adhoc") rma(s$y, s$v, method = method, test = test, control = tight)
  m <- suppressWarnings(fit("REML")); p <- predict(m)
  data.frame(set = s$set[1], k = m$k, q = m$QE, q_p = m$QEp, tau2 = m$tau2, tau2_dl = fit("DL")$tau2, tau2_pm = fit("PM")$tau2, i2 = m$I2,
             mean = c(m$beta), se = m$se, ci_low = m$ci.lb, ci_high = m$ci.ub, p_value = m$pval, prediction_low = p$pi.lb,
             prediction_high = p$pi.ub)
}))
save_table(answers, "heterogeneity")

# --- Countries together: clustered surveys, each with its own design; shares of women and of men, and their gap.
country <- function(name, n, level, scale) {
  d <- data.frame(country = name, stratum = sample(1:3, n, TRUE), psu = sample(1:9, n, TRUE), sex = sample(c("F", "M"), n, TRUE))
  d$weight <- scale * exp(rnorm(n, 0, .5))
  pull <- rnorm(27, 0, .6)[(d$stratum - 1) * 9 + d$psu]
  d$ill <- rbinom(n, 1, plogis(level + pull + .5 * (d$sex == "F")))
  d
}
people <- rbind(country("AAA", 300, -.5, 40), country("BBB", 220, .3, 900), country("CCC", 260, 1, 5))
save_table(people, "people")
design <- svydesign(~psu, strata = ~interaction(country, stratum), weights = ~weight, data = people, nest = TRUE)
domains <- expand.grid(sex = c("F", "M", "_T"), country = c("AAA", "BBB", "CCC"))
inside <- function(d) people$country == d$country & (d$sex == "_T" | people$sex == d$sex)
rows <- lapply(seq_len(nrow(domains)), function(i) inside(domains[i, ]))
value <- sapply(rows, function(r) weighted.mean(people$ill[r], people$weight[r]))
population <- sapply(rows, function(r) sum(people$weight[r]))
z <- sapply(seq_along(rows), function(j) people$weight * rows[[j]] * (people$ill - value[j]) / population[j])
covariance <- svyrecvar(z, design$cluster, design$strata, design$fpc)
df_of <- function(r) degf(design[r, ])
pooled <- function(a) {  # a: coefficients of the domains; degrees of freedom of Satterthwaite from those of each country
  own <- sapply(unique(domains$country), function(c) { i <- domains$country == c; drop(t(a[i]) %*% covariance[i, i] %*% a[i]) })
  df <- sapply(unique(domains$country), function(c) df_of(Reduce(`|`, rows[domains$country == c & a != 0])))
  list(value = sum(a * value), se = sqrt(drop(t(a) %*% covariance %*% a)), df = sum(own)^2 / sum(own^2 / df))
}
shares <- function(rule, sex) { i <- domains$sex == sex; w <- if (rule == "simple_mean") rep(1, 3) else population[i]; a <- numeric(9); a[i] <- w / sum(w); a }
regional <- do.call(rbind, lapply(c("population_weighted", "simple_mean"), function(rule) {
  of_sex <- do.call(rbind, lapply(c("F", "M", "_T"), function(sex) {
    p <- pooled(shares(rule, sex)); logit <- qlogis(p$value); reach <- qt(.975, p$df) * p$se / (p$value * (1 - p$value))
    data.frame(aggregation = rule, sex = sex, value = p$value, se = p$se, df = p$df, ci_low = plogis(logit - reach), ci_high = plogis(logit + reach))
  }))
  g <- pooled(shares(rule, "F") - shares(rule, "M")); reach <- qt(.975, g$df) * g$se
  rbind(of_sex, data.frame(aggregation = rule, sex = "F-M", value = g$value, se = g$se, df = g$df, ci_low = g$value - reach, ci_high = g$value + reach))
}))
save_table(regional, "pooled")

# --- Groups of country AAA: distance of each from everybody, with limits for all at once.
one <- subset(people, country == "AAA")
one$age <- sample(c("young", "old"), nrow(one), TRUE)
young <- one$age == "young"  # far apart, so that limits of ranks exclude some
one$ill[young] <- rbinom(sum(young), 1, ifelse(one$sex[young] == "F", .95, .1))
save_table(one, "one")
design <- svydesign(~psu, strata = ~stratum, weights = ~weight, data = one, nest = TRUE)
groups <- list(`F*_T` = one$sex == "F", `M*_T` = one$sex == "M", `F*young` = one$sex == "F" & one$age == "young",
               `F*old` = one$sex == "F" & one$age == "old", `M*young` = one$sex == "M" & one$age == "young",
               `M*old` = one$sex == "M" & one$age == "old")
everybody <- svymean(~ill, design)
z_of <- function(r) { p <- weighted.mean(one$ill[r], one$weight[r]); r * (one$ill - p) / sum(one$weight[r]) }
m <- length(groups)
behind <- do.call(rbind, lapply(names(groups), function(g) {
  r <- groups[[g]]; within <- design[r, ]; df <- degf(within)
  share <- svyciprop(~ill, within, method = "xlogit", level = 1 - .05 / m, df = df)
  gap <- coef(share)[[1]] - coef(everybody)[[1]]
  se <- SE(svytotal(z_of(r) - z_of(rep(TRUE, nrow(one))), design))[[1]]
  p <- coef(share)[[1]]; total <- coef(everybody)[[1]]  # never less than the error under everybody's share
  careful <- se * sqrt(max(1, total * (1 - total) / (p * (1 - p))))
  reach <- qt(1 - .025 / m, df) * careful
  data.frame(group = g, value = coef(share)[[1]], ci_low = confint(share)[1], ci_high = confint(share)[2], gap = gap, gap_se = se,
             gap_low = gap - reach, gap_high = gap + reach, p_adjusted = min(1, m * 2 * pt(-abs(gap / careful), df)))
}))
behind$rank <- rank(-behind$value)
behind$rank_low <- sapply(seq_len(m), function(i) 1 + sum(behind$ci_low > behind$ci_high[i]))
behind$rank_high <- sapply(seq_len(m), function(i) m - sum(behind$ci_high < behind$ci_low[i]))
save_table(behind, "behind")
