"""The hypothesis that an estimand tests on the maps of some participants: a linear model of every voxel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from bids_app.stats.allocation import MOST_ARMS
from bids_app.stats.estimands import Estimand


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """Linear model of every voxel, with the columns whose coefficients are tested.

    Attributes
    ----------
    kind : str
        Of the `Estimand`; it decides on Hedges' g.
    outcome : (n, V) float64 ndarray
        NaN where a participant has no data.
    tested : (n, q) float64 ndarray
    nuisance : (n, m) float64 ndarray
    regressors : tuple of (n, V) float64 ndarray
        Voxel-wise, NaN as the outcome.
    arm : (n,) int8 ndarray
        From 0; all 0 where one group is described.
    codes : (K, q) float64 ndarray or None
        The tested columns of each arm, where they are those of the arms.
    n_along : int
        The last so many tested columns tell the arms apart in other ways than those tested: they move with the
        labels, and are adjusted for.
    """

    kind: str
    outcome: np.ndarray
    tested: np.ndarray
    nuisance: np.ndarray
    regressors: tuple[np.ndarray, ...]
    arm: np.ndarray
    codes: np.ndarray | None = None
    n_along: int = 0

    def settled(self) -> "Hypothesis":
        """Return the same with what goes along among the nuisance, for draws that do not move it."""
        if not self.n_along:
            return self
        own, along = self.tested[:, : -self.n_along], self.tested[:, -self.n_along :]
        codes = None if self.codes is None else self.codes[:, : -self.n_along]
        return replace(self, tested=own, nuisance=np.column_stack([self.nuisance, along]), codes=codes, n_along=0)


def hypothesis(
    estimand: Estimand,
    maps: Mapping[str, npt.ArrayLike],
    nuisance: np.ndarray,
    *,
    arm: npt.ArrayLike | None = None,
    covariate: npt.ArrayLike | None = None,
    regressors: Sequence[npt.ArrayLike] = (),
) -> Hypothesis:
    r"""State what an estimand tests on the maps of some participants.

    Parameters
    ----------
    estimand : Estimand
        The outcome is the weighted sum of the maps. Adjusted for are the arms not tested, its baselines, nuisance and
        regressors; for a mean the nuisance is centred.
    maps : mapping of (n, V) array-like of float
        By visit; NaN where a participant has no data.
    nuisance : (n, m) float64 ndarray
        From `nuisance`, with the intercept.
    arm : (n,) array-like of int, optional
        From 0. Needed for differences between arms. A mean is of the participants given: those of its arm.
    covariate : (n,) or (n, q) array-like of float, optional
        Of slopes; several columns are tested together by F.
    regressors : sequence of (n, V) array-like of float, optional
        Other voxel-wise covariates, such as grey matter density.

    Returns
    -------
    Hypothesis

    Raises
    ------
    ValueError
        If what the estimand needs is not given, shapes differ, values are infinite, no degree of freedom is left, or
        a tested column depends on the nuisance.

    Examples
    --------
    >>> from bids_app.stats import two_visits
    >>> maps = {"baseline": [[1.0], [1.0]], "followup": [[3.0], [5.0]]}
    >>> change = hypothesis(two_visits("change"), maps, np.empty((2, 0)), arm=[0, 1])
    >>> change.outcome.ravel(), change.tested.ravel()
    (array([2., 4.]), array([0., 1.]))
    """
    if lacking := [visit for visit in estimand.visits if visit not in maps]:
        raise ValueError(f"the estimand needs {lacking[0]} maps")
    first, *_ = estimand.visits
    named = {visit: maps[visit] for visit in estimand.visits}
    named |= {f"regressor {index}": values for index, values in enumerate(regressors)}
    read = {name: _maps(values, name) for name, values in named.items()}
    shape = read[first].shape
    for name, values in read.items():
        if values.shape != shape:
            raise ValueError(f"{name} has shape {values.shape}, {first} {shape}")
    own = [values for name, values in read.items() if name in estimand.adjusts or name not in estimand.visits]
    if len(nuisance) != shape[0]:
        raise ValueError(f"the maps have {shape[0]} participants, nuisance {len(nuisance)}")
    labels = _arm(arm, estimand, shape[0])
    columns = _columns(estimand, labels, covariate, np.asarray(nuisance, dtype=np.float64))
    require_estimable(columns["tested"], columns["nuisance"], len(own))
    outcome = _outcome(estimand, read)
    return Hypothesis(kind=estimand.kind, outcome=outcome, regressors=tuple(own), arm=labels, **columns)


def arm_codes(tested: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Code the arms so that the coefficients of the first columns are the differences tested.

    Parameters
    ----------
    tested : (R, K) array-like of float
        Independent rows that add up to 0.

    Returns
    -------
    own : (K, R) float64 ndarray
        Columns of the arms whose coefficients are the differences, whatever is in the others.
    along : (K, K - 1 - R) float64 ndarray
        Columns for what else differs between the arms.

    Notes
    -----
    With the reference's mean as intercept and C the rows without the reference, the means m of the others are
    :math:`[C; E]^{-1}` times the coefficients, of which the first are :math:`Cm`; E completes C by unit rows.

    Examples
    --------
    The second dose minus the first, beside the placebo: those of the second, and those of either.

    >>> own, along = arm_codes([[0, -1, 1]])
    >>> own.ravel().tolist(), along.ravel().tolist()
    ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    rows = np.atleast_2d(np.asarray(tested, dtype=np.float64))
    whole = rows[:, 1:]
    for unit in np.eye(rows.shape[1] - 1):
        if np.linalg.matrix_rank(np.vstack([whole, unit])) > len(whole):
            whole = np.vstack([whole, unit])
    codes = np.vstack([np.zeros(len(whole)), np.linalg.inv(whole)]) + 0.0
    return codes[:, : len(rows)], codes[:, len(rows) :]


def _maps(values: npt.ArrayLike, name: str) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise ValueError(f"{name} must be (n, V) without infinite values: shape {values.shape}")
    return values


def _outcome(estimand: Estimand, maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the weighted sum over visits; a weight of 1 or -1 leaves every bit."""
    parts = (maps[visit] if weight == 1 else weight * maps[visit] for visit, weight in estimand.outcome.items())
    return reduce(np.add, parts)


def _arm(arm: npt.ArrayLike | None, estimand: Estimand, n: int) -> np.ndarray:
    if arm is None or estimand.kind == "mean":
        if estimand.tested:
            raise ValueError("a difference between arms needs the arm of each participant")
        return np.zeros(n, dtype=np.int8)
    arm = np.asarray(arm)
    n_arms = len(estimand.tested[0]) if estimand.tested else MOST_ARMS
    if arm.shape != (n,) or not np.isin(arm, np.arange(n_arms)).all():
        raise ValueError(
            f"arm must be {n} whole numbers from 0 to {n_arms - 1}: shape {arm.shape}, values {np.unique(arm).tolist()}"
        )
    return arm.astype(np.int8)


def _columns(
    estimand: Estimand, arm: np.ndarray, covariate: npt.ArrayLike | None, nuisance: np.ndarray
) -> dict[str, Any]:
    """Return the tested columns, the nuisance, and how the arms are coded."""
    if estimand.kind == "mean":
        # The intercept is then the mean at the average of every covariate.
        return {"tested": np.ones((len(arm), 1)), "nuisance": nuisance - nuisance.mean(axis=0)}
    if estimand.kind == "difference":
        own, along = arm_codes(estimand.tested)
        codes = np.column_stack([own, along])
        return {"tested": codes[arm], "nuisance": nuisance, "codes": codes, "n_along": along.shape[1]}
    if covariate is None:
        raise ValueError("a slope needs a covariate")
    covariate = np.asarray(covariate, dtype=np.float64).reshape(len(arm), -1)
    if not np.isfinite(covariate).all():
        raise ValueError(f"the covariate holds {np.sum(~np.isfinite(covariate))} values that are not finite")
    covariate = covariate - covariate.mean(axis=0)
    arms = (arm[:, None] == np.unique(arm)[1:]).astype(np.float64)
    if not estimand.tested:
        return {"tested": covariate, "nuisance": np.column_stack([nuisance, arms]) if arms.size else nuisance}
    slopes, others = ([covariate * column[arm][:, None] for column in codes.T] for codes in arm_codes(estimand.tested))
    return {"tested": np.hstack(slopes), "nuisance": np.column_stack([nuisance, arms, covariate, *others])}


def require_estimable(tested: np.ndarray, nuisance: np.ndarray, n_regressors: int) -> None:
    """Refuse, by a ValueError, tested columns (n, q) that the nuisance (n, m) holds, and a model without an error."""
    rank = np.linalg.matrix_rank(_scaled(nuisance)) if nuisance.size else 0
    together = np.linalg.matrix_rank(_scaled(np.column_stack([tested, nuisance])))
    df = len(tested) - rank - tested.shape[1] - n_regressors
    if together < rank + tested.shape[1]:
        raise ValueError(f"of {tested.shape[1]} tested columns, one is a linear combination of the nuisance columns")
    if df < 1:
        raise ValueError(
            f"{len(tested)} participants, {rank} nuisance columns, {n_regressors} regressors: {df} df are left"
        )


def _scaled(columns: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(columns, axis=0)
    return columns / np.where(norm > 0, norm, 1)
