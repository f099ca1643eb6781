"""The tail of the null distribution by a generalized Pareto distribution, for small p from few draws."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.pvalues import familywise

# Fewer exceedances do not tell a good fit from a bad one.
LEAST_EXCEEDANCES = 20
QUANTILES = np.arange(0.75, 0.995, 0.01)
# Anderson-Darling statistic exceeded by 5 % of the samples, by shape (Choulakian & Stephens 2001, table 2).
SHAPES = np.array([-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.5, 0.9])
CRITICAL = np.array([1.321, 1.221, 1.140, 1.074, 1.020, 0.974, 0.935, 0.903, 0.830, 0.771])


@dataclass(frozen=True)
class ParetoTail:
    r"""Generalized Pareto distribution of the draws above a threshold.

    .. math:: P(M > m) = p_u \left(1 - \kappa \frac{m - u}{\sigma}\right)^{1 / \kappa}

    Attributes
    ----------
    threshold : float
        u, a quantile of the draws.
    share : float
        :math:`p_u`, the share of the draws above it.
    shape, scale : float
        :math:`\kappa` and :math:`\sigma`; a positive shape has the end point :math:`u + \sigma / \kappa`.

    References
    ----------
    Winkler et al. (2016), doi:10.1016/j.neuroimage.2016.05.068; Knijnenburg et al. (2009),
    doi:10.1093/bioinformatics/btp211.
    """

    threshold: float
    share: float
    shape: float
    scale: float

    def probability(self, magnitude: np.ndarray) -> np.ndarray:
        """Return the probability of at least such magnitudes, above the threshold."""
        return self.share * _survival((magnitude - self.threshold) / self.scale, self.shape)


def fit_tail(maxima: np.ndarray) -> ParetoTail | None:
    """Fit the upper quartile of the draws, or less of it until the fit is good.

    Parameters
    ----------
    maxima : (D,) float ndarray

    Returns
    -------
    ParetoTail or None
        None where no tail of `LEAST_EXCEEDANCES` draws or more passes the Anderson-Darling test at 5 %.

    Notes
    -----
    By moments (Hosking & Wallis 1987, doi:10.2307/1269343): with mean m and variance s2 of the exceedances,
    shape = (m2 / s2 - 1) / 2 and scale = m (m2 / s2 + 1) / 2.
    """
    ordered = np.sort(maxima)
    for quantile in QUANTILES:
        threshold = np.quantile(ordered, quantile)
        excess = ordered[ordered > threshold] - threshold
        if len(excess) < LEAST_EXCEEDANCES or excess.var() == 0:
            return None
        ratio = excess.mean() ** 2 / excess.var(ddof=1)
        shape, scale = (ratio - 1) / 2, excess.mean() * (ratio + 1) / 2
        if _fits(1 - _survival(excess / scale, shape), shape):
            return ParetoTail(float(threshold), len(excess) / len(maxima), float(shape), float(scale))
    return None


def familywise_tail(maxima: np.ndarray, statistic: np.ndarray, n_possible: int | None = None) -> np.ndarray:
    """Two-sided p-value of each statistic, above the tail's threshold by its fitted distribution.

    Parameters
    ----------
    maxima : (D,) float ndarray
        Largest magnitude of each draw, the identity included.
    statistic : (V,) float ndarray
    n_possible : int, optional
        Count of the draws that there are, of which D were made: no p can be below 1 / n_possible.

    Returns
    -------
    (V,) float64 ndarray
        As of `familywise` below the threshold, and everywhere if no tail fits. Never 0: at least 1 / D beyond the
        end point of a bounded tail.

    Examples
    --------
    >>> maxima = np.append(np.random.default_rng(0).exponential(size=499), 12.0)
    >>> familywise(maxima, np.array([12.0])), familywise_tail(maxima, np.array([12.0])) < 1e-3
    (array([0.002]), array([ True]))
    """
    p, tail = np.maximum(familywise(maxima, statistic), 1 / len(maxima)), fit_tail(maxima)
    if tail is None:
        return p
    magnitude = np.abs(statistic)
    approximate = tail.probability(np.maximum(magnitude, tail.threshold))
    approximate = np.where((magnitude > tail.threshold) & (approximate > 0), approximate, p)
    return np.maximum(approximate, 1 / n_possible) if n_possible else approximate


def _survival(excess: np.ndarray, shape: float) -> np.ndarray:
    """Return the survival function of excesses in units of the scale."""
    if abs(shape) < 1e-9:
        return np.exp(-excess)
    return np.maximum(1 - shape * excess, 0) ** (1 / shape)


def _fits(probability: np.ndarray, shape: float) -> np.bool:
    """Tell whether ascending probabilities pass the Anderson-Darling test at 5 %."""
    count = len(probability)
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    weights = 2 * np.arange(1, count + 1) - 1
    statistic = -count - np.mean(weights * (np.log(inside) + np.log1p(-inside[::-1])))
    return statistic < np.interp(shape, SHAPES, CRITICAL)
