"""Hypotheses of two arms and two visits by the name of their estimator."""

from bids_app import stats


def hypothesis(estimator, followup, baseline, nuisance, **more):
    maps = {"followup": followup} | ({} if baseline is None else {"baseline": baseline})
    estimand = stats.two_visits(estimator)
    if baseline is None and estimator.startswith("slope"):  # of an outcome that is a change itself
        estimand = stats.Estimand(outcome={"followup": 1}, tested=estimand.tested, covariate="covariate")
    return stats.hypothesis(estimand, maps, nuisance, **more)
