"""The mixed model of a cross-over trial against R, statsmodels and least squares with fixed participants."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats as scipy_stats

from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import crossover_table
from bids_app.stats.scores.patterns import NotEstimated
from bids_app.stats.scores.periods import AB_BA, fit_periods, periods_estimate
from bids_app.stats.twovisits import TwoVisits

NAN = np.nan
SEQUENCE = np.repeat([1, 0], 5)  # active first, or reference first
SCORES = np.array(
    [*((12, 9), (15, 11), (10, NAN), (18, 12), (9, 8)), *((11, 13), (NAN, 16), (7, 12), (14, NAN), (10, 9))],
    dtype=float,
)
WILLIAMS = np.array([(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)])
OF_WILLIAMS = np.array(
    [
        *((5, 9, 7), (8, 6, 4), (11, 9, 12), (6, NAN, 10), (9, 7, 12), (12, 10, NAN)),
        *((4, 7, 9), (NAN, 8, 6), (10, 8, 13), (7, 9, 8), (11, 9, 14), (9, 10, 6)),
    ],
    dtype=float,
)


def numbers(found):
    return found.estimate, found.standard_error, found.df, found.t, found.p


def test_two_treatments_are_those_of_r():
    """R 4.2.2, lme4 1.1.31, lmerTest 3.1.3: y ~ period + treat + (1 | id), summary with ddf = "Kenward-Roger"."""
    (found,) = fit_periods(SCORES, SEQUENCE, AB_BA)
    r = (2.594141151811, 0.959449653136, 5.92691832846, 2.703780384236, 3.58316476221e-02)
    assert numbers(found) == pytest.approx(r, rel=1e-6)


def test_three_treatments_of_a_williams_square_are_those_of_r():
    """The same, of six sequences; of treatment 1 and of treatment 2, each minus treatment 0."""
    found = fit_periods(OF_WILLIAMS, np.tile(np.arange(6), 2), WILLIAMS)
    r = [
        (2.9965067262757, 0.507690562042, 17.4277863538, 5.902230512662, 1.57175827750e-05),
        (3.0827306031528, 0.507690562042, 17.4277863538, 6.072066005625, 1.11801841704e-05),
    ]
    for one, expected in zip(found, r, strict=True):
        assert numbers(one) == pytest.approx(expected, rel=1e-6)


def test_estimates_and_model_based_errors_are_near_those_of_statsmodels():
    """Which has z: its error is not that of Kenward and Roger, which is larger by little."""
    given = WILLIAMS[np.tile(np.arange(6), 2)]
    who, period = np.indices(OF_WILLIAMS.shape)
    columns = {"y": OF_WILLIAMS, "who": who, "period": period, "given": given}
    rows = pd.DataFrame({name: values.ravel() for name, values in columns.items()}).dropna()
    fit = smf.mixedlm("y ~ C(period) + C(given)", rows, groups="who").fit(reml=True)
    for number, one in enumerate(fit_periods(OF_WILLIAMS, np.tile(np.arange(6), 2), WILLIAMS), 1):
        assert one.estimate == pytest.approx(fit.params[f"C(given)[T.{number}]"], rel=1e-4)
        assert 1 <= one.standard_error / fit.bse[f"C(given)[T.{number}]"] < 1.05


def test_where_nobody_lacks_a_period_it_is_half_the_difference_between_the_periods():
    rng = np.random.default_rng(4)
    scores = rng.normal(0, 3, (10, 1)) + rng.normal(0, 1, (10, 2))
    data = TwoVisits(SEQUENCE, scores[:, 0], scores[:, 1], rng.normal(size=(10, 1)))
    found, half = periods_estimate(data), linear_estimate(data, "crossover", n_draws=0)
    assert numbers(found) == pytest.approx(numbers(half))
    assert (found.effect_size, found.effect_low) == pytest.approx((half.effect_size, half.effect_low))


def test_participants_and_periods_do_not_move_a_complete_trial():
    scores = np.random.default_rng(5).normal(size=(10, 2))
    (found,), (moved,) = (
        fit_periods(values, SEQUENCE, AB_BA)
        for values in (scores, scores + np.arange(10)[:, None] / 3 + np.array([0.0, 7.0]))
    )
    assert moved.estimate == pytest.approx(found.estimate)


def test_the_table_has_it_where_somebody_has_one_period_only():
    data = TwoVisits(SEQUENCE, *SCORES.T)
    first, mixed = crossover_table({"hamd": data}, n_draws=20).to_dict("records")
    assert (first["method"], first["n_active"] + first["n_reference"]) == ("crossover", 7)
    assert (mixed["method"], mixed["population"], mixed["analysis"]) == (
        "mixed-periods",
        "with at least one period",
        "sensitivity",
    )
    assert (mixed["n_active"] + mixed["n_reference"], mixed["note"]) == (10, "3 with one period only")
    assert mixed["estimate"] == pytest.approx(2.594141151811)
    complete = data.of(np.isfinite(SCORES).all(axis=1))
    assert list(crossover_table({"hamd": complete}, n_draws=20)["method"]) == ["crossover"]


def test_what_cannot_be_estimated_is_said():
    lost = np.where(np.arange(10)[:, None] < 8, np.where([True, False], SCORES, NAN), SCORES)
    assert "too few have both periods" in periods_estimate(TwoVisits(SEQUENCE, *lost.T)).note
    with pytest.raises(NotEstimated, match="nobody has a score in"):
        fit_periods(np.where(SEQUENCE[:, None] * [0, 1], NAN, SCORES), SEQUENCE, AB_BA)


def test_null_trials_that_lose_periods_are_found_as_often_as_they_should_be():
    """Of 20, of whom those who did badly in period 1 come less often to period 2, which the model allows (MAR)."""
    rng, found = np.random.default_rng(6), []
    for _ in range(300):
        scores = rng.normal(0, 1, (20, 1)) + rng.normal(0, 1, (20, 2)) + [0, 0.8]
        scores[rng.random(20) < 1 / (1 + np.exp(1 + 1.5 * scores[:, 0])), 1] = NAN
        found.append(fit_periods(scores, rng.permutation(np.repeat([0, 1], 10)), AB_BA)[0].p <= 0.05)
    low, high = scipy_stats.binom.interval(0.998, len(found), 0.05)
    assert low <= sum(found) <= high
