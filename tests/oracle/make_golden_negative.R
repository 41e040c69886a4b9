# Makes survey data with weights that linear calibration made negative, and R survey's estimates from them:
# Rscript make_golden_negative.R (in this folder; needs survey, writes golden/negative_*). Not run by the tests.
#
# negative_people.csv     respondent_id, stratum, psu, base_weight, sex, age_group (margins: sex*age_group, residence), residence,
#   region (a domain that is no margin), income (the continuous margin), common (yes, no, empty), amount; weights after
#   calibrate(calfun = "linear"): `margins` of the two margins, `with_income` of income besides.
# negative_estimates.csv  design (clustered, plain), weight, statistic (total, mean, gap: women minus men), y, region (`_T`: everybody),
#   value, se, n (respondents with a known y and a weight other than 0), df (degf of the domain of those who answered)
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.lonely.psu = "fail")
set.seed(19921201, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", name), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}
n <- 240
pick <- function(codes, prob) sample(codes, n, replace = TRUE, prob = prob)
d <- data.frame(respondent_id = sprintf("r%03d", 1:n), stratum = pick(c("a", "b"), c(.6, .4)), psu = as.character(sample(8, n, TRUE)),
                base_weight = exp(rnorm(n, 0, .5)), sex = pick(c("F", "M"), c(.25, .75)), age_group = pick(c("young", "old"), c(.8, .2)),
                residence = pick(c("U", "R"), c(.8, .2)), region = pick(c("north", "south", "isles"), c(.5, .44, .06)))
d$income <- round(exp(rnorm(n, 5, .6)), 2)
d$common <- ifelse(runif(n) < .1, NA, ifelse(runif(n) < plogis(-.3 + .9 * (d$sex == "F")), "yes", "no"))
d$amount <- ifelse(runif(n) < .05, NA, round(exp(rnorm(n, 3, .4)) + .02 * d$income, 2))
d <- d[order(d$stratum, d$psu, d$respondent_id), ]

# The population: mostly rural, and old women, whom the sample hardly has.
population <- 10000
totals <- c(F.old = 3200, F.young = 2300, M.old = 1900, M.young = 2600, R = 8400)
of <- paste(d$sex, d$age_group, sep = ".")
for (name in names(totals)) d[[paste0("x", name)]] <- 0 + (if (name == "R") d$residence == "R" else of == name)
d$w0 <- d$base_weight * population / sum(d$base_weight)

rows <- NULL
for (design_name in c("clustered", "plain")) {
  base <- if (design_name == "plain") svydesign(~1, weights = ~w0, data = d) else
    svydesign(~psu, strata = ~stratum, weights = ~w0, data = d, nest = TRUE)
  for (weight in c("margins", "with_income")) {
    wanted <- setNames(totals, paste0("x", names(totals)))
    if (weight == "with_income") wanted <- c(wanted, income = population * 230)
    design <- calibrate(base, as.formula(paste("~ 0 +", paste(names(wanted), collapse = "+"))), wanted, calfun = "linear",
                        epsilon = 1e-13)
    d[[weight]] <- unname(weights(design))
    cat(design_name, weight, "negative:", sum(weights(design) < 0), "of", n, "\n")
    add <- function(statistic, y, region, found, inside) rows <<- rbind(rows, data.frame(
      design = design_name, weight, statistic, y, region, value = coef(found)[[1]], se = SE(found)[[1]],
      n = sum(weights(inside) != 0), df = degf(inside)))
    for (y in c("common", "amount")) for (region in c("_T", "north", "south", "isles")) {
      known <- !is.na(d[[y]]) & (region == "_T" | d$region == region)
      v <- if (y == "common") 0 + (d$common == "yes") else d$amount
      design$variables$y <- ifelse(is.na(v), 0, v)
      design$variables <- transform(design$variables, yF = y * (sex == "F"), nF = 0 + (sex == "F"), yM = y * (sex == "M"),
                                    nM = 0 + (sex == "M"))
      inside <- design[which(known), ]
      add("total", y, region, svytotal(~y, inside), inside)
      add("mean", y, region, svymean(~y, inside), inside)
      add("gap", y, region, svycontrast(svytotal(~yF + nF + yM + nM, inside), quote(yF / nF - yM / nM)), inside)
    }
    add("total", "fixed", "_T", svytotal(~xF.old, design), design)
  }
}
save_table(d[c("respondent_id", "stratum", "psu", "base_weight", "sex", "age_group", "residence", "region", "income", "common", "amount",
               "margins", "with_income")], "negative_people.csv")
save_table(rows, "negative_estimates.csv")
