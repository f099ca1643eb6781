# Rscript reference.R > reference.tsv: what R makes of trials.tsv, in long form.
# R 4.2.2, nlme 3.1.162 (gls), emmeans 1.8.4, lme4 1.1.31, pbkrtest 0.5.2, lmerTest 3.1.3.
#
# gls         estimate, standard error that is not adjusted, and restricted log-likelihood. AR(M - 1) spans all
#             correlations by distance of M visits, and is the Toeplitz form.
# emmeans     the same with degrees of freedom by Satterthwaite, whose derivatives emmeans approximates by random
#             perturbations of the scores: good to a few percent.
# pbkrtest    standard error and degrees of freedom of Kenward and Roger, of lmer. For unstructured visits a random
#             effect for each visit with a residual variance beside is one parameter too many, but the same covariance;
#             pbkrtest takes the generalized inverse of the information, for which the scores are multiplied, as it does
#             so below an absolute limit only. Compound symmetry is a random intercept.
# lmerTest    degrees of freedom by Satterthwaite, of compound symmetry.
# F rows      several rows at once, all differences, or (interaction) theirs from those of the first visit: estimate is
#             the scaled F, standard_error its scale, df the denominator's.
suppressMessages({library(nlme); library(emmeans); library(lme4); library(pbkrtest); library(lmerTest)})
options(digits = 12)
set.seed(1)  # emmeans perturbs the scores at random
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
wide <- read.delim(file.path(here, "trials.tsv"))

long <- function(trial) {
  one <- wide[wide$trial == trial, ]
  scores <- one[paste0("score", 1:4)]
  scores <- scores[colSums(!is.na(scores)) > 0]
  one <- one[rowSums(!is.na(scores)) > 0, ]
  scores <- scores[rowSums(!is.na(scores)) > 0, ]
  one$site1 <- as.numeric(one$site == 1)
  one$site2 <- as.numeric(one$site == 2)
  for (name in c("baseline", "age", "site1", "site2")) one[[name]] <- one[[name]] - mean(one[[name]])
  data <- do.call(rbind, lapply(seq_along(scores), function(j) cbind(one, number = j, score = scores[[j]])))
  data <- data[!is.na(data$score), ]
  data$visit <- factor(data$number)
  data$arm <- factor(data$arm)
  data$id <- factor(data$id)
  data[order(data$id, data$number), ]
}
say <- function(trial, structure, source, contrast, estimate, error, df)
  cat(paste(trial, structure, source, contrast, format(estimate, digits = 11), format(error, digits = 11),
            format(df, digits = 9), sep = "\t"), sep = "\n")

covariates <- list(complete = "", unbalanced = "+ age", dropout = "+ age + site1 + site2")
lags <- function(data, p) corARMA(rep(0.2, p), form = ~ number | id, p = p)
forms <- list(
  "unstructured" = list(function(d) corSymm(form = ~ number | id), varIdent(form = ~ 1 | visit)),
  "heterogeneous Toeplitz" = list(function(d) lags(d, max(d$number) - 1), varIdent(form = ~ 1 | visit)),
  "Toeplitz" = list(function(d) lags(d, max(d$number) - 1), NULL),
  "AR(1)" = list(function(d) corAR1(0.3, form = ~ number | id), NULL),
  "compound symmetry" = list(function(d) corCompSymm(0.3, form = ~ number | id), NULL)
)
tight <- glsControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-12, msTol = 1e-14, opt = "nlminb")

contrasts_of <- function(data) {  # rows over arm x visit, arm by arm
  K <- nlevels(data$arm); M <- nlevels(data$visit); rows <- list()
  cell <- function(k, v) as.numeric(seq_len(K * M) == (k * M + v))
  for (k in 0:(K - 1)) for (v in 1:M) rows[[paste("mean", k, v)]] <- cell(k, v)
  for (k in 1:(K - 1)) for (v in 1:M) rows[[paste("difference", k, v)]] <- cell(k, v) - cell(0, v)
  for (k in 1:(K - 1)) rows[[paste("average", k)]] <- Reduce(`+`, rows[paste("difference", k, 1:M)]) / M
  rows
}

of_gls <- function(trial, structure) {
  data <- long(trial)
  formula <- as.formula(paste("score ~ baseline * visit + arm * visit", covariates[[trial]]))
  form <- forms[[structure]]
  call <- list(formula, data = data, correlation = form[[1]](data), weights = form[[2]], control = tight)
  fit <- do.call(gls, c(call, method = "REML"))
  say(trial, structure, "gls", "loglik", as.numeric(logLik(fit)), NA, NA)
  at <- list(baseline = 0, age = 0, site1 = 0, site2 = 0)
  rows <- contrasts_of(data)
  for (mode in c("df.error", "satterthwaite")) {
    grid <- emmeans(fit, ~ visit | arm, at = at, mode = mode, data = data)
    found <- as.data.frame(contrast(grid, rows, by = NULL))
    found <- found[match(names(rows), found$contrast), ]
    satterthwaite <- mode == "satterthwaite"
    say(trial, structure, if (satterthwaite) "emmeans" else "gls", names(rows), found$estimate, found$SE,
        if (satterthwaite) found$df else NA)
  }
  as.numeric(logLik(fit))
}

of_lmer <- function(trial, structure, expected) {
  data <- long(trial)
  unit <- if (structure == "unstructured") 1000 else 1
  data$score <- data$score * unit
  term <- if (structure == "unstructured") "(0 + visit | id)" else "(1 | id)"
  formula <- as.formula(paste("score ~ 0 + arm:visit + visit:baseline", covariates[[trial]], "+", term))
  control <- lmerControl(check.nobs.vs.nRE = "ignore", check.conv.singular = "ignore", optimizer = "bobyqa",
                         optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e6))
  fit <- suppressWarnings(lmerTest::lmer(formula, data, REML = TRUE, control = control))
  free <- nrow(data) - length(fixef(fit))
  message(trial, " ", structure, ": log-likelihood of lmer less that of gls ",
          as.numeric(logLik(fit)) + free * log(unit) - expected)
  names_of <- names(fixef(fit))
  K <- nlevels(data$arm); M <- nlevels(data$visit)
  place <- match(paste0("arm", rep(0:(K - 1), each = M), ":visit", rep(1:M, K)), names_of)
  stopifnot(!anyNA(place))
  full <- function(row) { out <- numeric(length(names_of)); out[place] <- row; out }
  rows <- contrasts_of(data)
  adjusted <- vcovAdj(fit)
  for (name in names(rows)) {
    L <- full(rows[[name]])
    say(trial, structure, "pbkrtest", name, sum(L * fixef(fit)) / unit, sqrt(as.numeric(t(L) %*% adjusted %*% L)) / unit,
        get_Lb_ddf(fit, L))
    if (unit == 1) say(trial, structure, "lmerTest", name, sum(L * fixef(fit)),
                       sqrt(as.numeric(t(L) %*% vcov(fit) %*% L)), contest1D(fit, L)$df)
  }
  joint <- t(sapply(rows[grep("difference", names(rows))], full))
  parallel <- do.call(rbind, lapply(1:(K - 1), function(k)
    t(sapply(2:M, function(v) full(rows[[paste("difference", k, v)]] - rows[[paste("difference", k, 1)]])))))
  for (name in c("F", "F interaction")) {
    L <- if (name == "F") joint else parallel
    found <- KRmodcomp(fit, L)$test["Ftest", ]
    say(trial, structure, "pbkrtest", name, found$stat, found$F.scaling, found$ddf)
    if (unit == 1) { found <- contestMD(fit, L); say(trial, structure, "lmerTest", name, found[["F value"]], 1, found$DenDF) }
  }
}

cat("trial\tstructure\tsource\tcontrast\testimate\tstandard_error\tdf\n")
for (trial in names(covariates)) of_lmer(trial, "unstructured", of_gls(trial, "unstructured"))
for (structure in names(forms)[2:4]) invisible(of_gls("dropout", structure))
for (trial in c("unbalanced", "dropout")) of_lmer(trial, "compound symmetry", of_gls(trial, "compound symmetry"))
