import numpy as np
import pytest

from bids_app.graph import correlation_matrix, standardize


@pytest.fixture
def series():
    return np.random.default_rng(3).normal(1000, 5, (20, 50))


def test_unit_rows_are_demeaned_with_norm_one(series):
    unit = standardize(series)
    assert unit.dtype == np.float32
    assert unit.flags.c_contiguous
    np.testing.assert_allclose(unit.sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)


def test_products_of_unit_rows_are_correlations(series):
    unit = standardize(np.asfortranarray(series), dtype=np.float64)
    np.testing.assert_allclose(unit @ unit.T, np.corrcoef(series), atol=1e-14)


def test_a_small_signal_on_a_large_float32_baseline_survives():
    signal = np.tile([0, 1], 100)
    np.testing.assert_allclose(standardize(np.float32([10_000 + signal])), [(signal - 0.5) / np.sqrt(50)], 1e-6)


def test_unusable_rows_are_counted(series):
    series[[1, 4]] = 0.1
    series[7, 3] = np.nan
    series[8, 3] = np.inf
    with pytest.raises(ValueError, match=r"of 20 time series 2 are constant and 2 are not finite"):
        standardize(series)


def test_no_nodes():
    assert standardize(np.empty((0, 10))).shape == (0, 10)
    assert correlation_matrix(np.empty((0, 10))).shape == (0, 0)


def test_matrix_has_a_unit_diagonal_and_stays_in_range(series):
    series[1] = 3 * series[0] + 7
    matrix = correlation_matrix(series)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.abs(matrix).max() == 1
    np.testing.assert_allclose(matrix, np.corrcoef(series), atol=1e-14)


def test_parcels_without_data_are_nan_and_leave_the_others_alone(series):
    whole = correlation_matrix(series)
    series[[0, 5]] = np.nan
    matrix = correlation_matrix(series)
    present = np.delete(np.arange(20), [0, 5])
    assert np.isnan(matrix[[0, 5]]).all()
    assert np.isnan(matrix[:, [0, 5]]).all()
    np.testing.assert_allclose(matrix[np.ix_(present, present)], whole[np.ix_(present, present)], atol=1e-15)


def test_a_parcel_with_a_hole_is_an_error(series):
    series[2, 0] = np.nan
    with pytest.raises(ValueError, match="1 are not finite"):
        correlation_matrix(series)
