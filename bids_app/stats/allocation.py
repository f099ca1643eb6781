"""The allocations a trial could have drawn, for its re-randomization test."""

from dataclasses import dataclass
from itertools import chain, combinations, product
from math import comb, prod
from zlib import crc32

import numpy as np

from bids_app.stats.design import stratum_labels


@dataclass(frozen=True)
class Allocations:
    """Allocations of the participants to the arms, the observed one first.

    Attributes
    ----------
    arms : (D, n) int8 ndarray
        One allocation per row, 1 where a participant is in the arm of interest, 0 otherwise.
        Row 0 is the observed allocation: the identity counts as a draw.
    exhaustive : bool
        True if every possible allocation is there, once; the p-values are then exact.
    n_possible : int or None
        Count of the distinct allocations the trial could have drawn, where it is known.
    """

    arms: np.ndarray
    exhaustive: bool
    n_possible: int | None

    def __len__(self):
        return len(self.arms)

    @property
    def fingerprint(self):
        """Number that differs between different draws, to check that tests share them."""
        return crc32(np.ascontiguousarray(self.arms))

    def fit(self, model, window, rows, robust):
        """Return the `Fit` of a slice of the draws to the model of some participants."""
        return model.relabelled(self.arms[window][:, rows, None].astype(np.float64), robust)

    def labels(self, window, arm):
        """Return the arms (B, n) in a slice of the draws."""
        return self.arms[window]


def allocations(arm, strata=None, n_draws=10_000, seed=0):
    """Draw the allocations of the re-randomization test, within the strata of the trial.

    Parameters
    ----------
    arm : (n,) array-like of bool or int
        The observed allocation, 0 or 1.
    strata : (n,) array-like of labels, optional
        Strata of the randomization; the size of each arm within each stratum is kept.
    n_draws : int, optional
        Count of allocations, the observed one included. When no more are possible, all are
        enumerated instead of drawn.
    seed : int, optional
        Seed of ``numpy.random.default_rng``.

    Returns
    -------
    Allocations

    Raises
    ------
    ValueError
        If the arms are not 0 and 1, or no allocation other than the observed one is possible.

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
    """
    observed = _observed(arm)
    members = stratum_members(strata, len(observed))
    n_possible = prod(comb(len(block), int(observed[block].sum())) for block in members)
    if n_possible == 1:
        raise ValueError("both arms must be present in at least one stratum: no other allocation is possible")
    exhaustive = n_possible <= n_draws
    others = _every_other(observed, members) if exhaustive else shuffled(observed, members, n_draws - 1, seed)
    return Allocations(np.vstack([observed, others]), exhaustive, n_possible)


def tabled_allocations(arm, table, *, n_draws=10_000, seed=0, exhaustive=False):
    """Take the allocations of the test from a table, as for minimization.

    Parameters
    ----------
    arm : (n,) array-like of bool or int
        The observed allocation, 0 or 1.
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
        If the table has another shape or other values than 0 and 1, holds no other allocation than the
        observed one, or claims to be exhaustive and lists the observed allocation not exactly once.

    Examples
    --------
    >>> tabled_allocations([1, 0, 1, 0], [[0, 1, 0, 1], [1, 0, 1, 0], [1, 0, 0, 1]], exhaustive=True).arms
    array([[1, 0, 1, 0],
           [0, 1, 0, 1],
           [1, 0, 0, 1]], dtype=int8)
    """
    observed, table = _observed(arm), np.asarray(table)
    if table.ndim != 2 or table.shape[1] != len(observed) or not np.isin(table, (0, 1)).all():
        raise ValueError(f"the table must be (D, {len(observed)}) of 0 and 1, its shape is {table.shape}")
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


def _observed(arm):
    values = np.asarray(arm)
    if values.ndim != 1 or not np.isin(values, (0, 1)).all():
        raise ValueError(f"arm must be a vector of 0 and 1, found {np.unique(values).tolist()}")
    return values.astype(np.int8)


def _every_other(observed, members):
    ways = (combinations(block, int(observed[block].sum())) for block in members)
    chosen = [list(chain.from_iterable(choice)) for choice in product(*ways)]
    arms = np.zeros((len(chosen), len(observed)), dtype=np.int8)
    for row, participants in zip(arms, chosen, strict=True):
        row[participants] = 1
    return arms[(arms != observed).any(axis=1)]


def stratum_members(strata, n):
    """Return the indices of the participants of each stratum."""
    labels = stratum_labels(strata, n)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def shuffled(values, members, count, seed):
    """Return ``values`` (n,) in random order within each group of members, (count, n)."""
    generator = np.random.default_rng(seed)
    drawn = np.empty((count, len(values)), dtype=values.dtype)
    for block in members:
        drawn[:, block] = generator.permuted(np.tile(values[block], (count, 1)), axis=1)
    return drawn
