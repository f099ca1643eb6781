"""What the trial's comparison is adjusted for."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def nuisance(
    n: int,
    covariates: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Columns the arms are adjusted for: intercept, centred covariates, stratum dummies.

    Parameters
    ----------
    n : int
        Count of participants.
    covariates : (n, k) array-like of float, optional
        Measured before randomization (age, baseline motion); the columns are centred.
    strata : (n,) array-like of labels, optional
        Strata of the randomization; the first in sorted order has no dummy.
    names : sequence of str, optional
        What the k covariates are called in messages; by default covariate 0, covariate 1 ...

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
    strata = stratum_labels(strata, n)
    if covariates.ndim != 2 or len(covariates) != n:
        raise ValueError(f"covariates must have shape ({n}, k), not {covariates.shape}")
    if not np.isfinite(covariates).all():
        raise ValueError(f"covariates hold {np.sum(~np.isfinite(covariates))} values that are not finite")
    dummies = strata[:, None] == np.unique(strata)[1:]
    centred = covariates - covariates.mean(axis=0) if n else covariates
    design = np.column_stack([np.ones(n), centred, dummies])
    names = [f"covariate {column}" for column in range(covariates.shape[1])] if names is None else list(names)
    names = ["the intercept", *names]
    names += [f"stratum {label}" for label in np.unique(strata)[1:]]
    _require_full_rank(design, names)
    return design


def stratum_labels(strata: npt.ArrayLike | None, n: int) -> np.ndarray:
    """Return one label per participant, (n,); a single stratum where none are given."""
    labels = np.zeros(n, dtype=int) if strata is None else np.asarray(strata)
    if labels.shape != (n,):
        raise ValueError(f"strata must have shape ({n},), not {labels.shape}")
    return labels


def independent_columns(columns: npt.ArrayLike, strata: npt.ArrayLike | None = None) -> np.ndarray:
    """Leave out the columns that depend on the intercept, the strata and the columns before them.

    What is adjusted for is the same with and without them. Where a level has no member left in a part of the
    participants, the dummies of the others add up to the intercept.

    Parameters
    ----------
    columns : (n, k) float array-like
    strata : (n,) array-like of labels, optional

    Returns
    -------
    (n, at most k) float64 ndarray

    Examples
    --------
    >>> independent_columns([[1.0, 0, 3], [0, 1, 4], [1, 0, 5], [0, 1, 9]])
    array([[1., 3.],
           [0., 4.],
           [1., 5.],
           [0., 9.]])
    """
    columns = np.asarray(columns, dtype=np.float64)
    labels = stratum_labels(strata, len(columns))
    base = (labels[:, None] == np.unique(labels)).astype(np.float64)
    kept = np.array(leading(np.column_stack([base, _scaled(columns)])))
    return columns[:, kept[kept >= base.shape[1]] - base.shape[1]]


def leading(columns: np.ndarray) -> list[int]:
    """Return which columns do not depend on those before, as a list.

    Examples
    --------
    >>> leading(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]]))
    [0, 2]
    """
    kept: list[int] = []
    for column in range(columns.shape[1]):
        if np.linalg.matrix_rank(columns[:, [*kept, column]]) > len(kept):
            kept.append(column)
    return kept


def _scaled(columns: np.ndarray) -> np.ndarray:
    """Centre columns and scale them, so that a rank does not depend on their units."""
    centred = columns - columns.mean(axis=0)
    size = np.abs(centred).max(axis=0, initial=0)
    return centred / np.where(size > 0, size, 1)


def _require_full_rank(design: np.ndarray, names: list[str]) -> None:
    """Refuse columns that depend on those before, and say on which."""
    if design.shape[1] == 1:
        return
    scaled = np.column_stack([design[:, 0], _scaled(design[:, 1:])])
    kept, dependent = leading(scaled), []
    for column in np.setdiff1d(np.arange(scaled.shape[1]), kept):
        before = [one for one in kept if one < column]
        weights = np.linalg.lstsq(scaled[:, before], scaled[:, column], rcond=None)[0]
        on = [names[one] for one, weight in zip(before, weights, strict=True) if abs(weight) > 1e-8]
        others = [name for name in on if name != names[0]] or on or names[:1]
        dependent.append(f"{names[column]} depends on {', '.join(others)}")
    if dependent:
        raise ValueError(f"the design is rank deficient: {'; '.join(dependent)}")
