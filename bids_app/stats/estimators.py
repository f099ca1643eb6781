"""What is estimated: the outcome, the columns tested, and what they are adjusted for."""

from dataclasses import dataclass

import numpy as np

# Whether an estimator compares the arms, describes a group, or is a slope; it decides on Hedges' g.
KINDS = {
    "ancova": "difference",
    "change": "difference",
    "post": "difference",
    "within": "mean",
    "slope": "slope",
    "slope-by-arm": "slope",
}


@dataclass(frozen=True)
class Hypothesis:
    """Linear model of every voxel, with the columns whose coefficients are tested.

    Attributes
    ----------
    estimator : str
        A key of `KINDS`.
    outcome : (n, V) float64 ndarray
        NaN where a participant has no data.
    tested : (n, q) float64 ndarray
    nuisance : (n, m) float64 ndarray
    regressors : tuple of (n, V) float64 ndarray
        Voxel-wise, NaN as the outcome.
    arm : (n,) int8 ndarray
        0 or 1; all 0 where one group is described.
    """

    estimator: str
    outcome: np.ndarray
    tested: np.ndarray
    nuisance: np.ndarray
    regressors: tuple[np.ndarray, ...]
    arm: np.ndarray

    @property
    def kind(self):
        """``"difference"``, ``"mean"`` or ``"slope"``."""
        return KINDS[self.estimator]


def hypothesis(estimator, followup, baseline, nuisance, *, arm=None, covariate=None, regressors=()):
    r"""State what an estimator tests.

    ==============  ======================  =====================  =======================================
    estimator       outcome                 tested                 adjusted for
    ==============  ======================  =====================  =======================================
    ancova          follow-up               arm                    baseline, nuisance, regressors
    change          follow-up - baseline    arm                    nuisance, regressors
    post            follow-up               arm                    nuisance, regressors
    within          follow-up - baseline    mean                   centred nuisance, regressors
    slope           follow-up               covariate              arm, baseline, nuisance, regressors
    slope-by-arm    follow-up               covariate * arm        both, baseline, nuisance, regressors
    ==============  ======================  =====================  =======================================

    Parameters
    ----------
    estimator : str
    followup : (n, V) array-like of float
        Maps after treatment, NaN where a participant has no data.
    baseline : (n, V) array-like of float or None
        Maps before treatment. For the slopes, None leaves it out, as when the outcome is a change itself.
    nuisance : (n, m) float64 ndarray
        From `nuisance`, with the intercept.
    arm : (n,) array-like of 0 and 1, optional
        Needed by all but ``within``, which describes the participants given, and ``slope``.
    covariate : (n,) or (n, q) array-like of float, optional
        Of the slopes; several columns are tested together by F.
    regressors : sequence of (n, V) array-like of float, optional
        Other voxel-wise covariates, such as grey matter density.

    Returns
    -------
    Hypothesis

    Raises
    ------
    ValueError
        If the estimator is unknown, what it needs is not given, shapes differ, values are infinite, no
        degree of freedom is left, or a tested column depends on the nuisance.

    Notes
    -----
    ``within`` is descriptive: an effect in one arm and none in the other is no difference between arms
    (Bland & Altman 2011, doi:10.1186/1745-6215-12-264). ANCOVA has :math:`(1 + r) / 2` of the variance of the change
    score, with r the test-retest correlation, and no bias from a chance imbalance at baseline
    (Vickers 2001, doi:10.1186/1471-2288-1-6).

    Examples
    --------
    >>> change = hypothesis("change", [[3.0], [5.0]], [[1.0], [1.0]], np.empty((2, 0)), arm=[0, 1])
    >>> change.outcome.ravel(), change.tested.ravel()
    (array([2., 4.]), array([0., 1.]))
    """
    if estimator not in KINDS:
        raise ValueError(f"the estimator must be one of {', '.join(KINDS)}, not {estimator!r}")
    followup = _maps(followup, "followup")
    if len(followup) != len(nuisance):
        raise ValueError(f"followup has {len(followup)} participants, nuisance {len(nuisance)}")
    named = {} if baseline is None else {"baseline": baseline}
    named |= {f"regressor {index}": regressor for index, regressor in enumerate(regressors)}
    maps = [_maps(values, name, followup.shape) for name, values in named.items()]
    arm = _arm(arm, estimator, len(followup))
    outcome, own = _outcome(estimator, followup, maps, baseline is not None)
    tested, nuisance = _columns(estimator, arm, covariate, np.asarray(nuisance, dtype=np.float64))
    _require_estimable(tested, nuisance, len(own))
    return Hypothesis(estimator, outcome, tested, nuisance, tuple(own), arm)


def _maps(values, name, shape=None):
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise ValueError(f"{name} must be (n, V) without infinite values: shape {values.shape}")
    if shape is not None and values.shape != shape:
        raise ValueError(f"{name} has shape {values.shape}, followup {shape}")
    return values


def _arm(arm, estimator, n):
    if arm is None or estimator == "within":
        if KINDS[estimator] == "difference" or estimator == "slope-by-arm":
            raise ValueError(f"the estimator {estimator} needs the arm of each participant")
        return np.zeros(n, dtype=np.int8)
    arm = np.asarray(arm)
    if arm.shape != (n,) or not np.isin(arm, (0, 1)).all():
        raise ValueError(f"arm must be {n} values of 0 and 1: shape {arm.shape}, values {np.unique(arm).tolist()}")
    return arm.astype(np.int8)


def _outcome(estimator, followup, maps, has_baseline):
    """Return outcome and voxel-wise regressors; ``maps`` are the baseline, if there is one, and the regressors."""
    if estimator in ("ancova", "change", "within") and not has_baseline:
        raise ValueError(f"the estimator {estimator} needs baseline maps")
    if estimator in ("change", "within"):
        return followup - maps[0], maps[1:]
    return followup, maps[has_baseline:] if estimator == "post" else maps


def _columns(estimator, arm, covariate, nuisance):
    """Return the tested columns and the nuisance."""
    if KINDS[estimator] == "difference":
        return arm[:, None].astype(np.float64), nuisance
    if estimator == "within":
        # The intercept is then the mean at the average of every covariate.
        return np.ones((len(arm), 1)), nuisance - nuisance.mean(axis=0)
    if covariate is None:
        raise ValueError(f"the estimator {estimator} needs a covariate")
    covariate = np.asarray(covariate, dtype=np.float64).reshape(len(arm), -1)
    if not np.isfinite(covariate).all():
        raise ValueError(f"the covariate holds {np.sum(~np.isfinite(covariate))} values that are not finite")
    covariate = covariate - covariate.mean(axis=0)
    if estimator == "slope":
        return covariate, np.column_stack([nuisance, arm]) if len(np.unique(arm)) > 1 else nuisance
    return covariate * arm[:, None], np.column_stack([nuisance, arm, covariate])


def _require_estimable(tested, nuisance, n_regressors):
    rank = np.linalg.matrix_rank(_scaled(nuisance)) if nuisance.size else 0
    together = np.linalg.matrix_rank(_scaled(np.column_stack([tested, nuisance])))
    df = len(tested) - rank - tested.shape[1] - n_regressors
    if together < rank + tested.shape[1]:
        raise ValueError(f"of {tested.shape[1]} tested columns, one is a linear combination of the nuisance columns")
    if df < 1:
        raise ValueError(
            f"{len(tested)} participants, {rank} nuisance columns, {n_regressors} regressors: {df} df are left"
        )


def _scaled(columns):
    norm = np.linalg.norm(columns, axis=0)
    return columns / np.where(norm > 0, norm, 1)
