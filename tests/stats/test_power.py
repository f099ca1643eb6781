"""What a trial could have seen, against statsmodels, whose test counts both sides."""

import pytest
from statsmodels.stats.power import TTestIndPower

from bids_app.stats.power import detectable_effect


@pytest.mark.parametrize(("n_active", "n_reference"), [(5, 5), (14, 13), (23, 14), (64, 64), (200, 50)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_effect_is_found_as_often_as_asked(n_active, n_reference, alpha):
    effect = detectable_effect(n_active, n_reference, alpha=alpha)
    power = TTestIndPower().power(effect, n_active, alpha, ratio=n_reference / n_active)
    assert power == pytest.approx(0.8, abs=1e-4)
