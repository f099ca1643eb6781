"""How alike two measurements of the same people are."""

import numpy as np
import numpy.typing as npt


def intraclass_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> np.ndarray:
    r"""Return the intraclass correlation of two measurements, one-way and of a single one: ICC(1,1).

    Parameters
    ----------
    first, second : (n, V) array-like of float
        NaN where a participant has no value, who is then left out of that column.

    Returns
    -------
    (V,) float64 ndarray
        NaN where fewer than two have both, or nothing varies.

    Notes
    -----
    .. math:: \mathrm{ICC} = \frac{MS_b - MS_w}{MS_b + MS_w}

    with the mean squares between and within participants: what the second run is systematically higher by counts
    against reliability (Shrout & Fleiss 1979, doi:10.1037/0033-2909.86.2.420).

    Examples
    --------
    >>> intraclass_correlation([[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]]).tolist()
    [1.0]
    >>> intraclass_correlation([[1.0], [2.0]], [[2.0], [1.0]]).tolist()
    [-1.0]
    """
    pair = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    known = np.isfinite(pair).all(axis=0)
    n = known.sum(axis=0)
    means = np.where(known, pair.mean(axis=0), 0)
    grand = means.sum(axis=0) / np.maximum(n, 1)
    between = 2 * np.where(known, (means - grand) ** 2, 0).sum(axis=0) / np.maximum(n - 1, 1)
    within = np.where(known, (pair - means) ** 2, 0).sum(axis=(0, 1)) / np.maximum(n, 1)
    total = between + within
    return np.where((n > 1) & (total > 0), (between - within) / np.where(total > 0, total, 1), np.nan)
