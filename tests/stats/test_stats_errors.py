"""Short form of benchmarks/error_rates.py: family-wise error in null trials, and power in trials with an effect."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from stating import hypothesis

RATES = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "error_rates.py"))
Condition, Row = RATES["Condition"], RATES["Row"]
TRIALS = 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "condition", [Condition(), Condition(strata=True, covariates=True), Condition(strata=True, missing=True)], ids=str
)
def test_familywise_error_is_kept_by_every_estimator_and_scheme(condition):
    counts = RATES["false_alarms"](RATES["ROWS"], range(TRIALS), condition)
    low, high = stats.binom.interval(0.998, TRIALS, RATES["ALPHA"])
    assert len(counts) >= len(RATES["ROWS"]) - condition.strata
    assert {str(row): count for row, count in counts.items() if not low <= count <= high} == {}


@pytest.mark.parametrize("condition", [Condition(), Condition(strata=True, covariates=True, missing=True)], ids=str)
def test_planted_effects_are_found_best_by_ancova(condition):
    """On the same trials; where the effect is, and hardly beside it."""
    rows = [Row(name, "re-randomization") for name in ("ancova", "change", "post")]
    found = RATES["power"](rows, range(60), condition)
    ancova, change, post = (found[row] for row in rows)
    assert ancova[0] > 0.6
    assert ancova[0] >= max(change[0], post[0])
    assert max(shares[1] for shares in found.values()) < 0.02


@pytest.mark.parametrize(
    ("estimator", "scheme", "statistic"),
    [("slope", "Freedman-Lane", "tfce"), ("within", "sign flips", "mass"), ("slope-by-arm", "Freedman-Lane", "extent")],
)
def test_planted_slopes_and_means_are_found(estimator, scheme, statistic):
    trial = RATES["simulate"](Condition(), 3)
    planted = RATES["PLANTED"][RATES["MASK"]]
    size = {"slope": trial.covariate, "within": np.ones(26), "slope-by-arm": trial.covariate * trial.arm}[estimator]
    change = trial.followup - trial.baseline
    followup = trial.followup + 2 * change.std() * np.outer(size, planted)
    stated = {"arm": trial.arm, "covariate": trial.covariate if "slope" in estimator else None}
    tested = hypothesis(estimator, followup, trial.baseline, trial.design, **stated)
    inference = RATES["Inference"](statistic, RATES["TOUCHING"], threshold=2.3)
    found = RATES["compare"](tested, RATES["draws_of"](trial, scheme), inference)
    significant = found.p_fwe <= 0.05
    assert significant[planted].mean() > 0.8
    assert significant[~planted].mean() < 0.1
