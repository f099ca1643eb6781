"""The linear model of a trial, fitted to all voxels and many allocations by matrix products."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bids_app.stats.zscore import t_to_z

# Norms below this fraction of the norm before adjustment are rounding, not variance.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Effect:
    """Adjusted difference between the arms, (V,) float64 each but ``df``.

    Attributes
    ----------
    difference : (V,) ndarray
        Arm 1 minus arm 0, in the units of the map.
    standard_error : (V,) ndarray
        Of the difference, same units.
    t, z : (V,) ndarray
        Difference over standard error, and the normal deviate of the same tail.
    df : int
        Residual degrees of freedom.
    ci_low, ci_high : (V,) ndarray
        95 % confidence interval of the difference, by Student's t.
    hedges_g : (V,) ndarray
        Difference over the pooled within-arm SD of the outcome analysed (the follow-up, or the
        change), corrected for small samples.
    """

    difference: np.ndarray
    standard_error: np.ndarray
    t: np.ndarray
    z: np.ndarray
    df: int
    ci_low: np.ndarray
    ci_high: np.ndarray
    hedges_g: np.ndarray


@dataclass(frozen=True)
class ArmModel:
    r"""outcome ~ arm + the voxel's own baseline + nuisance, prepared once for every allocation.

    With :math:`\tilde a` the arm without nuisance, :math:`\hat b` the baseline without nuisance, of unit
    norm, and :math:`\hat y` the outcome without both, of unit norm (Frisch, Waugh & Lovell):

    .. math::

        r = \frac{a'\hat y}{\sqrt{\tilde a'\tilde a - (a'\hat b)^2}}, \qquad t = r \sqrt{\frac{df}{1 - r^2}}

    Attributes
    ----------
    outcome : (n, V) float64 ndarray
        As given, in map units.
    outcome_unit : (n, V) float64 ndarray
        :math:`\hat y`; zero where the outcome has no variance left.
    outcome_norm : (V,) float64 ndarray
        Norm of the adjusted outcome, in map units.
    baseline_unit : (n, V) float64 ndarray or None
        :math:`\hat b`.
    nuisance_basis : (n, m) float64 ndarray
        Orthonormal.
    df : int
        n - m - 1, less one for the baseline (also where a voxel's baseline is constant).

    Examples
    --------
    >>> model = ArmModel.prepare(np.array([[1.0], [2.0], [3.0], [4.0]]), None, np.ones((4, 1)))
    >>> effect = model.effect(np.array([0, 0, 1, 1]))
    >>> [round(float(value[0]), 4) for value in (effect.difference, effect.standard_error, effect.t)]
    [2.0, 0.7071, 2.8284]
    """

    outcome: np.ndarray
    outcome_unit: np.ndarray
    outcome_norm: np.ndarray
    baseline_unit: np.ndarray | None
    nuisance_basis: np.ndarray
    df: int

    @classmethod
    def prepare(cls, followup, baseline, nuisance):
        """Take nuisance and baseline out of the outcome.

        Parameters
        ----------
        followup : (n, V) array-like of float
            Outcome, in map units; the change for an analysis of change scores.
        baseline : (n, V) array-like of float or None
            Each voxel's own covariate, or none.
        nuisance : (n, m) float64 ndarray
            Of full rank, with the intercept.

        Raises
        ------
        ValueError
            If the shapes differ, a value is not finite, or no residual degree of freedom is left.
        """
        followup = _finite(followup, "followup")
        df = len(nuisance) - nuisance.shape[1] - 1 - (baseline is not None)
        if len(followup) != len(nuisance) or df < 1:
            raise ValueError(f"{len(followup)} outcomes, nuisance of shape {nuisance.shape}: {df} df are left")
        basis = np.linalg.qr(nuisance)[0]
        residual, baseline_unit = _without(basis, followup), None
        if baseline is not None:
            baseline = _finite(baseline, "baseline")
            if baseline.shape != followup.shape:
                raise ValueError(f"baseline has shape {baseline.shape}, followup {followup.shape}")
            baseline_unit = _unit(_without(basis, baseline), baseline)[0]
            residual -= baseline_unit * np.sum(baseline_unit * residual, axis=0)
        return cls(followup, *_unit(residual, followup), baseline_unit, basis, df)

    def t(self, arms):
        """Return Student's t of the arm for a batch of allocations.

        Parameters
        ----------
        arms : (B, n) array-like of 0 and 1

        Returns
        -------
        (B, V) float64 ndarray
            0 where the outcome has no variance, or the voxel's baseline tells the arms apart fully.
        """
        r, _ = self._correlation(arms)
        return r * np.sqrt(self.df / _unexplained(r))

    def effect(self, arm):
        r"""Estimate the adjusted difference between the arms of one allocation.

        Parameters
        ----------
        arm : (n,) array-like of 0 and 1

        Returns
        -------
        Effect

        Raises
        ------
        ValueError
            If the nuisance columns tell the arms apart fully.

        Notes
        -----
        Hedges' g is :math:`J \cdot` difference / SD with :math:`J = 1 - 3 / (4 (n_1 + n_0 - 2) - 1)`. SD is
        that of the outcome analysed, pooled over the arms, not adjusted for covariates.
        Hedges (1981), doi:10.3102/10769986006002107.
        """
        arm = np.asarray(arm)
        r, free = (rows[0] for rows in self._correlation(arm[None]))
        if np.isinf(free).all():
            raise ValueError("the arm is a linear combination of the nuisance columns")
        difference = r * self.outcome_norm / np.sqrt(free)
        standard_error = self.outcome_norm * np.sqrt(_unexplained(r) / self.df / free)
        margin = special.stdtrit(self.df, 0.975) * standard_error
        t = r * np.sqrt(self.df / _unexplained(r))
        return Effect(
            difference=difference,
            standard_error=standard_error,
            t=t,
            z=t_to_z(t, self.df),
            df=self.df,
            ci_low=difference - margin,
            ci_high=difference + margin,
            hedges_g=_hedges_g(difference, self.outcome, arm),
        )

    def _correlation(self, arms):
        """Return partial correlations of arm and outcome, and the arm's free sums of squares, (B, V) each."""
        arms = np.asarray(arms, dtype=np.float64)
        total = np.square(_without(self.nuisance_basis, arms.T)).sum(axis=0)[:, None]
        free = np.repeat(total, self.outcome.shape[1], axis=1)
        if self.baseline_unit is not None:
            free -= np.square(arms @ self.baseline_unit)
        free[free <= NEGLIGIBLE * arms.sum(axis=1, keepdims=True)] = np.inf
        return arms @ self.outcome_unit / np.sqrt(free), free


def _unexplained(r):
    return np.maximum(1 - np.square(r), np.finfo(float).eps)


def _finite(values, name):
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"{name} must be (n, V) and finite: shape {values.shape}, {np.isnan(values).sum()} NaN")
    return values


def _without(basis, values):
    return values - basis @ (basis.T @ values)


def _unit(residual, original):
    norm = np.linalg.norm(residual, axis=0)
    norm[norm <= NEGLIGIBLE * np.linalg.norm(original, axis=0)] = 0.0
    return residual * np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0), norm


def _hedges_g(difference, outcome, arm):
    groups = [outcome[arm == label] for label in (0, 1)]
    df = len(outcome) - 2
    deviation = np.sqrt(sum(np.square(group - group.mean(axis=0)).sum(axis=0) for group in groups) / df)
    correction = 1 - 3 / (4 * df - 1)
    return correction * np.divide(difference, deviation, out=np.zeros_like(deviation), where=deviation > 0)
