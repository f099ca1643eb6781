"""Responders and remitters: the difference of two proportions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special
from scipy.optimize import brentq

from bids_app.stats.estimates import LEVEL, Estimate, counts, rerandomized_p
from bids_app.stats.twovisits import TwoVisits

Share = tuple[int, int]  # successes and participants
TINY = 1e-12


def score_interval(first: Share, second: Share) -> tuple[float, float, float]:
    r"""Return the 95 % interval of a difference of two proportions, and the p that belongs to it.

    Parameters
    ----------
    first, second : (int, int)
        Successes and participants.

    Returns
    -------
    low, high, p : float
        p is <= .05 if and only if the interval excludes 0, but for the accuracy of its limits.

    Notes
    -----
    The score test, and the differences that it does not reject: with the proportions :math:`\tilde p` that are the most
    likely given a difference,

    .. math:: z(\delta) = (p_1 - p_2 - \delta) \Big/ \sqrt{\frac{n_1 + n_2}{n_1 + n_2 - 1} \left(
        \frac{\tilde p_1 (1 - \tilde p_1)}{n_1} + \frac{\tilde p_2 (1 - \tilde p_2)}{n_2}\right)}

    Miettinen & Nurminen (1985), doi:10.1002/sim.4780040211. Where nobody or everybody of both arms succeeds the
    difference is 0 and nothing speaks against it: p is 1.

    Examples
    --------
    >>> [round(float(value), 4) for value in score_interval((56, 70), (48, 80))]
    [0.0528, 0.3382, 0.0083]
    """
    critical = special.ndtri(0.5 + LEVEL / 2)
    difference = first[0] / first[1] - second[0] / second[1]

    def beyond(delta: float, sign: int) -> float:
        return sign * _score(first, second, delta) + critical

    low = _limit(lambda delta: beyond(delta, -1), -1 + TINY, difference)
    high = _limit(lambda delta: beyond(delta, 1), 1 - TINY, difference)
    return low, high, float(2 * special.ndtr(-abs(_score(first, second, 0.0))))


def _limit(beyond: Callable[[float], float], end: float, difference: float) -> float:
    """Return where the score reaches the critical value between the difference and the end, or the end."""
    if abs(end - difference) < TINY or beyond(end) > 0:
        return float(np.sign(end))
    return float(brentq(beyond, end, difference, xtol=1e-10))


def _score(first: Share, second: Share, delta: float) -> float:
    """Return the score of a difference, 0 where there is neither a difference nor a variance."""
    (s1, n1), (s2, n2) = first, second
    p2 = _most_likely(first, second, delta)
    p1 = p2 + delta
    variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * (n1 + n2) / (n1 + n2 - 1)
    distance = s1 / n1 - s2 / n2 - delta
    if variance <= 0:
        return 0.0 if abs(distance) < TINY else float(np.copysign(np.inf, distance))
    return distance / np.sqrt(variance)


def _most_likely(first: Share, second: Share, delta: float) -> float:
    """Return the second proportion that is the most likely if the first is larger by ``delta``."""
    (s1, n1), (s2, n2) = first, second

    def slope(p: float) -> float:  # of the log-likelihood, which is concave
        first_arm = s1 / (p + delta) - (n1 - s1) / (1 - p - delta)
        return first_arm + s2 / p - (n2 - s2) / (1 - p)

    low, high = max(0.0, -delta) + TINY, min(1.0, 1.0 - delta) - TINY
    if low >= high:
        return (low + high) / 2
    if slope(low) <= 0:
        return low - TINY
    return high + TINY if slope(high) >= 0 else brentq(slope, low, high, xtol=1e-14)


def proportion_estimate(
    success: np.ndarray, data: TwoVisits, *, missing_as_failure: bool = False, n_draws: int = 10_000, seed: int = 0
) -> Estimate:
    """Compare the share of responders.

    Parameters
    ----------
    success : (n,) float ndarray
        1 or 0, NaN where it is not known.
    data : TwoVisits
        Gives arms and strata.
    missing_as_failure : bool, optional
        Count everyone randomized, and who has no follow-up as a failure; else leave them out.
    n_draws : int, optional
        Of the re-randomization within strata; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        The risk difference with its score interval and the p of the same test, as `score_interval`; the effect size is
        the odds ratio with 0.5 added to each cell. ``p_rerandomized`` is of the same difference.
    """
    method = "proportion, missing as failure" if missing_as_failure else "proportion"
    success = np.where(np.isnan(success), 0.0, success) if missing_as_failure else success
    known = np.isfinite(success)
    data, success = data.filled().of(known), success[known]
    if min(counts(data.arm)) < 1:
        return Estimate(method, *counts(data.arm), note="not estimated: an arm is empty")
    cells = [(int(success[data.arm == label].sum()), int(np.sum(data.arm == label))) for label in (1, 0)]
    low, high, p = score_interval(*cells)
    again = rerandomized_p(data, success, None, adjusted=False, n_draws=n_draws, seed=seed) if n_draws else np.nan
    return Estimate(
        method,
        *counts(data.arm),
        estimate=cells[0][0] / cells[0][1] - cells[1][0] / cells[1][1],
        ci_low=low,
        ci_high=high,
        p=p,
        p_rerandomized=again,
        **_odds_ratio(cells),
    )


def _odds_ratio(cells: list[Share]) -> dict[str, Any]:
    table = np.array([[s, n - s] for s, n in cells]) + 0.5
    ratio = table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0])
    margin = special.ndtri(0.5 + LEVEL / 2) * np.sqrt((1 / table).sum())
    limits = {"effect_low": float(ratio * np.exp(-margin)), "effect_high": float(ratio * np.exp(margin))}
    return {"effect_size": float(ratio), **limits, "effect_kind": "odds ratio"}
