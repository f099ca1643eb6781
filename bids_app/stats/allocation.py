"""The allocations a trial could have drawn, for its re-randomization test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import comb, prod
from typing import cast
from zlib import crc32

import numpy as np
import numpy.typing as npt

from bids_app.stats.design import stratum_labels
from bids_app.stats.fit import Fit
from bids_app.stats.model import LinearModel

MOST_ARMS = 127


@dataclass(frozen=True)
class Allocations:
    """Allocations of the participants to the arms, the observed one first.

    Attributes
    ----------
    arms : (D, n) int8 ndarray
        One allocation per row: the arm of each participant, from 0, the reference.
        Row 0 is the observed allocation: the identity counts as a draw.
    exhaustive : bool
        True if every possible allocation is there, once; the p-values are then exact.
    n_possible : int or None
        Count of the distinct allocations the trial could have drawn, where it is known.
    whole : int or None
        Fingerprint of the draws that these are a part of, see `of`.
    """

    arms: np.ndarray
    exhaustive: bool
    n_possible: int | None
    whole: int | None = None

    def __len__(self) -> int:
        return len(self.arms)

    @property
    def fingerprint(self) -> int:
        """Number that differs between different draws, to check that tests share them."""
        return crc32(self.arms.tobytes()) if self.whole is None else self.whole

    def mixed(self, seed: int) -> "Allocations":
        """Return all of these in an order by chance, the observed one first: not all of them may be asked for."""
        place = np.append(0, 1 + np.random.default_rng(seed).permutation(len(self) - 1))
        return replace(self, arms=self.arms[place], exhaustive=False)

    def of(self, rows: np.ndarray) -> "Allocations":
        """Return the same draws, of some of the participants: tests of them share the draws of everyone.

        Parameters
        ----------
        rows : (m,) int ndarray

        Returns
        -------
        Allocations
            With the fingerprint of these.
        """
        return replace(self, arms=self.arms[:, rows], whole=self.fingerprint)

    def fit(self, model: LinearModel, window: slice, rows: np.ndarray, robust: bool) -> Fit:
        """Return the `Fit` of a slice of the draws to the model of some participants."""
        return model.relabelled(cast(np.ndarray, model.codes)[self.arms[window][:, rows]], robust)

    def labels(self, window: slice, arm: np.ndarray) -> np.ndarray:
        """Return the arms (B, n) in a slice of the draws."""
        return self.arms[window]


def allocations(
    arm: npt.ArrayLike,
    strata: npt.ArrayLike | None = None,
    n_draws: int = 10_000,
    seed: int = 0,
    *,
    among: Sequence[int] | None = None,
) -> Allocations:
    """Draw the allocations of the re-randomization test, within the strata of the trial.

    Parameters
    ----------
    arm : (n,) array-like of bool or int
        The observed allocation, from 0.
    strata : (n,) array-like of labels, optional
        Strata of the randomization; the size of each arm within each stratum is kept.
    n_draws : int, optional
        Count of allocations, the observed one included. When no more are possible, all are
        enumerated instead of drawn.
    seed : int, optional
        Seed of ``numpy.random.default_rng``.
    among : sequence of int, optional
        Exchange the labels of these arms only; all others keep theirs.

    Returns
    -------
    Allocations

    Raises
    ------
    ValueError
        If the arms are no whole numbers from 0, or no allocation other than the observed one is possible.

    References
    ----------
    Phipson & Smyth (2010), doi:10.2202/1544-6115.1585, on counting the identity.

    Examples
    --------
    >>> allocations([0, 1, 0, 1], strata=["a", "a", "b", "b"]).arms
    array([[0, 1, 0, 1],
           [1, 0, 1, 0],
           [1, 0, 0, 1],
           [0, 1, 1, 0]], dtype=int8)

    Three arms of one participant each, of which two exchange their labels:

    >>> allocations([0, 1, 2], among=(0, 2)).arms.tolist()
    [[0, 1, 2], [2, 1, 0]]
    """
    observed = _observed(arm)
    members = stratum_members(strata, len(observed))
    if among is not None:
        members = [block[np.isin(observed[block], among)] for block in members]
    n_possible = _n_of(observed, members)
    if n_possible == 1:
        raise ValueError("two arms must be present in at least one stratum: no other allocation is possible")
    exhaustive = n_possible <= n_draws
    others = _every_other(observed, members) if exhaustive else shuffled(observed, members, n_draws - 1, seed)
    return Allocations(np.vstack([observed, others]), exhaustive, n_possible)


def n_allocations(arm: npt.ArrayLike, strata: npt.ArrayLike | None = None) -> int:
    """Return how many allocations `allocations` could draw, the observed one among them, without drawing any.

    Examples
    --------
    >>> n_allocations([0, 1, 0, 1], strata=["a", "a", "b", "b"]), n_allocations([0, 1, 2])
    (4, 6)
    """
    observed = _observed(arm)
    return _n_of(observed, stratum_members(strata, len(observed)))


def _n_of(observed: np.ndarray, members: Sequence[np.ndarray]) -> int:
    return prod(_n_ways(observed[block]) for block in members)


def tabled_allocations(
    arm: npt.ArrayLike, table: npt.ArrayLike, *, n_draws: int = 10_000, seed: int = 0, exhaustive: bool = False
) -> Allocations:
    """Take the allocations of the test from a table, as for minimization.

    Parameters
    ----------
    arm : (n,) array-like of bool or int
        The observed allocation, from 0.
    table : (D, n) array-like of bool or int
        Allocations the procedure can yield: all of them, once each, or independent runs of it, in
        which likely allocations come more often.
    n_draws : int, optional
        At most so many allocations are used, the observed one included, drawn without replacement.
    seed : int, optional
        Seed of ``numpy.random.default_rng``.
    exhaustive : bool, optional
        True if the table lists every allocation once, all equally likely.

    Returns
    -------
    Allocations

    Raises
    ------
    ValueError
        If the table has another shape or other values than the arms, holds no other allocation than the
        observed one, or claims to be exhaustive and lists the observed allocation not exactly once.

    Examples
    --------
    >>> tabled_allocations([1, 0, 1, 0], [[0, 1, 0, 1], [1, 0, 1, 0], [1, 0, 0, 1]], exhaustive=True).arms
    array([[1, 0, 1, 0],
           [0, 1, 0, 1],
           [1, 0, 0, 1]], dtype=int8)
    """
    observed, table = _observed(arm), np.asarray(table)
    arms = np.arange(observed.max(initial=1) + 1)
    if table.ndim != 2 or table.shape[1] != len(observed) or not np.isin(table, arms).all():
        among = " and ".join(map(str, arms)) if len(arms) == 2 else f"0 to {arms[-1]}"
        raise ValueError(f"the table must be (D, {len(observed)}) of {among}, its shape is {table.shape}")
    same = (table == observed).all(axis=1)
    distinct = len(np.unique(table, axis=0))
    if same.all():
        raise ValueError("the table holds no other allocation than the observed one")
    if exhaustive and (same.sum() != 1 or distinct < len(table)):
        raise ValueError(
            f"a table of all allocations has each once: {len(table)} rows, {distinct} different, "
            f"the observed one {same.sum()} times"
        )
    others = (table[~same] if exhaustive else table).astype(np.int8)
    if len(others) > n_draws - 1:
        kept = np.random.default_rng(seed).choice(len(others), n_draws - 1, replace=False)
        others, complete = others[np.sort(kept)], False
    else:
        complete = exhaustive
    return Allocations(np.vstack([observed, others]), complete, len(table) if exhaustive else None)


def _observed(arm: npt.ArrayLike) -> np.ndarray:
    values = np.asarray(arm)
    if values.ndim != 1 or not np.isin(values, np.arange(MOST_ARMS)).all():
        raise ValueError(f"arm must be a vector of whole numbers from 0, found {np.unique(values).tolist()}")
    return values.astype(np.int8)


def _n_ways(labels: np.ndarray) -> int:
    """Return how many orders of some labels differ: the multinomial coefficient."""
    sizes = np.unique(labels, return_counts=True)[1].tolist()
    return prod(comb(sum(sizes[: place + 1]), size) for place, size in enumerate(sizes))


def _every_other(observed: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    ways = (list(_orders(observed[block].tolist())) for block in members)
    arms = np.tile(observed, (prod(_n_ways(observed[block]) for block in members), 1))
    for row, orders in zip(arms, product(*ways), strict=True):
        for block, order in zip(members, orders, strict=True):
            row[block] = order
    return arms[(arms != observed).any(axis=1)]


def _orders(labels: list[int]) -> Iterator[list[int]]:
    """Yield every distinct order of some labels: the places of the last arm, then the others in theirs."""
    last = max(labels, default=0)
    others = [label for label in labels if label != last]
    if not others:
        yield labels
        return
    orders = list(_orders(others))
    for places in combinations(range(len(labels)), len(labels) - len(others)):
        for order in orders:
            found = order.copy()
            for place in places:
                found.insert(place, last)
            yield found


def stratum_members(strata: npt.ArrayLike | None, n: int) -> list[np.ndarray]:
    """Return the indices of the participants of each stratum."""
    labels = stratum_labels(strata, n)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def shuffled(values: np.ndarray, members: list[np.ndarray], count: int, seed: int) -> np.ndarray:
    """Return ``values`` (n,) in random order within each group of members, (count, n)."""
    generator = np.random.default_rng(seed)
    drawn = np.tile(values, (count, 1))
    for block in members:
        drawn[:, block] = generator.permuted(np.tile(values[block], (count, 1)), axis=1)
    return drawn
