# NCHS presentation standards for proportions on awkward domains, decided in R: Rscript make_golden_reliability.R (in this folder;
# needs survey, writes golden/reliability.csv). The answers are checked in; the tests need no R.
#
# The package that has these rules, CDC's surveytable, is not installed with R survey. Written out here are its documented rules, in its
# order: the interval of svyciprop_adjusted(adj = "nchs") and the conditions of .lpe_percents (github.com/CDCgov/surveytable,
# R/svyciprop_adjusted.R and R/z_lpe.R), after Parker et al. 2017, Vital and Health Statistics 2(175).
# Where degrees of freedom are 0 surveytable takes an effective sample of 0; such domains are left out.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.lonely.psu = "adjust", survey.adjust.domain.lonely = FALSE)
set.seed(20170801, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

decide <- function(design, scenario, domain) {
  n <- nrow(design); y <- design$variables$y
  m <- svymean(~y, design); p <- coef(m)[[1]]; v <- vcov(m)[1, 1]; df <- degf(design)
  if (df < 1 || n < 2) return(NULL)
  bound <- sum(y) == 0 || sum(y) == n
  if (bound) p <- mean(y) # exactly 0 or 1, which sums of weights may miss by rounding
  n_eff <- p * (1 - p) / v
  ratio <- (qt(.025, n - 1) / qt(.025, df))^2
  size <- if (p > 0 && p < 1) min(n, n_eff * ratio) else n
  low <- qbeta(.025, size * p, size * (1 - p) + 1); high <- qbeta(.975, size * p + 1, size * (1 - p))
  width <- high - low
  if (bound) { n_eff <- n; width <- 0 }
  if (n_eff > n) n_eff <- n
  rule <- if (n_eff < 30) "n_effective" else if (width <= .05) "narrow" else if (width >= .30) "wide" else if (width / p > 1.30) "relative" else "passed"
  shown <- rule %in% c("narrow", "passed")
  review <- c(if (rule == "passed" && width / (1 - p) > 1.30) "complement", if (shown && df < 8) "df", if (shown && bound) "bound")
  data.frame(scenario = scenario, domain = domain, p = p, se = if (bound) 0 else sqrt(v), n = n, df = df, n_effective = n_eff,
             width = width, rule = rule, review = paste(review, collapse = ","))
}

# Domains of many sizes and shares: simple samples, clusters, a few PSUs.
rows <- list()
for (scenario in c("plain", "clustered", "few_psus")) {
  size <- 12000
  data <- data.frame(w = exp(rnorm(size, 0, if (scenario == "plain") .1 else .5)), stratum = sample(5, size, TRUE))
  data$psu <- if (scenario == "plain") seq_len(size) else if (scenario == "clustered") sample(300, size, TRUE) else data$stratum * 10 + sample(2, size, TRUE)
  effect <- rnorm(400, 0, .6)
  domain <- 0
  for (n in c(20, 31, 35, 45, 60, 90, 150, 300, 800, 2500)) for (share in c(0, .004, .02, .06, .15, .3, .5, .8, .9, .95, .985, 1)) {
    domain <- domain + 1
    inside <- sample(size, n)
    chance <- if (share %in% c(0, 1)) rep(share, n) else plogis(qlogis(share) + if (scenario == "plain") 0 else effect[data$psu[inside] %% 400 + 1])
    data$y <- NA; data$y[inside] <- rbinom(n, 1, chance)
    design <- svydesign(~psu, strata = if (scenario == "plain") NULL else ~stratum, weights = ~w, data = data, nest = TRUE)
    rows[[length(rows) + 1]] <- decide(subset(design, !is.na(y)), scenario, domain)
  }
}
table <- do.call(rbind, rows)
print(table(table$rule, table$review))
for (name in c("p", "se", "n_effective", "width")) table[[name]] <- sprintf("%.17g", table[[name]])
write.table(table, file.path("golden", "reliability.csv"), sep = ",", row.names = FALSE, quote = TRUE)
