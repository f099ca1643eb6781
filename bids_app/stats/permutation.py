"""The re-randomization test of a difference between arms, over all voxels."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.multitest import fdrcorrection
from threadpoolctl import threadpool_limits

from bids_app.stats.model import ArmModel, Effect
from bids_app.stats.pvalues import familywise, tie_bound
from bids_app.stats.tfce import tfce
from bids_app.stats.zscore import ZTable

# Fixed, so that rounding in the matrix products does not depend on the count of threads.
BATCH = 16


@dataclass(frozen=True)
class Comparison:
    """Two arms compared at every voxel, by re-randomization.

    Attributes
    ----------
    effect : Effect
        Estimates and parametric statistics.
    statistic : (V,) float64 ndarray
        What was permuted: signed TFCE of z, or t.
    p : (V,) float64 ndarray
        Two-sided, uncorrected.
    p_fwe : (V,) float64 ndarray
        Two-sided, corrected by the maximum over voxels and both signs.
    p_fdr : (V,) float64 ndarray
        ``p`` corrected after Benjamini & Hochberg.
    max_statistics : (D,) float64 ndarray
        Largest magnitude of each draw, the observed allocation first.
    exhaustive : bool
        True if the draws are all allocations there are.
    """

    effect: Effect
    statistic: np.ndarray
    p: np.ndarray
    p_fwe: np.ndarray
    p_fdr: np.ndarray
    max_statistics: np.ndarray
    exhaustive: bool


def compare_arms(followup, baseline, nuisance, allocations, *, neighbours=None, n_jobs=1, progress=None):
    """Compare the arms of a trial at every voxel or parcel.

    Parameters
    ----------
    followup : (n, V) array-like of float
        Maps after treatment; for change scores give the change here and no baseline.
    baseline : (n, V) array-like of float or None
        Maps before treatment: each voxel is adjusted for its own baseline (ANCOVA).
    nuisance : (n, m) float64 ndarray
        From `nuisance`.
    allocations : Allocations
        From `allocations`; the first is the observed one.
    neighbours : (V, K) int32 ndarray, optional
        Test signed TFCE of z over these neighbours; without them, test t.
    n_jobs : int, optional
        Count of threads; the result does not depend on it.
    progress : callable, optional
        Called with the count of draws done and their total.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the maps are not finite, shapes differ, or the nuisance tells the arms apart fully.

    Notes
    -----
    p is the share of allocations, the observed one included, whose statistic is at least as large in
    magnitude. It is exact under the hypothesis that treatment changed nobody, whatever the model: labels
    are exchanged as they were randomized, and covariates stay with their participants.

    Examples
    --------
    Of the 6 allocations of 4 participants, the observed one and its mirror image differ most.

    >>> from bids_app.stats import allocations
    >>> maps = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> compare_arms(maps, None, np.ones((4, 1)), allocations([0, 0, 1, 1])).p.round(3)
    array([0.333])
    """
    model = ArmModel.prepare(followup, baseline, nuisance)
    effect = model.effect(allocations.arms[0])
    statistic_of = _statistic(model, neighbours)
    with threadpool_limits(1, user_api="blas"):
        observed = statistic_of(allocations.arms[:1])[0]
        counts, maxima = _count(statistic_of, observed, allocations.arms, n_jobs, progress)
    p = counts / len(maxima)
    return Comparison(
        effect=effect,
        statistic=observed,
        p=p,
        p_fwe=familywise(maxima, observed),
        p_fdr=fdrcorrection(p)[1],
        max_statistics=maxima,
        exhaustive=allocations.exhaustive,
    )


def _statistic(model, neighbours):
    """Return the function from a batch of allocations (B, n) to their statistics (B, V)."""
    if neighbours is None:
        return model.t
    to_z = ZTable(model.df)
    return lambda arms: np.stack([tfce(z, neighbours) for z in to_z(model.t(arms))])


def _count(statistic_of, observed, arms, n_jobs, progress):
    """Count per voxel the draws that reach the observed statistic, and keep each draw's maximum."""
    bound = tie_bound(observed)

    def examine(batch):
        magnitude = np.abs(statistic_of(batch))
        return np.sum(magnitude >= bound, axis=0), magnitude.max(axis=1)

    counts, maxima = np.zeros(len(observed), dtype=np.int64), np.empty(len(arms))
    batches = [arms[start : start + BATCH] for start in range(0, len(arms), BATCH)]
    done = 0
    with ThreadPoolExecutor(n_jobs) as pool:
        for reached, largest in pool.map(examine, batches):
            counts += reached
            maxima[done : done + len(largest)] = largest
            done += len(largest)
            if progress is not None:
                progress(done, len(arms))
    return counts, maxima
