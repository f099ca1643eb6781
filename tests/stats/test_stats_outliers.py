"""What lies far from the others, by the definition itself and by what must hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bids_app.stats.outliers import far_from_median

VALUES = st.lists(st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=5, max_size=40).map(np.array)


@given(values=VALUES, side=st.sampled_from([0, 1, -1]))
def test_it_is_scipys_scaled_deviation_where_that_is_not_zero(values, side):
    spread = stats.median_abs_deviation(values, scale="normal")
    if spread == 0:
        return
    distance = (values - np.median(values)) / spread
    if np.isclose(np.abs(distance), 3, rtol=1e-4).any():
        return
    expected = {0: np.abs(distance) > 3, 1: distance > 3, -1: distance < -3}[side]
    np.testing.assert_array_equal(far_from_median(values, side=side), expected)


@given(values=VALUES, gaps=st.integers(0, 5))
def test_what_is_not_known_is_far_from_nothing_and_changes_nothing(values, gaps):
    far = far_from_median(np.append(values, np.full(gaps, np.nan)))
    assert not far[len(values) :].any()
    np.testing.assert_array_equal(far[: len(values)], far_from_median(values))


def test_normal_values_are_rarely_far_and_the_deviations_scale_fits_them():
    values = np.random.default_rng(5).normal(3, 2, 20_001)
    assert far_from_median(values).mean() == pytest.approx(2 * stats.norm.sf(3), abs=0.001)


def test_one_short_scan_among_equal_ones_is_far():
    values = np.array([10.0] * 30 + [9.9, 3.0])
    assert np.flatnonzero(far_from_median(values, side=-1)).tolist() == [31]
    assert not far_from_median(values, side=1).any()


@pytest.mark.parametrize("values", [[1.0, 1, 1, 9], [5.0] * 8, [0.1 + 0.2, *[0.3] * 9], [np.nan] * 9, []])
def test_few_or_equal_values_say_nothing(values):
    assert not far_from_median(np.array(values)).any()
