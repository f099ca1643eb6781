"""Short forms of benchmarks/error_rates.py and designs.py: family-wise error in null trials, power with an effect."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from stating import hypothesis

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RATES = runpy.run_path(str(BENCHMARKS / "error_rates.py"))
DESIGNS = runpy.run_path(str(BENCHMARKS / "designs.py"))
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


@pytest.mark.slow
@pytest.mark.parametrize("title", DESIGNS["CASES"])
def test_every_design_keeps_its_level(title):
    case, n_trials = DESIGNS["CASES"][title], 150
    counts = DESIGNS["counts"](case, range(n_trials))
    assert {*case.exact, *case.bounded} <= set(counts)
    judged = {name: DESIGNS["judged"](case, name, count, n_trials, level=0.998) for name, count in counts.items()}
    assert set(judged.values()) <= {"as it should", ""}, judged


@pytest.mark.slow
def test_what_a_covariate_explains_is_found_where_it_is_not_adjusted_for():
    counts = DESIGNS["counts"](DESIGNS["CASES"]["groups, only their ages differ"], range(40))
    assert counts["not adjusted"] > 20


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("three arms, one works", "closed test: the arm that works"),
        ("three visits, effect at the first follow-up", "the effect of day 3"),
        ("cross-over, periods and treatments differ", "crossover"),
        ("groups, they differ too", "adjusted for age"),
    ],
)
def test_what_is_there_is_found_in_every_design(title, found):
    assert DESIGNS["counts"](DESIGNS["CASES"][title], range(15))[found] >= 9
