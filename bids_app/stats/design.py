"""What the trial's comparison is adjusted for."""

import numpy as np


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
    strata = stratum_labels(strata, n)
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


def stratum_labels(strata, n):
    """Return one label per participant, (n,); a single stratum where none are given."""
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
