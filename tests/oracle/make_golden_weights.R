# Makes survey data, benchmarks, and R survey's calibrated weights, estimates and standard errors from calibrated designs:
# Rscript make_golden_weights.R (in this folder; needs survey, writes golden/calibrated_*). Not run by the tests.
#
# calibrated_clustered.csv, calibrated_plain.csv   persons: respondent_id, stratum, psu (both empty in plain), base_weight, sex,
#   age_group, education, residence (margins), region (a domain that is no margin), income (the continuous margin, all known),
#   common (yes, no or empty: not asked), amount (a number or empty). Base weights are not at the population's scale.
#   Then a column of final weights per problem and method: `crossed.raking`, ...
# calibrated_targets.csv    problem, margin (`sex*age_group` is a crossing; category `_T`: the total of a number), category, total
# calibrated_problems.csv   data, problem, method (raking, linear, logit, poststratification; truncated is linear with bounds), low,
#   high: bounds on weight over base weight, the base weights being brought to the population
# calibrated_estimates.csv  data, problem, method, statistic, y, by, domain, value, se, n (respondents with a known y in the domain)
#   statistic: total (of y among those who answered; of a category of a margin where y is `margin=category`), mean (share for common),
#   gap (women minus men). by and domain: `_T` for everybody, else sex, region, sex*region and F, north, F*north.
#   Standard errors are those of a domain of the calibrated design (never a design made of the domain): calibrate() for all methods
#   but poststratification, which is postStratify(). Gaps are svyglm(y ~ sex)'s, because svyby(covmat = TRUE) fails on calibrated
#   designs. rake() pins weights only: its standard errors are not calibrate()'s.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.lonely.psu = "fail")
set.seed(19920601, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

number <- function(x) ifelse(is.na(x), "", sprintf("%.17g", as.numeric(x)))
save_table <- function(table, name) {
  for (column in names(table)) if (is.numeric(table[[column]])) table[[column]] <- number(table[[column]])
  write.table(table, file.path("golden", name), sep = ",", row.names = FALSE, quote = FALSE, na = "")
}
pick <- function(n, codes, prob) sample(codes, n, replace = TRUE, prob = prob)
population_size <- 1e6

persons <- function(n) {
  d <- data.frame(respondent_id = sprintf("r%05d", sample(90000, n)), stratum = NA, psu = NA)
  d$base_weight <- exp(rnorm(n, 0, .4))
  d$sex <- pick(n, c("F", "M"), c(.45, .55))
  d$age_group <- pick(n, c("Y18T24", "Y25T34", "Y35T54", "Y_GE55"), c(.3, .35, .25, .1))
  d$education <- pick(n, c("primary", "secondary", "tertiary"), c(.35, .4, .25))
  d$residence <- pick(n, c("U", "R"), c(.6, .4))
  d$region <- pick(n, c("north", "south", "isles"), c(.5, .4, .1))
  d$income <- round(exp(rnorm(n, 5, .7) + .4 * (d$education == "tertiary")), 2)
  d$common <- ifelse(runif(n) < .1, NA, ifelse(runif(n) < plogis(-.5 + .8 * (d$sex == "F") + .6 * (d$residence == "R")), "yes", "no"))
  d$amount <- ifelse(runif(n) < .07, NA, round(exp(rnorm(n, 3, .5)) + .02 * d$income + 3 * (d$sex == "M"), 2))
  d
}
clustered <- persons(520)
clustered$stratum <- pick(520, c("a", "b", "c"), c(.5, .3, .2))
clustered$psu <- as.character(sample(9, 520, replace = TRUE))
clustered <- clustered[order(clustered$stratum, clustered$psu, clustered$respondent_id), ]
clustered$common[clustered$psu == "1" & clustered$stratum == "a"] <- "yes"
data <- list(clustered = clustered, plain = persons(400))

categories <- function(d, margin) do.call(paste, c(unname(d[strsplit(margin, "*", fixed = TRUE)[[1]]]), sep = "*"))
problems <- list(
  crossed = list(margins = c("sex*age_group", "sex*education"), numbers = character(0)),
  four = list(margins = c("sex", "age_group", "education", "residence"), numbers = character(0)),
  income = list(margins = c("sex*age_group", "residence"), numbers = "income"),
  post = list(margins = "sex*age_group*residence", numbers = character(0)))

# A population in which women, older and rural people are more than in the sample: what the benchmarks count.
people <- persons(20000)
tilt <- exp(.4 * (people$sex == "F") + .35 * (people$age_group == "Y_GE55") + .3 * (people$residence == "R") -
            .4 * (people$education == "tertiary"))
tilt <- tilt / sum(tilt) * population_size
targets <- do.call(rbind, lapply(names(problems), function(problem) {
  rows <- lapply(problems[[problem]]$margins, function(margin) {
    total <- tapply(tilt, categories(people, margin), sum)
    data.frame(problem, margin, category = names(total), total = as.numeric(total))
  })
  numbers <- lapply(problems[[problem]]$numbers, function(name)
    data.frame(problem, margin = name, category = "_T", total = sum(tilt * people[[name]])))
  do.call(rbind, c(rows, numbers))
}))

# Indicators of all categories, then numbers; of those only independent columns, for calibrate().
columns_of <- function(d, problem) {
  t <- targets[targets$problem == problem, ]
  x <- sapply(seq_len(nrow(t)), function(i)
    if (t$category[i] == "_T") d[[t$margin[i]]] else 0 + (categories(d, t$margin[i]) == t$category[i]))
  q <- qr(x)
  kept <- sort(q$pivot[seq_len(q$rank)])
  list(x = x[, kept], totals = t$total[kept])
}
calibrated <- function(design, problem, method, bounds) {
  d <- design$variables
  if (method == "poststratification") {
    t <- targets[targets$problem == problem, ]
    design$variables$cell <- categories(d, t$margin[1])
    return(postStratify(design, ~cell, data.frame(cell = t$category, Freq = t$total)))
  }
  columns <- columns_of(d, problem)
  names <- paste0("x", seq_along(columns$totals))
  for (i in seq_along(names)) design$variables[[names[i]]] <- columns$x[, i]
  calibrate(design, as.formula(paste("~ 0 +", paste(names, collapse = "+"))), setNames(columns$totals, names),
            calfun = switch(method, truncated = "linear", method), bounds = bounds, epsilon = 1e-13, maxit = 1000)
}
ways <- list(raking = c(0, Inf), linear = c(-Inf, Inf), logit = c(.35, 2.8), truncated = NULL)
# Truncated: a little inside what linear calibration gives, so that some respondents are at each bound.
inside_of <- function(g) c(ceiling(1040 * min(g)) / 1000, floor(975 * max(g)) / 1000)
runs <- rbind(expand.grid(method = names(ways), problem = c("crossed", "four", "income"), data = names(data)),
              data.frame(method = "poststratification", problem = "post", data = names(data)))
runs[] <- lapply(runs, as.character)

estimates_of <- function(design, problem) {
  rows <- list()
  add <- function(statistic, y, by, domain, value, se, n)
    rows[[length(rows) + 1]] <<- data.frame(statistic, y, by, domain, value, se, n)
  v <- design$variables
  for (margin in problems[[problem]]$margins) for (category in sort(unique(categories(v, margin)))) {
    design$variables$inside <- 0 + (categories(v, margin) == category)
    total <- svytotal(~inside, design)
    add("total", paste(margin, category, sep = "="), "_T", "_T", coef(total)[[1]], SE(total)[[1]], sum(design$variables$inside))
  }
  for (y in c("common", "amount")) {
    design$variables$y <- if (y == "common") 0 + (v$common == "yes") else v$amount
    for (by in c("_T", "sex", "region", "sex*region")) {
      of <- if (by == "_T") rep("_T", nrow(v)) else categories(v, by)
      for (domain in sort(unique(of))) {
        inside <- design[which(of == domain & !is.na(design$variables$y)), ]
        inside$variables$y[is.na(inside$variables$y)] <- 0  # weight 0: a domain of a calibrated design keeps everybody
        n <- nrow(inside$variables[weights(inside) != 0, ])
        for (statistic in c("total", "mean")) {
          found <- (if (statistic == "total") svytotal else svymean)(~y, inside)
          add(statistic, y, by, domain, coef(found)[[1]], SE(found)[[1]], n)
        }
        if (by %in% c("_T", "region")) {
          inside$variables$woman <- 0 + (inside$variables$sex == "F")
          gap <- svyglm(y ~ woman, inside)
          add("gap", y, by, domain, coef(gap)[["woman"]], SE(gap)[["woman"]], n)
        }
      }
    }
  }
  do.call(rbind, rows)
}

estimates <- NULL
for (i in seq_len(nrow(runs))) {
  run <- runs[i, ]; d <- data[[run$data]]
  d <- d[!grepl(".", names(d), fixed = TRUE)]
  d$w0 <- d$base_weight * population_size / sum(d$base_weight)
  with_psu <- !all(is.na(d$psu))
  base <- svydesign(ids = if (with_psu) ~psu else ~1, strata = if (with_psu) ~stratum else NULL, weights = ~w0, data = d, nest = with_psu)
  bounds <- if (run$method == "poststratification") c(0, Inf) else ways[[run$method]]
  if (run$method == "truncated") bounds <- unname(inside_of(last_linear))
  design <- calibrated(base, run$problem, run$method, bounds)
  weight <- weights(design); g <- weight / d$w0
  if (run$method == "linear") last_linear <- g
  cat(sprintf("%-10s %-8s %-18s g %.3f to %.3f, at bounds %d\n", run$data, run$problem, run$method, min(g), max(g),
              sum(g <= bounds[1] + 1e-9 | g >= bounds[2] - 1e-9)))
  if (run$method == "truncated") stopifnot(any(g <= bounds[1] + 1e-9) && any(g >= bounds[2] - 1e-9))
  if (run$method == "raking" && !length(problems[[run$problem]]$numbers)) {
    margins <- lapply(problems[[run$problem]]$margins, function(margin) {
      t <- targets[targets$problem == run$problem & targets$margin == margin, ]
      setNames(data.frame(t$category, t$total), c(paste0("m_", match(margin, problems[[run$problem]]$margins)), "Freq"))
    })
    raked <- base
    for (m in seq_along(margins)) raked$variables[[paste0("m_", m)]] <- categories(d, problems[[run$problem]]$margins[m])
    raked <- rake(raked, lapply(seq_along(margins), function(m) as.formula(paste0("~m_", m))), margins,
                  control = list(maxit = 3000, epsilon = 1e-13))
    cat("   furthest from rake()", max(abs(weights(raked) / weight - 1)), "\n")
    stopifnot(max(abs(weights(raked) / weight - 1)) < 1e-10)
  }
  key <- data.frame(data = run$data, problem = run$problem, method = run$method)
  data[[run$data]][[paste(run$problem, run$method, sep = ".")]] <- unname(weight)
  estimates <- rbind(estimates, cbind(key, estimates_of(design, run$problem)))
  runs$low[i] <- if (run$method %in% c("logit", "truncated")) bounds[1] else NA
  runs$high[i] <- if (run$method %in% c("logit", "truncated")) bounds[2] else NA
}
for (name in names(data)) save_table(data[[name]], paste0("calibrated_", name, ".csv"))
save_table(targets, "calibrated_targets.csv")
save_table(runs[c("data", "problem", "method", "low", "high")], "calibrated_problems.csv")
save_table(estimates, "calibrated_estimates.csv")
