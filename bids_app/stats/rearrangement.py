"""Rearrangements of a model's residuals: permutations within blocks, and sign flips."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain, permutations, product
from math import factorial, prod
from typing import Any, cast
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bids_app.stats.allocation import shuffled, stratum_members
from bids_app.stats.fit import Fit
from bids_app.stats.model import LinearModel


@dataclass(frozen=True)
class Rearrangements:
    """Rearrangements of the residuals of a model, the identity first.

    Residual ``order[d, i]``, times ``signs[d, i]``, takes the place of residual ``i``.

    Attributes
    ----------
    order : (D, n) int16 ndarray
    signs : (D, n) int8 ndarray
        1 or -1.
    exhaustive : bool
        True if every possible rearrangement is there, once.
    n_possible : int
    whole : int or None
        Fingerprint of the draws that these are a part of, see `of`.
    """

    order: np.ndarray
    signs: np.ndarray
    exhaustive: bool
    n_possible: int
    whole: int | None = None

    def __len__(self) -> int:
        return len(self.order)

    @property
    def fingerprint(self) -> int:
        """Number that differs between different draws, to check that tests share them."""
        return crc32(self.signs.tobytes(), crc32(self.order.tobytes())) if self.whole is None else self.whole

    def mixed(self, seed: int) -> "Rearrangements":
        """Return all of these in an order by chance, the observed one first: not all of them may be asked for."""
        place = np.append(0, 1 + np.random.default_rng(seed).permutation(len(self) - 1))
        return replace(self, order=self.order[place], signs=self.signs[place], exhaustive=False)

    def of(self, rows: np.ndarray) -> "Rearrangements":
        """Return the same flips of signs, of some of the participants: tests of them share the draws of everyone.

        Parameters
        ----------
        rows : (m,) int ndarray

        Returns
        -------
        Rearrangements
            With the fingerprint of these.

        Examples
        --------
        >>> flips = sign_flips(2)
        >>> part = flips.of(np.array([1]))
        >>> part.signs.ravel().tolist(), part.fingerprint == flips.fingerprint
        ([1, -1, 1, -1], True)
        """
        order = np.tile(np.arange(len(rows), dtype=np.int16), (len(self), 1))
        return replace(self, order=order, signs=self.signs[:, rows], whole=self.fingerprint)

    def fit(self, model: LinearModel, window: slice, rows: np.ndarray, robust: bool) -> Fit:
        """Return the `Fit` of a slice of the draws to the model of some participants."""
        return model.rearranged(*self.take(window, rows), robust)

    def labels(self, window: slice, arm: np.ndarray) -> np.ndarray:
        """Return the arms (B, n) in a slice of the draws: the observed ones, as the residuals move."""
        return np.broadcast_to(arm, (len(self.order[window]), len(arm)))

    def take(self, window: slice, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return order and signs, (B, R) each, of some participants, as positions among them.

        In place of one who is absent comes whoever takes that one's place in turn: the permutations are as likely
        as each other still, and most residuals move as in the voxels that lack nobody, so that maps stay smooth.
        """
        order, signs = self.order[window], self.signs[window]
        if len(rows) == order.shape[1]:
            return order.astype(np.int64), signs.astype(np.float64)
        position = np.full(order.shape[1], -1)
        position[rows] = np.arange(len(rows))
        moved = order[:, rows]
        while (absent := position[moved] < 0).any():
            moved[absent] = order[np.nonzero(absent)[0], moved[absent]]
        return position[moved], signs[:, rows].astype(np.float64)


def residual_permutations(
    n: int, strata: npt.ArrayLike | None = None, n_draws: int = 10_000, seed: int = 0
) -> Rearrangements:
    """Draw permutations of the residuals, after Freedman & Lane.

    Parameters
    ----------
    n : int
        Count of participants.
    strata : (n,) array-like of labels, optional
        Residuals are exchanged within them only (sites, or the strata of the randomization).
    n_draws : int, optional
        Count of permutations, the identity included; all are enumerated when no more are possible.
    seed : int, optional
        Seed of ``numpy.random.default_rng``.

    Returns
    -------
    Rearrangements

    Raises
    ------
    ValueError
        If no two participants share a stratum.

    Notes
    -----
    Residuals of the model without what is tested are permuted and the whole model is fitted to them. That is
    approximate: residuals are exchangeable in the limit only.

    References
    ----------
    Freedman & Lane (1983), doi:10.1080/07350015.1983.10509354;
    Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060.

    Examples
    --------
    >>> residual_permutations(3, strata=["a", "b", "a"]).order
    array([[0, 1, 2],
           [2, 1, 0]], dtype=int16)
    """
    members = stratum_members(strata, n)
    n_possible = prod(factorial(len(block)) for block in members)
    if n_possible == 1:
        raise ValueError("no two participants share a stratum: no other permutation is possible")
    exhaustive = n_possible <= n_draws
    order = np.tile(np.arange(n, dtype=np.int16), (n_possible if exhaustive else n_draws, 1))
    if exhaustive:
        for row, ways in zip(order, product(*map(permutations, members)), strict=True):
            row[np.concatenate(members)] = list(chain.from_iterable(ways))
    else:
        order[1:] = shuffled(order[0], members, n_draws - 1, seed)
    return Rearrangements(order, np.ones(order.shape, dtype=np.int8), exhaustive, n_possible)


def exchange_blocks(arm: npt.ArrayLike, strata: npt.ArrayLike | None = None) -> np.ndarray:
    """Say among whom residuals are exchanged where it is not the arms that are tested.

    Parameters
    ----------
    arm : (n,) array-like of 0 and 1
    strata : (n,) array-like of labels, optional

    Returns
    -------
    (n,) ndarray of str
        The arm and stratum of each participant. Those who are alone in theirs are exchanged with the others of
        their arm who are: the model takes the stratum's mean out of both.

    Notes
    -----
    Treatment may change the mean, the spread and the shape of what is measured; only within an arm are residuals
    alike, whatever it does.

    Examples
    --------
    >>> exchange_blocks([0, 0, 1, 1, 1, 1], ["a", "a", "a", "b", "c", "c"]).tolist()
    ['0 a', '0 a', '1', '1', '1 c', '1 c']
    """
    arm = np.asarray(arm).astype(int)
    if strata is None:
        return arm.astype(str)
    labels = np.array([f"{own} {stratum}" for own, stratum in zip(arm, cast(Iterable[Any], strata), strict=True)])
    _, place, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where(sizes[place] == 1, arm.astype(str), labels)


def sign_flips(n: int, n_draws: int = 10_000, seed: int = 0) -> Rearrangements:
    """Draw the signs of the residuals, for the effect of the visit within one group.

    Parameters
    ----------
    n : int
        Count of participants.
    n_draws : int, optional
        Count of draws, the identity included; all are enumerated when no more are possible.
    seed : int, optional
        Seed of ``numpy.random.default_rng``.

    Returns
    -------
    Rearrangements

    Notes
    -----
    Exact if the change of each participant is distributed symmetrically around zero.

    Examples
    --------
    >>> sign_flips(2).signs
    array([[ 1,  1],
           [ 1, -1],
           [-1,  1],
           [-1, -1]], dtype=int8)
    """
    exhaustive = 2**n <= n_draws
    if exhaustive:
        signs = np.array(list(product((1, -1), repeat=n)), dtype=np.int8)
    else:
        signs = np.random.default_rng(seed).choice(np.array([1, -1], dtype=np.int8), (n_draws, n))
        signs[0] = 1
    order = np.tile(np.arange(n, dtype=np.int16), (len(signs), 1))
    return Rearrangements(order, signs, exhaustive, 2**n)
