"""Pearson correlation as inner products of unit rows."""

import numpy as np
import numpy.typing as npt

ROUNDING = 16 * np.finfo(np.float64).eps


def standardize(series: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> np.ndarray:
    """Demean every row and scale it to unit norm, so that r = Z @ Z.T.

    Parameters
    ----------
    series : (N, T) array-like
        One time series per node, in any unit.
    dtype : data-type, optional
        What the result is rounded to; the computation is in float64.

    Returns
    -------
    (N, T) ndarray of `dtype`
        Rows of mean 0 and norm 1, C order.

    Raises
    ------
    ValueError
        If a row has no correlation because it is constant (to rounding) or not finite.

    Examples
    --------
    >>> standardize([[1, 2, 3, 2], [4, 5, 5, 6]]) @ np.float32([1, 0, 0, 0])
    array([-0.70710677, -0.70710677], dtype=float32)
    """
    unit = np.array(series, dtype=np.float64, order="C")
    peak = np.maximum(unit.max(axis=1, initial=0), -unit.min(axis=1, initial=0))
    with np.errstate(invalid="ignore", over="ignore"):
        unit -= unit.mean(axis=1, keepdims=True)
        norm = np.sqrt(np.einsum("nt,nt->n", unit, unit))
    _check_rows(norm, noise=ROUNDING * np.sqrt(unit.shape[1]) * peak)
    unit /= norm[:, np.newaxis]
    return unit.astype(dtype, copy=False)


def unit_rows(
    series: np.ndarray, multiples: tuple[int, int] = (1, 1), n_at_once: int = 4096
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardize many series in little memory.

    Parameters
    ----------
    series : (N, T) ndarray of float
    multiples : (int, int)
        Rows and columns of zeros are added up to the next multiples of these.
    n_at_once : int
        Rows that are in float64 at one time.

    Returns
    -------
    centre, scale : (N,) float64 ndarray
        Mean and inverse norm, so that (x - centre) * scale is the unit row.
    unit : (N', T) float32 ndarray
        The unit rows, rounded.

    Raises
    ------
    ValueError
        If a row has no correlation because it is constant (to rounding) or not finite.

    Examples
    --------
    >>> centre, scale, unit = unit_rows(np.array([[1.0, 2, 3, 2]]), (2, 1))
    >>> centre, scale.round(3), unit.shape
    (array([2.]), array([0.707]), (2, 4))
    """
    n_rows, n_volumes = series.shape
    padded = [-(-size // multiple) * multiple for size, multiple in zip(series.shape, multiples, strict=True)]
    unit = np.zeros(padded, dtype=np.float32)
    centre, norm, peak = np.empty((3, n_rows))
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        for start in range(0, n_rows, n_at_once):
            some = slice(start, min(start + n_at_once, n_rows))
            rows = series[some].astype(np.float64)
            peak[some] = np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0))
            centre[some] = rows.mean(axis=1)
            rows -= centre[some, np.newaxis]
            norm[some] = np.sqrt(np.einsum("nt,nt->n", rows, rows))
            unit[some, :n_volumes] = rows / norm[some, np.newaxis]
    _check_rows(norm, noise=ROUNDING * np.sqrt(n_volumes) * peak)
    return centre, 1 / norm, unit


def _check_rows(norm: np.ndarray, noise: np.ndarray) -> None:
    n_not_finite = np.count_nonzero(~np.isfinite(norm))
    n_constant = np.count_nonzero(norm <= noise)
    if n_not_finite or n_constant:
        raise ValueError(
            f"of {len(norm)} time series {n_constant} are constant and {n_not_finite} are not finite; "
            "leave these nodes out"
        )


def correlation_matrix(series: npt.ArrayLike) -> np.ndarray:
    """Pearson correlation of every pair of rows.

    Parameters
    ----------
    series : (N, T) array-like
        One time series per parcel; a row of NaN is a parcel without data.

    Returns
    -------
    (N, N) float64 ndarray
        Symmetric, in [-1, 1], diagonal 1. Rows and columns of parcels without data are NaN.

    Raises
    ------
    ValueError
        If a row with data is constant or not finite.

    Examples
    --------
    >>> correlation_matrix([[1, 2, 3], [3, 2, 1], [np.nan] * 3])
    array([[ 1., -1., nan],
           [-1.,  1., nan],
           [nan, nan, nan]])
    """
    series = np.asarray(series, dtype=np.float64)
    present = ~np.isnan(series).all(axis=1)
    unit = standardize(series[present], dtype=np.float64)
    matrix = np.full((len(series), len(series)), np.nan)
    correlation = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(correlation, 1)
    matrix[np.ix_(present, present)] = correlation
    return matrix
