"""p-values from the draws: family-wise, across analyses, and their Monte Carlo error."""

import numpy as np

# Allocations that tie in exact arithmetic differ by rounding; they must count as ties.
RELATIVE_TIE, ABSOLUTE_TIE = 1e-9, 1e-12


def tie_bound(statistic):
    """Smallest magnitude that counts as at least ``statistic``, of any shape."""
    return np.abs(statistic) * (1 - RELATIVE_TIE) - ABSOLUTE_TIE


def familywise(maxima, statistic):
    """Two-sided p-value of each statistic against the maxima of the draws.

    Parameters
    ----------
    maxima : (D,) float ndarray
        Largest magnitude of each draw, the identity included.
    statistic : (V,) float ndarray

    Returns
    -------
    (V,) float64 ndarray
        Share of the draws whose maximum is at least as large, in [1/D, 1] for the statistics of a draw.

    References
    ----------
    Westfall & Young (1993); Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060.

    Examples
    --------
    >>> familywise(np.array([4.0, 1.0, 2.0, 3.0]), np.array([-4.0, 2.5]))
    array([0.25, 0.5 ])
    """
    below = np.searchsorted(np.sort(maxima), tie_bound(statistic))
    return (len(maxima) - below) / len(maxima)


def across(comparisons):
    """Correct family-wise p-values for several metrics, estimators or contrasts tested together.

    Each draw is ranked within each comparison's own maxima, so that no metric wins by its scale or
    smoothness, and the smallest of a draw's p-values is what an observed p-value must beat.

    Parameters
    ----------
    comparisons : list of Comparison
        From the same allocations, in the same order.

    Returns
    -------
    list of (V_m,) float64 ndarray
        Corrected over voxels and comparisons.

    Raises
    ------
    ValueError
        If the draws differ.

    References
    ----------
    Alberton et al. (2020), doi:10.1016/j.neuroimage.2020.116760.
    """
    draws = {(len(comparison.max_statistics), comparison.fingerprint) for comparison in comparisons}
    if len(draws) != 1:
        counts = sorted(count for count, _ in draws)
        raise ValueError(f"the comparisons must share their draws, they have {len(draws)} sets of {counts}")
    own = [familywise(comparison.max_statistics, comparison.max_statistics) for comparison in comparisons]
    smallest = np.sort(np.min(own, axis=0))
    return [_against(smallest, comparison) for comparison in comparisons]


def _against(smallest, comparison):
    p = familywise(comparison.max_statistics, comparison.statistic)
    corrected = np.searchsorted(smallest, p, side="right") / len(smallest)
    return np.where(np.isnan(comparison.statistic), np.nan, corrected)


def monte_carlo_error(p, n_draws, exhaustive=False):
    r"""Return the standard error of a p-value from a finite count of draws.

    .. math:: \mathrm{SE} = \sqrt{p (1 - p) / D}

    Parameters
    ----------
    p : array-like of float
        In [0, 1].
    n_draws : int
        Count of draws.
    exhaustive : bool, optional
        True if the draws are all there are: no error then.

    Returns
    -------
    float64 ndarray of the shape of ``p``

    Examples
    --------
    >>> round(float(monte_carlo_error(0.05, 10_000)), 4)
    0.0022
    """
    p = np.asarray(p, dtype=np.float64)
    return np.zeros_like(p) if exhaustive else np.sqrt(p * (1 - p) / n_draws)
