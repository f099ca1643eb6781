"""Responders and remitters: the difference of two proportions."""

import numpy as np
from scipy import special
from scipy.stats import fisher_exact

from bids_app.stats.estimates import LEVEL, Estimate, counts, rerandomized_p


def wilson(successes, n):
    r"""Return Wilson's 95 % interval of a proportion.

    .. math:: \frac{p + z^2 / 2n \pm z \sqrt{p (1 - p) / n + z^2 / 4 n^2}}{1 + z^2 / n}

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> [round(float(limit), 4) for limit in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    z, p = special.ndtri(0.5 + LEVEL / 2), successes / n
    margin = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    centre, scale = p + z**2 / (2 * n), 1 + z**2 / n
    return max((centre - margin) / scale, 0.0), min((centre + margin) / scale, 1.0)


def newcombe(first, second):
    r"""Return the 95 % interval of a difference of two proportions.

    Parameters
    ----------
    first, second : (int, int)
        Successes and participants.

    Returns
    -------
    low, high : float

    Notes
    -----
    With Wilson's limits l and u of each proportion,

    .. math::

        p_1 - p_2 - \sqrt{(p_1 - l_1)^2 + (u_2 - p_2)^2}, \quad p_1 - p_2 + \sqrt{(u_1 - p_1)^2 + (p_2 - l_2)^2}

    Newcombe (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10.

    Examples
    --------
    >>> [round(float(limit), 4) for limit in newcombe((56, 70), (48, 80))]
    [0.0524, 0.3339]
    """
    (p1, (l1, u1)), (p2, (l2, u2)) = ((s / n, wilson(s, n)) for s, n in (first, second))
    return p1 - p2 - np.hypot(p1 - l1, u2 - p2), p1 - p2 + np.hypot(u1 - p1, p2 - l2)


def proportion_estimate(success, data, *, missing_as_failure=False, n_draws=10_000, seed=0):
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
        The risk difference; p is Fisher's, the effect size the odds ratio with 0.5 added to each cell.
    """
    method = "proportion, missing as failure" if missing_as_failure else "proportion"
    success = np.where(np.isnan(success), 0.0, success) if missing_as_failure else success
    known = np.isfinite(success)
    data, success = data.filled().of(known), success[known]
    if min(counts(data.arm)) < 1:
        return Estimate(method, *counts(data.arm), note="not estimated: an arm is empty")
    cells = [(int(success[data.arm == label].sum()), int(np.sum(data.arm == label))) for label in (1, 0)]
    low, high = newcombe(*cells)
    p = rerandomized_p(data, success, None, n_draws=n_draws, seed=seed) if n_draws else np.nan
    return Estimate(
        method,
        *counts(data.arm),
        estimate=cells[0][0] / cells[0][1] - cells[1][0] / cells[1][1],
        ci_low=float(low),
        ci_high=float(high),
        p=float(fisher_exact([[s, n - s] for s, n in cells]).pvalue),
        p_rerandomized=p,
        **_odds_ratio(cells),
    )


def _odds_ratio(cells):
    table = np.array([[s, n - s] for s, n in cells]) + 0.5
    ratio = table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0])
    margin = special.ndtri(0.5 + LEVEL / 2) * np.sqrt((1 / table).sum())
    limits = {"effect_low": float(ratio * np.exp(-margin)), "effect_high": float(ratio * np.exp(margin))}
    return {"effect_size": float(ratio), **limits, "effect_kind": "odds ratio"}
