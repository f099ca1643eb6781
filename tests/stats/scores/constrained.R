# Rscript constrained.R > constrained.tsv: what R makes of trials.tsv with the baseline as a score like the others, of
# which the arms have one mean. Versions and sources as reference.R has them.
#
# Every seventh participant, from the fourth on, has no baseline. "last" is the last follow-up alone.
suppressMessages({library(nlme); library(lme4); library(pbkrtest)})
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
wide <- read.delim(file.path(here, "trials.tsv"))
covariates <- list(complete = c(), unbalanced = "age", dropout = c("age", "site1", "site2"))

long <- function(trial, visits) {
  one <- wide[wide$trial == trial, ]
  scores <- one[paste0("score", 1:4)]
  scores <- scores[colSums(!is.na(scores)) > 0]
  if (visits == "last") scores <- scores[ncol(scores)]
  one$baseline[seq(4, nrow(one), 7)] <- NA
  scores <- cbind(one$baseline, scores)
  there <- rowSums(!is.na(scores)) > 0
  one <- one[there, ]
  scores <- scores[there, ]
  one$site1 <- as.numeric(one$site == 1)
  one$site2 <- as.numeric(one$site == 2)
  for (name in c("age", "site1", "site2")) one[[name]] <- one[[name]] - mean(one[[name]])
  data <- do.call(rbind, lapply(seq_along(scores), function(j) cbind(one, number = j, score = scores[[j]])))
  data <- data[!is.na(data$score), ]
  data$visit <- factor(data$number)
  data$cell <- factor(ifelse(data$number == 1, "all", paste(data$arm, data$number - 1)))
  data$id <- factor(data$id)
  data[order(data$id, data$number), ]
}
say <- function(trial, visits, structure, source, contrast, estimate, error, df)
  cat(paste(trial, visits, structure, source, contrast, format(estimate, digits = 11), format(error, digits = 11),
            format(df, digits = 9), sep = "\t"), sep = "\n")
formula_of <- function(trial, more = "")
  as.formula(paste("score ~ 0 + cell", paste(sprintf("+ visit:%s", covariates[[trial]]), collapse = " ")[length(covariates[[trial]]) > 0], more))
rows_of <- function(data, names_of) {
  arms <- sort(unique(data$arm)); followups <- seq_len(max(data$number) - 1); rows <- list()
  at <- function(arm, visit) as.numeric(names_of == paste0("cell", arm, " ", visit))
  for (arm in arms[-1]) for (visit in followups) rows[[paste("difference", arm, visit)]] <- at(arm, visit) - at(0, visit)
  for (arm in arms[-1]) rows[[paste("average", arm)]] <- Reduce(`+`, rows[paste("difference", arm, followups)]) / length(followups)
  rows
}
forms <- list(
  "unstructured" = function(d) corSymm(form = ~ number | id),
  "heterogeneous Toeplitz" = function(d) corARMA(rep(0.2, max(d$number) - 1), form = ~ number | id, p = max(d$number) - 1),
  "heterogeneous compound symmetry" = function(d) corCompSymm(0.3, form = ~ number | id)
)
tight <- glsControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-12, msTol = 1e-14, opt = "nlminb")

of_gls <- function(trial, visits, structure) {
  data <- long(trial, visits)
  fit <- do.call(gls, list(formula_of(trial), data = data, correlation = forms[[structure]](data),
                           weights = varIdent(form = ~ 1 | visit), control = tight, method = "REML"))
  say(trial, visits, structure, "gls", "loglik", as.numeric(logLik(fit)), NA, NA)
  rows <- rows_of(data, names(coef(fit)))
  for (name in names(rows))
    say(trial, visits, structure, "gls", name, sum(rows[[name]] * coef(fit)),
        sqrt(as.numeric(t(rows[[name]]) %*% vcov(fit) %*% rows[[name]])), NA)
}

of_lmer <- function(trial, visits) {  # as reference.R does
  data <- long(trial, visits)
  data$score <- data$score * 1000
  control <- lmerControl(check.nobs.vs.nRE = "ignore", check.conv.singular = "ignore", optimizer = "bobyqa",
                         optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e6))
  fit <- suppressWarnings(lmer(formula_of(trial, "+ (0 + visit | id)"), data, REML = TRUE, control = control))
  rows <- rows_of(data, names(fixef(fit)))
  adjusted <- vcovAdj(fit)
  for (name in names(rows)) {
    L <- rows[[name]]
    say(trial, visits, "unstructured", "pbkrtest", name, sum(L * fixef(fit)) / 1000,
        sqrt(as.numeric(t(L) %*% adjusted %*% L)) / 1000, get_Lb_ddf(fit, L))
  }
}

cat("trial\tvisits\tstructure\tsource\tcontrast\testimate\tstandard_error\tdf\n")
for (trial in names(covariates)) for (visits in c("all", "last")) {
  of_gls(trial, visits, "unstructured")
  of_lmer(trial, visits)
}
for (structure in names(forms)[2:3]) of_gls("dropout", "all", structure)
