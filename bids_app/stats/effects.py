"""Sizes of effects, with their intervals."""

import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from bids_app.stats.fit import ratio
from bids_app.stats.leastsquares import voxel_blocks
from bids_app.stats.voxels import Part, VoxelModels
from bids_app.stats.zscore import f_to_z, t_to_z


@dataclass(frozen=True)
class Effect:
    """Effect of one tested column, (V,) ndarray each but ``df``; NaN where a voxel has too few participants.

    Attributes
    ----------
    difference : ndarray
        Adjusted difference between the arms (of two, arm 1 minus arm 0), in the units of the map; the adjusted
        mean of one group; the slope, or the difference of slopes, in map units per unit of the covariate.
    standard_error : ndarray
        Of the difference, same units; HC3 if asked for.
    t, z : ndarray
        Difference over standard error, and the normal deviate of the same tail.
    df : int
        Residual degrees of freedom, of the voxel with the most participants.
    ci_low, ci_high : ndarray
        95 % confidence interval of the difference, by Student's t.
    hedges_g, g_low, g_high : ndarray
        Difference over the SD of the outcome analysed (the follow-up, or the change), corrected for small
        samples, and its 95 % confidence interval; see `hedges`. NaN for slopes.
    partial_r2 : ndarray
        Share of the adjusted outcome's variance that the tested column explains.
    n : int64 ndarray
        Participants of each voxel.
    voxel_df : int64 ndarray
        Residual degrees of freedom of each voxel.
    """

    difference: np.ndarray
    standard_error: np.ndarray
    t: np.ndarray
    z: np.ndarray
    df: int
    ci_low: np.ndarray
    ci_high: np.ndarray
    hedges_g: np.ndarray
    g_low: np.ndarray
    g_high: np.ndarray
    partial_r2: np.ndarray
    n: np.ndarray
    voxel_df: np.ndarray

    @property
    def nothing_to_test(self) -> np.ndarray:
        """Where the outcome is the same for everyone, (V,) bool."""
        return (self.n > 0) & (self.voxel_df > 0) & ~np.isfinite(self.t)


@dataclass(frozen=True)
class JointEffect:
    """Effect of several tested columns together, (V,) ndarray each but ``df`` and ``q``.

    Attributes
    ----------
    f, z : ndarray
        F with q and df degrees of freedom, and the magnitude of the normal deviate of the same
        two-sided probability.
    q, df : int
        Count of tested columns; residual degrees of freedom, of the voxel with the most participants.
    partial_r2, n, voxel_df : ndarray
        As of `Effect`.
    """

    f: np.ndarray
    z: np.ndarray
    q: int
    df: int
    partial_r2: np.ndarray
    n: np.ndarray
    voxel_df: np.ndarray

    @property
    def nothing_to_test(self) -> np.ndarray:
        """Where nothing could be estimated, (V,) bool."""
        return (self.n > 0) & (self.voxel_df > 0) & ~np.isfinite(self.f)


def estimate(models: VoxelModels) -> Effect | JointEffect:
    """Estimate the effect that was observed.

    Parameters
    ----------
    models : VoxelModels

    Returns
    -------
    Effect or JointEffect
        The latter where several columns are tested.
    """
    hypothesis = models.hypothesis
    q, n_voxels = hypothesis.tested.shape[1] - hypothesis.n_along, hypothesis.outcome.shape[1]
    kind, measure = (Effect, _single) if q == 1 else (JointEffect, _joint)
    maps: dict[str, Any] = {
        field.name: np.full(n_voxels, np.nan) for field in fields(kind) if field.name not in ("df", "q")
    }
    maps |= {name: np.zeros(n_voxels, dtype=np.int64) for name in ("n", "voxel_df")}
    for part in models.parts:
        maps["n"][part.voxels] = len(part.rows)
        if models.enough(hypothesis.arm[None], part.rows)[0]:
            maps["voxel_df"][part.voxels] = part.model.df
            for name, values in measure(part, models).items():
                maps[name][part.voxels] = values
    scalars = {"df": int(maps["voxel_df"].max())} | ({} if q == 1 else {"q": q})
    return kind(**maps, **scalars)


def hedges(
    difference: np.ndarray, standard_error: np.ndarray, df: float, outcome: np.ndarray, arm: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return Hedges' g and its 95 % confidence interval.

    Parameters
    ----------
    difference, standard_error : (V,) float64 ndarray
    df : float
        Of the standard error: the interval is by Student's t, as that of the difference is.
    outcome : (n, V) float64 ndarray
        Whose standard deviation is the unit: not adjusted for covariates. NaN are left out.
    arm : (n,) ndarray of int, optional
        The SD is pooled over the arms; without them, it is that of all participants.

    Returns
    -------
    g, low, high : (V,) float64 ndarray

    Notes
    -----
    :math:`g = J d` with d = difference / SD, :math:`J = \Gamma(\nu / 2) / (\sqrt{\nu / 2}\, \Gamma((\nu - 1) / 2))` and
    :math:`\nu` the degrees of freedom of the SD. The interval is :math:`g \pm t_{.975} J \sqrt{(SE / SD)^2 + d^2 / (2
    \nu)}` with the quantile of Student's t of ``df``: without covariates, :math:`(SE / SD)^2 = 1 / n_1 + 1 / n_0`, the
    usual large-sample variance; with them, the first term has the variance of the adjusted difference. Hedges (1981),
    doi:10.3102/10769986006002107; Borenstein et al. (2009), Introduction to Meta-Analysis, chapter 4. It is that of
    every g of maps and tables.

    Examples
    --------
    Means 2 and 6, variances 1: d = 4, J = 0.798, and t of 4 degrees of freedom is 2.776.

    >>> outcome, arm = np.array([[1.0], [2.0], [3.0], [5.0], [6.0], [7.0]]), np.repeat([0, 1], 3)
    >>> [value.round(3).tolist() for value in hedges(np.array([4.0]), np.sqrt(np.array([2 / 3])), 4, outcome, arm)]
    [[3.192], [-0.426], [6.809]]
    """
    groups = [outcome] if arm is None else [outcome[arm == label] for label in np.unique(arm)]
    known = [np.isfinite(group) for group in groups]
    freedom = sum(there.sum(axis=0) for there in known) - len(groups)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of arms without a value
        squares = sum(np.nansum(np.square(group - np.nanmean(group, axis=0)), axis=0) for group in groups)
        deviation = np.sqrt(squares / freedom)
        correction = small_sample_correction(freedom)
        d = ratio(difference, deviation)
        spread = np.sqrt(np.square(ratio(standard_error, deviation)) + np.square(d) / (2 * freedom))
    margin = special.stdtrit(df, 0.975) * spread
    return correction * d, correction * (d - margin), correction * (d + margin)


def small_sample_correction(freedom: npt.ArrayLike) -> np.ndarray:
    """Return by what Hedges' g is smaller than Cohen's d: the exact J, not its approximation 1 - 3 / (4 df - 1).

    Examples
    --------
    >>> round(float(small_sample_correction(4)), 4), round(1 - 3 / (4 * 4 - 1), 4)
    (0.7979, 0.8)
    """
    freedom = np.asarray(freedom, dtype=float)
    return np.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2)


def _single(part: Part, models: VoxelModels) -> dict[str, np.ndarray]:
    """Return the maps of an `Effect` in the voxels of a part."""
    model, hypothesis = part.model, models.hypothesis
    fit = model.observed(models.robust)
    t = fit.t()[0]
    difference, standard_error = (model.outcome_norm * value[0] for value in (fit.coefficient(), fit.standard_error()))
    margin = special.stdtrit(model.df, 0.975) * standard_error
    found = {"difference": difference, "standard_error": standard_error, "t": t, "z": t_to_z(t, model.df)}
    found |= {"ci_low": difference - margin, "ci_high": difference + margin, "partial_r2": fit.partial_r2()[0]}
    voxels = np.arange(hypothesis.outcome.shape[1])[part.voxels]
    arm = hypothesis.arm[part.rows] if hypothesis.kind == "difference" else None
    flat, sizes = np.empty(len(voxels), dtype=bool), np.full((3, len(voxels)), np.nan)
    for block in voxel_blocks(len(voxels)):
        outcome = hypothesis.outcome[np.ix_(part.rows, voxels[block])]
        flat[block] = np.ptp(outcome, axis=0) == 0  # the same for everyone: there is nothing to test, and no interval
        if hypothesis.kind != "slope":
            sizes[:, block] = hedges(difference[block], standard_error[block], model.df, outcome, arm)
    found |= dict(zip(("hedges_g", "g_low", "g_high"), sizes, strict=True))
    return {name: np.where(flat, np.nan, values) for name, values in found.items()}


def _joint(part: Part, models: VoxelModels) -> dict[str, np.ndarray]:
    """Return the maps of a `JointEffect` in the voxels of a part."""
    fit = part.model.observed(models.robust)
    f = fit.f()[0]
    z = f_to_z(f, q=fit.score.shape[1], df=part.model.df)
    return {"f": f, "z": z, "partial_r2": fit.partial_r2()[0]}
