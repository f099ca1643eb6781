"""What says how strongly two parcels go together."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from bids_app.graph.correlation import correlation_matrix, standardize
from bids_app.graph.linking import fisher
from bids_app.graph.rules import MATRICES


def parcel_matrix(series: npt.ArrayLike, kind: str = "pearson") -> np.ndarray:
    """Relate every pair of parcels.

    Parameters
    ----------
    series : (P, T) array-like
        A row of NaN is a parcel without data.
    kind : str
        Key of `MATRICES`.

    Returns
    -------
    (P, P) float64 ndarray
        Symmetric, in [-1, 1], diagonal 1; for ``fisher`` artanh of it, diagonal 0. Rows and columns of parcels
        without data are NaN.

    Raises
    ------
    ValueError
        If the kind is unknown, or a row is constant or not finite in part.

    Notes
    -----
    The partial correlation of two parcels is what is left when all others are held fixed. With more parcels than
    volumes the covariance cannot be inverted: Ledoit & Wolf (2004), doi:10.1016/S0047-259X(03)00096-4, shrink it
    towards equal variances, here of series scaled to variance 1, by as much as the data call for.

    Examples
    --------
    >>> parcel_matrix([[1, 2, 3, 4], [1, 2, 3, 40]], "spearman")
    array([[1., 1.],
           [1., 1.]])
    """
    if kind not in MATRICES:
        raise ValueError(f"matrix must be one of {', '.join(MATRICES)}, not {kind!r}")
    series = np.asarray(series, dtype=np.float64)
    if kind == "spearman":
        return correlation_matrix(np.where(np.isnan(series), np.nan, rankdata(series, axis=1)))
    if kind == "partial":
        return _partial(series)
    matrix = correlation_matrix(series)
    if kind == "fisher":
        np.fill_diagonal(matrix, np.where(np.isnan(np.diag(matrix)), np.nan, 0))
        matrix = fisher(matrix)
    return matrix


def _partial(series: np.ndarray) -> np.ndarray:
    from sklearn.covariance import LedoitWolf  # here, for it takes half a second to load

    present = ~np.isnan(series).all(axis=1)
    matrix = np.full((len(series), len(series)), np.nan)
    if not present.any():
        return matrix
    scaled = standardize(series[present], np.float64).T * np.sqrt(series.shape[1])
    precision = LedoitWolf().fit(scaled).precision_
    spread = np.sqrt(np.diag(precision))
    partial = -precision / np.outer(spread, spread)
    partial = (partial + partial.T) / 2  # an inverse is symmetric but for rounding
    np.fill_diagonal(partial, 1)
    matrix[np.ix_(present, present)] = partial
    return matrix
