"""Weights over visits, against numpy's trapezoids and least-squares lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.stats.overvisits import area_weights, difference_weights, mean_weights, slope_weights

GAPS = st.lists(st.floats(0.1, 60), min_size=1, max_size=7)


def curve(gaps):
    days = np.concatenate([[0.0], np.cumsum(gaps)])
    return days, np.random.default_rng(len(gaps)).normal(3, 1, len(days))


@given(GAPS)
def test_the_area_is_numpys_over_its_length(gaps):
    days, values = curve(gaps)
    assert area_weights(days) @ values == pytest.approx(np.trapezoid(values, days) / days[-1])
    assert area_weights(days).sum() == pytest.approx(1)


@given(GAPS)
def test_the_slope_is_that_of_numpys_line_whenever_time_begins(gaps):
    days, values = curve(gaps)
    assert slope_weights(days + 11) @ values == pytest.approx(np.polyfit(days, values, 1)[0], rel=1e-6, abs=1e-9)


@given(GAPS)
def test_a_straight_line_has_its_mean_as_area_and_its_rise_as_difference(gaps):
    days, _ = curve(gaps)
    line = 2 + 0.5 * days
    assert area_weights(days) @ line == pytest.approx(2 + 0.25 * days[-1])
    assert difference_weights(days) @ line == pytest.approx(0.5 * days[-1])
    assert mean_weights(days) @ line == pytest.approx(line.mean())


@pytest.mark.parametrize("days", [[3], [3, 3], [7, 3], [[0, 1]]])
def test_one_visit_or_two_at_once_have_no_curve(days):
    for weights in (area_weights, slope_weights, difference_weights):
        with pytest.raises(ValueError, match="each later than that before"):
            weights(days)
