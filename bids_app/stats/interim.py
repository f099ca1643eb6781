"""Interim looks: how much of the error each may spend, and at which level it tests."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

SPENDING = {
    "obrien-fleming": "little at first: as the boundaries of O'Brien and Fleming",
    "pocock": "about evenly: as the boundaries of Pocock",
}
N_NODES = 120  # of the integrals, each good to more than ten digits


def spent(fraction: float, alpha: float = 0.05, spending: str = "obrien-fleming") -> float:
    r"""Return how much of a two-sided error is spent once a fraction of the participants is there.

    Parameters
    ----------
    fraction : float
        t, above 0; from 1 on all is spent.
    alpha : float, optional
    spending : {"obrien-fleming", "pocock"}, optional

    Returns
    -------
    float

    Notes
    -----
    Lan & DeMets (1983), doi:10.1093/biomet/70.3.659, for each of the two sides with half of alpha:

    .. math::
        4 \left(1 - \Phi(z_{1 - \alpha / 4} / \sqrt t)\right) \quad \text{and} \quad
        \alpha \ln(1 + (e - 1) t).

    Examples
    --------
    >>> round(spent(0.5), 5), round(spent(0.5, spending="pocock"), 5), round(spent(1), 5)
    (0.00305, 0.03101, 0.05)
    """
    if not fraction > 0:
        raise ValueError(f"a look needs some of the participants, not a fraction of {fraction}")
    if spending not in SPENDING:
        raise ValueError(f"the spending must be one of {', '.join(SPENDING)}, not {spending!r}")
    fraction = min(fraction, 1.0)
    if spending == "pocock":
        return float(alpha * np.log1p((np.e - 1) * fraction))
    return float(4 * norm.sf(norm.isf(alpha / 4) / np.sqrt(fraction)))


def levels(fractions: Sequence[float], alpha: float = 0.05, spending: str = "obrien-fleming") -> tuple[float, ...]:
    """Return the level that each look tests at: what it may spend beyond the looks before it.

    Parameters
    ----------
    fractions : sequence of float
        Of the planned participants at each look, ascending; the last is 1.
    alpha : float, optional
        Of all looks together, two-sided.
    spending : str, optional
        As `spent`.

    Returns
    -------
    tuple of float
        Their sum is alpha.

    Raises
    ------
    ValueError
        If the fractions do not ascend to 1.

    Notes
    -----
    Each look's p is exact by re-randomization, so that it errs at its level at most, and all of them together at the
    sum. That holds for any statistic, the maximum over voxels among them, however the looks depend on each other, and
    if a look that was planned is not taken. With `earlier.going_on` it is the sum, at the same levels. Those of the
    normal theory (`crossed` of which is alpha) are larger by what the looks have in common, but that is less for a
    maximum than for a single value.

    Examples
    --------
    >>> [round(level, 4) for level in levels([0.5, 1])]
    [0.0031, 0.0469]
    """
    ascending = all(one < other for one, other in pairwise(fractions))
    if not fractions or not ascending or abs(fractions[-1] - 1) > 1e-9:
        raise ValueError(f"the fractions must ascend to 1, they are {list(fractions)}")
    before = [0.0, *(spent(one, alpha, spending) for one in fractions)]
    return tuple(float(now - then) for then, now in pairwise(before))


def crossed(tested: Sequence[float], fractions: Sequence[float]) -> tuple[float, ...]:
    r"""Return the probability that a single normal value is significant at a look and at none before, under no effect.

    Parameters
    ----------
    tested : sequence of float
        The two-sided level of each look.
    fractions : sequence of float
        Of the information at each look.

    Returns
    -------
    tuple of float
        By look; their sum is the error of all looks together.

    Notes
    -----
    z at two looks correlates by :math:`\sqrt{t_j / t_k}`: what comes in between is independent (Armitage, McPherson &
    Rowe 1969, doi:10.2307/2343787). The density of those that have gone on is integrated from look to look.

    Examples
    --------
    The boundaries of Pocock (2.178) and of O'Brien & Fleming (2.797, 1.977) for two looks:

    >>> [round(float(sum(crossed(2 * norm.sf(z), [0.5, 1]))), 4) for z in ([2.178, 2.178], [2.797, 1.977])]
    [0.05, 0.05]
    """
    found, going = [], 1.0
    nodes, density = np.zeros(1), np.ones(1)
    for level, now, before in zip(tested, fractions, [0.0, *fractions], strict=False):
        bound = norm.isf(level / 2) * np.sqrt(now)
        place, weight = np.polynomial.legendre.leggauss(N_NODES)
        following = bound * place
        scale = np.sqrt(now - before)
        step = np.exp(-0.5 * ((following[:, np.newaxis] - nodes) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        reached = step @ density
        still = float(reached @ weight) * bound
        found.append(going - still)
        nodes, density, going = following, reached * weight * bound, still
    return tuple(found)


def normal_levels(
    fractions: Sequence[float], alpha: float = 0.05, spending: str = "obrien-fleming"
) -> tuple[float, ...]:
    """Return the levels of the normal theory: those by which a single value spends as `spent` says.

    Examples
    --------
    As z, those that programs for sequential trials give for two looks:

    >>> norm.isf(np.array(normal_levels([0.5, 1])) / 2).round(3)
    array([2.963, 1.969])
    """
    found: list[float] = []
    for look, allowed in enumerate(levels(fractions, alpha, spending), start=1):
        own = fractions[:look]

        def beyond(level: float, own: Sequence[float] = own, allowed: float = allowed) -> float:
            return crossed([*found, level], own)[-1] - allowed

        found.append(allowed if look == 1 else float(brentq(beyond, allowed / 2, 1 - 1e-9, xtol=1e-12)))
    return tuple(found)
