# The gender table by R survey, the fastest way we know: all indicators in one svyby(), design effects by hand
# (deff = TRUE over 40 variables takes minutes). With missing answers that way is closed, because na.rm = TRUE over several
# variables drops respondents listwise: each indicator then takes its own svyby() over those who answered it.
#
# Rscript peer_survey.R respondents.csv folder   writes folder/r_estimates.csv and folder/r_gaps.csv, prints seconds, CPU seconds
suppressMessages({library(survey); library(data.table)})
args <- commandArgs(TRUE)
setDTthreads(2)
data <- fread(args[1], na.strings = "", colClasses = list(character = c("survey_id", "stratum", "psu")))
indicators <- grep("^i[0-9]+$", names(data), value = TRUE)
others <- setdiff(names(data), c("survey_id", "respondent_id", "stratum", "psu", "weight", "sex", indicators))
breakdowns <- c(list(character(0), "sex"), lapply(others, function(name) c("sex", name)))
data <- as.data.frame(data)
for (name in c("sex", others)) data[[name]] <- factor(data[[name]])

table_of <- function(design, by, asked) {
  people <- design$variables
  formula <- as.formula(paste("~", paste(asked, collapse = "+")))
  if (!length(by)) {
    fit <- svymean(formula, design)
    cells <- "all"; key <- rep("all", nrow(people))
  } else {
    fit <- svyby(formula, as.formula(paste("~", paste(by, collapse = "+"))), design, svymean, covmat = TRUE)
    cells <- rownames(fit); key <- as.character(interaction(people[by], sep = "."))
  }
  V <- vcov(fit); p <- matrix(coef(fit), length(cells)); se <- matrix(sqrt(diag(V)), length(cells))
  n <- as.numeric(table(key)[cells]); N <- as.numeric(tapply(people$weight, key, sum)[cells])
  df <- sapply(cells, function(cell) degf(design[key == cell, ]))
  reach <- qt(.975, df) * se / (p * (1 - p))
  rows <- data.table(indicator = rep(asked, each = length(cells)), breakdown = if (length(by)) paste(by, collapse = "*") else "total",
                     cell = rep(cells, length(asked)), value = c(p), se = c(se), ci_low = c(plogis(qlogis(p) - reach)),
                     ci_high = c(plogis(qlogis(p) + reach)), n = rep(n, length(asked)),
                     deff = c(se^2 / (p * (1 - p) / (n - 1) * (1 - n / N))), df = rep(df, length(asked)))
  if (!length(by)) return(list(rows, NULL))
  women <- grep("^F", cells); men <- match(sub("^F", "M", cells[women]), cells)
  at <- function(cell) c(outer(cell, (seq_along(asked) - 1) * length(cells), "+"))
  f <- at(women); m <- at(men)
  gaps <- data.table(indicator = rep(asked, each = length(women)), breakdown = rows$breakdown[1],
                     cell = rep(sub("^F\\.?", "", cells[women]), length(asked)), gap = c(p)[f] - c(p)[m],
                     se = sqrt(diag(V)[f] + diag(V)[m] - 2 * V[cbind(f, m)]))
  list(rows, gaps)
}

survey_table <- function(people) {
  design <- svydesign(ids = ~psu, strata = ~stratum, weights = ~weight, data = people, nest = TRUE)
  if (!anyNA(people[indicators])) return(lapply(breakdowns, function(by) table_of(design, by, indicators)))
  unlist(lapply(indicators, function(one) {
    answered <- design[!is.na(people[[one]]), ]
    lapply(breakdowns, function(by) table_of(answered, by, one))
  }), recursive = FALSE)
}

surveys <- split(data, data$survey_id)
rm(data); invisible(gc(FALSE))
time <- system.time(tables <- lapply(surveys, survey_table))
for (part in 1:2) {
  rows <- rbindlist(lapply(tables, function(one) rbindlist(lapply(one, `[[`, part))), idcol = "survey_id")
  fwrite(rows, file.path(args[2], c("r_estimates.csv", "r_gaps.csv")[part]))
}
cat(time[["elapsed"]], time[["user.self"]] + time[["sys.self"]], "\n")
