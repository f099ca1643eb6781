"""The trial's design: what is adjusted for, and which other allocations the trial could have drawn."""

from dataclasses import dataclass
from itertools import chain, combinations, product
from math import comb, prod

import numpy as np


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
    n_possible : int
        Count of the distinct allocations the trial could have drawn.
    """

    arms: np.ndarray
    exhaustive: bool
    n_possible: int


def nuisance(n, covariates=None, strata=None):
    """Columns the arms are adjusted for: intercept, centred covariates, stratum dummies.

    Parameters
    ----------
    n : int
        Count of participants.
    covariates : (n, k) array-like of float, optional
        Measured before randomization (age, baseline motion); the columns are centred.
    strata : (n,) array-like of labels, optional
        Strata of the randomization; the first in sorted order has no dummy.

    Returns
    -------
    (n, 1 + k + S - 1) float64 ndarray

    Raises
    ------
    ValueError
        If a covariate is not finite, or the columns are linearly dependent.

    Examples
    --------
    >>> nuisance(3, covariates=[[20.0], [30.0], [40.0]], strata=["a", "a", "b"])
    array([[  1., -10.,   0.],
           [  1.,   0.,   0.],
           [  1.,  10.,   1.]])
    """
    covariates = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    strata = _labels(strata, n)
    if covariates.ndim != 2 or len(covariates) != n:
        raise ValueError(f"covariates must have shape ({n}, k), not {covariates.shape}")
    if not np.isfinite(covariates).all():
        raise ValueError(f"covariates hold {np.sum(~np.isfinite(covariates))} values that are not finite")
    dummies = strata[:, None] == np.unique(strata)[1:]
    design = np.column_stack([np.ones(n), covariates - covariates.mean(axis=0), dummies])
    names = ["intercept"]
    names += [f"covariate {column}" for column in range(covariates.shape[1])]
    names += [f"stratum {label}" for label in np.unique(strata)[1:]]
    _require_full_rank(design, names)
    return design


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
    values = np.asarray(arm)
    if values.ndim != 1 or not np.isin(values, (0, 1)).all():
        raise ValueError(f"arm must be a vector of 0 and 1, found {np.unique(values).tolist()}")
    observed, strata = values.astype(np.int8), _labels(strata, len(values))
    members = [np.flatnonzero(strata == label) for label in np.unique(strata)]
    n_possible = prod(comb(len(block), int(observed[block].sum())) for block in members)
    if n_possible == 1:
        raise ValueError("both arms must be present in at least one stratum: no other allocation is possible")
    exhaustive = n_possible <= n_draws
    others = _every_other(observed, members) if exhaustive else _random(observed, members, n_draws - 1, seed)
    return Allocations(np.vstack([observed, others]), exhaustive, n_possible)


def _labels(strata, n):
    labels = np.zeros(n, dtype=int) if strata is None else np.asarray(strata)
    if labels.shape != (n,):
        raise ValueError(f"strata must have shape ({n},), not {labels.shape}")
    return labels


def _require_full_rank(design, names):
    ranks = [np.linalg.matrix_rank(design[:, : stop + 1]) for stop in range(design.shape[1])]
    dependent = [name for name, step in zip(names, np.diff(ranks, prepend=0), strict=True) if step == 0]
    if dependent:
        raise ValueError(
            f"the design is rank deficient: {', '.join(dependent)} depends on the columns before, of {names}"
        )


def _every_other(observed, members):
    ways = (combinations(block, int(observed[block].sum())) for block in members)
    chosen = [list(chain.from_iterable(choice)) for choice in product(*ways)]
    arms = np.zeros((len(chosen), len(observed)), dtype=np.int8)
    for row, participants in zip(arms, chosen, strict=True):
        row[participants] = 1
    return arms[(arms != observed).any(axis=1)]


def _random(observed, members, count, seed):
    generator = np.random.default_rng(seed)
    arms = np.empty((count, len(observed)), dtype=np.int8)
    for block in members:
        arms[:, block] = generator.permuted(np.tile(observed[block], (count, 1)), axis=1)
    return arms
