"""Values that lie far from the others."""

import numpy as np

FEWEST = 5  # fewer values say nothing of what is usual
NORMAL_MEDIAN, NORMAL_MEAN = 1.4826, 1.2533  # what makes the deviations a standard deviation where values are normal


def far_from_median(values: np.ndarray, limit: float = 3.0, side: int = 0) -> np.ndarray:
    """Say which values lie more than so many median absolute deviations from the median.

    The deviation is scaled to be the standard deviation of normal values: ``|x - median| / (1.4826 MAD) > limit``
    (Leys et al. 2013, doi:10.1016/j.jesp.2013.03.013). Where more than half of the values are the same, MAD is 0 and
    the mean absolute deviation from the median, times 1.2533, takes its place (Iglewicz and Hoaglin 1993).

    Parameters
    ----------
    values : (n,) ndarray
        NaN is not known, and far from nothing.
    limit : float, optional
    side : {0, 1, -1}, optional
        On which side values count: both, above, below.

    Returns
    -------
    (n,) ndarray of bool
        All false of fewer than five known values, and where all are the same.

    Examples
    --------
    Median 3, deviations 2, 1, 0, 1, 97: their median is 1, and 97 / 1.4826 is more than 3.

    >>> far_from_median(np.array([1.0, 2, 3, 4, 100])).tolist()
    [False, False, False, False, True]
    >>> far_from_median(np.array([1.0, 2, 3, 4, 100]), side=-1).any()
    np.False_
    """
    known = values[np.isfinite(values)]
    if known.size < FEWEST:
        return np.zeros(values.shape, dtype=bool)
    middle = np.median(known)
    away = np.abs(known - middle)
    spread = NORMAL_MEDIAN * np.median(away) or NORMAL_MEAN * away.mean()
    if spread <= 1e-9 * np.abs(middle):  # rounding
        return np.zeros(values.shape, dtype=bool)
    distance = (values - middle) / spread
    return (np.abs(distance) if side == 0 else side * distance) > limit
