# R survey's changes between two rounds: Rscript make_golden_changes.R (in this folder; after make_data_changes.py; writes
# golden/changes_answers.csv, and the calibrated weights into golden/changes_weights.csv). Not run by the tests.
#   changes_panel.csv   two rounds of a panel: a person is the PSU, the same in both; some took part once
#   changes_psus.csv    two rounds of different people in the same PSUs; some PSUs in one round only
#   changes_apart.csv   independent rounds, the earlier without PSUs: strata tell the rounds apart
# Answers: change of a level (svyby of svymean with its covariance, svycontrast) and of the gap women - men (the four of them); for
# the calibrated panel, on whose designs svyby(covmat = TRUE) fails, svyglm(y ~ round) in the domain and the interaction of
# svyglm(y ~ round * sex). df: degf of those who answered in either round; of independent rounds also Welch-Satterthwaite.
suppressPackageStartupMessages(library(survey))
options(stringsAsFactors = FALSE, survey.lonely.psu = "adjust")
number <- function(x) { x <- as.numeric(x); ifelse(is.na(x), "", sprintf("%.17g", x)) }
read <- function(name) read.csv(file.path("golden", paste0("changes_", name, ".csv")), na.strings = "",
                                colClasses = c(panel_id = "character", stratum = "character", psu = "character"))
panel <- read("panel"); psus <- read("psus"); apart <- read("apart")
panel$unit <- panel$panel_id
apart$unit <- ifelse(is.na(apart$psu), paste("r", seq_len(nrow(apart))), apart$psu)
apart$all <- paste(apart$round, apart$stratum)
designs <- list(
  panel = svydesign(~unit, weights = ~weight, data = panel),
  psus = svydesign(~psu, strata = ~stratum, weights = ~weight, data = psus, nest = TRUE),
  apart = svydesign(~unit, strata = ~all, weights = ~weight, data = apart, nest = TRUE))

# Calibrated apart, by round: sex and age, a missing category being one.
panel$margin_1 <- paste(panel$round, ifelse(is.na(panel$sex), "_U", panel$sex))
panel$margin_2 <- paste(panel$round, ifelse(is.na(panel$age_group), "_U", panel$age_group))
design <- svydesign(~unit, weights = ~weight, data = panel)
x <- cbind(model.matrix(~0 + margin_1, panel), model.matrix(~0 + margin_2, panel))
x <- x[, qr(x)$pivot[seq_len(qr(x)$rank)]]; colnames(x) <- paste0("x", seq_len(ncol(x)))
set.seed(5)
# Feasible totals: those of weights that differ from the base by category.
tilt <- panel$weight * exp(.5 * (panel$sex %in% "F") - .4 * (panel$age_group %in% "younger"))
totals <- colSums(tilt * x)
design <- update(design, x)
design$variables <- cbind(panel, x)
designs$calibrated <- calibrate(design, as.formula(paste("~0+", paste(colnames(x), collapse = "+"))), totals, calfun = "raking",
                                epsilon = 1e-13, maxit = 500)
weights <- data.frame(panel[c("round", "panel_id", "margin_1", "margin_2")], weight = number(weights(designs$calibrated)))
write.csv(weights, "golden/changes_weights.csv", row.names = FALSE, quote = FALSE)

answers <- NULL
for (data in names(designs)) for (y in c("ill", "hardship")) {
  d <- designs[[data]]
  d$variables$y <- d$variables[[y]]
  for (domain in c("_T", "F", "M", "older", "F*older", "gap", "gap older")) {
    v <- d$variables
    inside <- !is.na(v$y)
    if (grepl("older", domain)) inside <- inside & v$age_group %in% "older"
    if (grepl("^F", domain)) inside <- inside & v$sex %in% "F"
    if (domain == "M") inside <- inside & v$sex %in% "M"
    gap <- grepl("gap", domain)
    if (gap) inside <- inside & v$sex %in% c("F", "M")
    s <- d[which(inside), ]
    if (data == "calibrated") {
      # The domain of a calibrated design keeps everybody, with weight 0: y must be known.
      s$variables$y[is.na(s$variables$y)] <- 0; s$variables$sex[is.na(s$variables$sex)] <- "M"
      fit <- if (gap) svyglm(y ~ round * I(sex == "F"), s) else svyglm(y ~ round, s)
      at <- if (gap) 4 else 2
      change <- coef(fit)[at]; se <- sqrt(vcov(fit)[at, at])
    } else if (gap) {
      by <- svyby(~y, ~round + sex, s, svymean, covmat = TRUE)
      fit <- svycontrast(by, list(change = c("earlier.F" = -1, "later.F" = 1, "earlier.M" = 1, "later.M" = -1)))
      change <- coef(fit); se <- SE(fit)
    } else {
      by <- svyby(~y, ~round, s, svymean, covmat = TRUE)
      fit <- svycontrast(by, list(change = c("earlier" = -1, "later" = 1)))
      change <- coef(fit); se <- SE(fit)
    }
    shown <- v[inside, ]
    units <- function(r) unique(paste(shown$stratum, if (is.null(shown$unit)) shown$psu else shown$unit)[shown$round == r])
    # degf of a calibrated design counts everybody: of the same respondents without calibration.
    df <- degf(designs[[if (data == "calibrated") "panel" else data]][which(inside), ])
    welch <- NA
    if (data == "apart") {
      parts <- sapply(c("earlier", "later"), function(r) {
        o <- s[which(s$variables$round == r), ]
        se <- if (gap) SE(svycontrast(svyby(~y, ~sex, o, svymean, covmat = TRUE), c(F = 1, M = -1))) else SE(svymean(~y, o))
        c(se^2, degf(o)) })
      welch <- sum(parts[1, ])^2 / sum(parts[1, ]^2 / parts[2, ])
    }
    answers <- rbind(answers, data.frame(data, y, domain, change = number(change), se = number(se), df, welch = number(welch),
      n_earlier = sum(inside & v$round == "earlier"), n_later = sum(inside & v$round == "later"),
      overlap = length(intersect(units("earlier"), units("later")))))
  }
}
write.csv(answers, "golden/changes_answers.csv", row.names = FALSE, quote = FALSE, na = "")
print(answers)
