from dataclasses import replace

import numpy as np
import pytest
from depression_trial import simulated

from bids_app.stats.ancova import linear_estimate
from bids_app.stats.clinical import clinical_table
from bids_app.stats.missing import missing_table
from bids_app.stats.ranks import rank_estimate
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits

HOLED = TwoVisits(
    arm=np.array([1, 0, 1, 0]),
    baseline=np.array([1.0, np.nan, 3, 5]),
    followup=np.array([2.0, 2, np.nan, 6]),
    covariates=np.array([[30.0, 1], [np.nan, 1], [50, 1], [40, 1]]),
    strata=np.array(["a", "a", "b", "a"]),
)


def test_what_was_measured_before_is_filled_with_its_mean_and_the_follow_up_is_not():
    filled = HOLED.filled()
    assert filled.baseline.tolist() == [1, 3, 3, 5]
    assert filled.covariates[:, 0].tolist() == [30, 40, 50, 40]
    assert np.isnan(filled.followup[2])
    assert np.isnan(HOLED.baseline[1])
    assert TwoVisits(HOLED.arm, None, HOLED.followup).filled().baseline is None


def test_the_mean_is_that_of_everyone_not_only_of_the_completers():
    completers = HOLED.completers()
    assert completers.arm.tolist() == [1, 0, 0]
    assert completers.baseline.tolist() == [1, 3, 5]
    assert completers.change.tolist() == [1, -1, 1]


def test_columns_that_do_not_vary_are_not_adjusted_for():
    # The second covariate is the same for all, and the completers are of one stratum.
    np.testing.assert_allclose(HOLED.completers().nuisance(), [[1, -20 / 3], [1, 10 / 3], [1, 10 / 3]])
    assert HOLED.filled().nuisance().shape == (4, 3)


def test_a_participant_who_is_a_stratum_alone_leaves_hc3_without_a_p():
    data = replace(simulated(missing=0), strata=np.where(np.arange(44) == 0, "alone", "other"))
    found = linear_estimate(data, n_draws=0)
    assert np.isnan(found.p_hc3)
    assert np.isfinite(found.p)


@pytest.mark.parametrize("seed", [1, 2])
def test_turning_the_arms_around_turns_every_estimate(seed):
    data = simulated(seed)
    turned = replace(data, arm=1 - data.arm)
    first, second = (clinical_table({"x": d}, n_draws=200) for d in (data, turned))
    np.testing.assert_allclose(first["estimate"], -second["estimate"], rtol=1e-3)
    np.testing.assert_allclose(first["ci_low"], -second["ci_high"], rtol=1e-3)
    np.testing.assert_allclose(first["effect_size"], -second["effect_size"], rtol=1e-3)
    np.testing.assert_allclose(first["p"], second["p"], rtol=1e-2)
    assert rank_estimate(data, n_draws=0).estimate == pytest.approx(1 - rank_estimate(turned, n_draws=0).estimate)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_the_units_of_an_outcome_do_not_matter(factor):
    """A region's value may be small: estimates scale, and what has no unit stays."""
    data = simulated()
    scaled = replace(data, baseline=data.baseline * factor + 3 * factor, followup=data.followup * factor + 3 * factor)
    first, second = (missing_table({"x": d}, n_draws=200).set_index("method") for d in (data, scaled))
    np.testing.assert_allclose(second["estimate"], factor * first["estimate"], rtol=1e-3)
    np.testing.assert_allclose(second["standard_error"], factor * first["standard_error"], rtol=1e-3)
    np.testing.assert_allclose(second["effect_size"], first["effect_size"], rtol=1e-3)
    np.testing.assert_allclose(second["p"], first["p"], rtol=2e-2)
    np.testing.assert_allclose(second["p_rerandomized"], first["p_rerandomized"])
    assert (second["note"] == first["note"]).all()


def test_the_order_of_the_participants_does_not_matter():
    data = simulated()
    order = np.random.default_rng(1).permutation(44)
    for estimate in (linear_estimate, mixed_estimate):
        found, again = estimate(data, n_draws=0), estimate(data.of(order), n_draws=0)
        assert found.estimate == pytest.approx(again.estimate, rel=1e-5)
        assert found.p == pytest.approx(again.p, rel=1e-3)
