# Raking by R survey's rake(), its defaults: Rscript peer_rake.R people.csv targets.csv weights.csv   prints seconds, CPU seconds.
# The design is made, and the data read, before the clock starts; nothing is written while it runs.
suppressMessages({library(survey); library(data.table)})
args <- commandArgs(TRUE)
setDTthreads(2)
people <- as.data.frame(fread(args[1]))
targets <- as.data.frame(fread(args[2]))
names <- unique(targets$margin)
for (name in names) people[[name]] <- factor(people[[name]])
design <- svydesign(ids = ~1, weights = ~base_weight, data = people)
totals <- lapply(names, function(name) {
  one <- targets[targets$margin == name, ]
  setNames(data.frame(one$category, one$total), c(name, "Freq"))
})
margins <- lapply(names, function(name) as.formula(paste("~", name)))
invisible(gc(FALSE))
time <- system.time(raked <- rake(design, margins, totals))
fwrite(data.frame(weight = weights(raked)), args[3])
cat(time[["elapsed"]], time[["user.self"]] + time[["sys.self"]], "\n")
