"""What a look may spend once it is known which draws an earlier look would have stopped at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bids_app.stats.pvalues import familywise


@dataclass(frozen=True)
class EarlierLook:
    """A test at an earlier look, by the same draws.

    Attributes
    ----------
    maxima : (D,) float64 ndarray
        Largest magnitude of each draw, the observed one first, among those who were there at that look.
    level : float
        That it was tested at.
    """

    maxima: np.ndarray
    level: float


def going_on(family: Sequence[Sequence[EarlierLook]]) -> np.ndarray | None:
    r"""Tell which draws no earlier look would have found significant.

    Parameters
    ----------
    family : sequence of sequence of EarlierLook
        Of each test over which p is corrected, its earlier looks in their order.

    Returns
    -------
    (D,) bool ndarray, or None
        None where all count: there is no earlier look, or it found something in what was observed. That is found then,
        and the level of this look is spent besides.

    Notes
    -----
    Each draw is an allocation of everyone who is there now, the labels exchanged only among those who came for the
    same look; what it gives to those of an earlier look is an allocation of that look. A draw is significant at a look
    at level :math:`l_k` if it is at none before, and if no more than a share of :math:`l_k` of all draws is so and has
    as large a statistic. If treatment changed nobody, the observed draw is as likely as any other to be one of these,
    so that a look finds something for the first time with a probability of :math:`l_k`, and not, as by a p that knows
    nothing of the looks before, of :math:`l_k` less what the two have in common (the conditional error of Lan & DeMets
    1983, with the distribution of the draws in the place of the normal one).

    Examples
    --------
    >>> going_on([[EarlierLook(np.array([2.0, 9.0, 1.0, 3.0]), 0.25)]])
    array([ True, False,  True,  True])
    """
    if not family[0]:
        return None
    n_draws = len(family[0][0].maxima)
    going = np.ones(n_draws, dtype=bool)
    for looks in zip(*family, strict=True):
        smallest = np.min([familywise(one.maxima, one.maxima) for one in looks], axis=0)
        reaching = np.searchsorted(np.sort(smallest[going]), smallest, side="right")
        going &= reaching > looks[0].level * n_draws
    return going if going[0] else None
