import numpy as np
import pytest
from scipy import stats

from bids_app.stats import allocations, compare_arms, nuisance, variance_warning


def trial(n_few, n_many, sd, seed, voxels=400):
    """Outcome and arm; the smaller arm has ``sd`` times the standard deviation of the larger."""
    generator = np.random.default_rng(seed)
    arm = np.repeat([1, 0], [n_few, n_many])
    return generator.standard_normal((len(arm), voxels)) * np.where(arm, sd, 1.0)[:, None], arm


@pytest.mark.parametrize(
    ("n_few", "n_many", "sd", "serious"),
    [(12, 31, 2, True), (12, 31, 1, False), (21, 22, 2, False), (12, 31, 0.5, False)],
)
def test_warns_of_small_and_variable_arms_only(n_few, n_many, sd, serious):
    outcome, arm = trial(n_few, n_many, sd, 1)
    found, swapped = variance_warning(outcome, arm), variance_warning(outcome, 1 - arm)
    assert found.serious is serious
    assert found.size_ratio == n_many / n_few
    assert found.sd_ratio == pytest.approx(sd, rel=0.05)
    assert found.sd_ratio_range[0] < sd < found.sd_ratio_range[1]
    assert bool(found.text) is serious
    assert ("--hc3 lowers this and does not mend it" in found.text) is serious
    assert swapped == found


@pytest.mark.parametrize(("robust", "tolerance"), [(False, None), (True, 0.03)])
def test_predicted_error_rate_is_met_and_hc3_repairs_it(robust, tolerance):
    outcome, arm = trial(12, 31, 2, 2, voxels=3000)
    found = compare_arms(outcome, None, nuisance(43), allocations(arm, n_draws=400), robust=robust)
    rate = np.mean(found.p <= 0.05)
    predicted = variance_warning(outcome, arm).error_rate
    assert predicted == pytest.approx(2 * stats.norm.sf(1.96 / np.sqrt(136 / 79)), abs=0.01)
    assert rate == pytest.approx(0.05 if robust else predicted, abs=tolerance or 0.02)


def test_voxels_without_data_are_passed_over():
    outcome, arm = trial(10, 20, 1.5, 3, voxels=20)
    outcome[:9, 0], outcome[:, 1] = np.nan, 7.0
    assert np.isfinite(variance_warning(outcome, arm).sd_ratio)
    with pytest.raises(ValueError, match="no voxel of 1 has variance"):
        variance_warning(outcome[:, 1:2], arm)
    with pytest.raises(ValueError, match="1 and 29 participants"):
        variance_warning(outcome, np.arange(30) == 0)
