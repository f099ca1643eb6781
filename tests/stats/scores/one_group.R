# Rscript one_group.R > one_group.tsv: what R makes of trials.tsv as one group, the baseline the first of its visits.
# Versions and sources as reference.R has them.
#
# Every seventh participant, from the fourth on, has no first visit.
suppressMessages({library(nlme); library(lme4); library(pbkrtest)})
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
wide <- read.delim(file.path(here, "trials.tsv"))

long <- function(trial) {
  one <- wide[wide$trial == trial, ]
  scores <- one[paste0("score", 1:4)]
  scores <- scores[colSums(!is.na(scores)) > 0]
  one$baseline[seq(4, nrow(one), 7)] <- NA
  scores <- cbind(one$baseline, scores)
  data <- do.call(rbind, lapply(seq_along(scores), function(j) cbind(one, number = j, score = scores[[j]])))
  data <- data[!is.na(data$score), ]
  data$visit <- factor(data$number)
  data$id <- factor(data$id)
  data[order(data$id, data$number), ]
}
say <- function(trial, source, contrast, estimate, error, df, p)
  cat(paste(trial, source, contrast, format(estimate, digits = 11), format(error, digits = 11),
            format(df, digits = 9), format(p, digits = 9), sep = "\t"), sep = "\n")
rows_of <- function(n) {  # the changes, their average, all of them, and how they differ
  changes <- cbind(-1, diag(n - 1))
  rows <- lapply(seq_len(n - 1), function(j) changes[j, , drop = FALSE])
  names(rows) <- paste("change", seq_len(n - 1))
  c(rows, list(average = t(colMeans(changes)), any = changes,
               interaction = changes[-1, , drop = FALSE] - changes[rep(1, n - 2), , drop = FALSE]))
}
tight <- glsControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-12, msTol = 1e-14, opt = "nlminb")

fit_of <- function(data) gls(score ~ 0 + visit, data, corSymm(form = ~ number | id),
                             weights = varIdent(form = ~ 1 | visit), control = tight, method = "REML")
of_gls <- function(trial) {
  data <- long(trial)
  fit <- fit_of(data)
  say(trial, "gls", "loglik", as.numeric(logLik(fit)), NA, NA, NA)
  rows <- rows_of(max(data$number))
  for (name in names(rows)) if (nrow(rows[[name]]) == 1)
    say(trial, "gls", name, sum(rows[[name]] * coef(fit)), sqrt(rows[[name]] %*% vcov(fit) %*% t(rows[[name]])), NA, NA)
}

start_of <- function(data) {  # what gls found, half of its least eigenvalue being the residual variance
  fit <- fit_of(data)
  deviations <- fit$sigma * c(1, coef(fit$modelStruct$varStruct, unconstrained = FALSE))[levels(data$visit)]
  deviations[is.na(deviations)] <- fit$sigma
  correlation <- diag(length(deviations))
  correlation[lower.tri(correlation)] <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)
  correlation[upper.tri(correlation)] <- t(correlation)[upper.tri(correlation)]
  whole <- correlation * outer(deviations, deviations)
  rest <- min(eigen(whole)$values) / 2
  root <- t(chol(whole / rest - diag(nrow(whole))))
  root[lower.tri(root, diag = TRUE)]
}

of_lmer <- function(trial) {  # as reference.R does, but for where it starts
  data <- long(trial)
  start <- start_of(data)
  data$score <- data$score * 1000
  control <- lmerControl(check.nobs.vs.nRE = "ignore", check.conv.singular = "ignore", optimizer = "bobyqa",
                         optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e6))
  fit <- suppressWarnings(lmer(score ~ 0 + visit + (0 + visit | id), data, REML = TRUE, control = control,
                               start = start))
  rows <- rows_of(max(data$number))
  adjusted <- vcovAdj(fit)
  for (name in names(rows)) {
    L <- rows[[name]]
    if (nrow(L) == 1) {
      df <- get_Lb_ddf(fit, as.numeric(L))
      estimate <- sum(L * fixef(fit)); error <- sqrt(as.numeric(L %*% adjusted %*% t(L)))
      say(trial, "pbkrtest", name, estimate / 1000, error / 1000, df, 2 * pt(-abs(estimate / error), df))
    } else {
      test <- KRmodcomp(fit, L)$test["Ftest", ]
      say(trial, "pbkrtest", name, test$stat, NA, test$ddf, test$p.value)
    }
  }
}

cat("trial\tsource\tcontrast\testimate\tstandard_error\tdf\tp\n")
for (trial in c("complete", "unbalanced", "dropout")) {
  of_gls(trial)
  of_lmer(trial)
}
