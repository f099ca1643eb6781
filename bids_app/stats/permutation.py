"""The test of a hypothesis at all voxels, by draws of allocations or of rearranged residuals."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from statsmodels.stats.multitest import fdrcorrection
from threadpoolctl import ThreadpoolController

from bids_app.stats.allocation import Allocations
from bids_app.stats.earlier import EarlierLook, going_on
from bids_app.stats.effects import Effect, JointEffect, estimate
from bids_app.stats.estimands import two_visits
from bids_app.stats.footprint import draws_at_once
from bids_app.stats.hypotheses import Hypothesis, hypothesis
from bids_app.stats.inference import Inference
from bids_app.stats.pvalues import Counted, count_reaching, counted_at, familywise
from bids_app.stats.settling import Stopping
from bids_app.stats.tail import familywise_tail
from bids_app.stats.together import reached_across
from bids_app.stats.voxels import Draws, VoxelModels


@dataclass(frozen=True)
class Comparison:
    """A hypothesis tested at every voxel.

    Attributes
    ----------
    effect : Effect or JointEffect
        Estimates and parametric statistics.
    statistic : (V,) float64 ndarray
        What was tested, see `Inference`; NaN where a voxel has too few participants, as the p-values.
    p : (V,) float64 ndarray
        Two-sided, uncorrected.
    p_fwe : (V,) float64 ndarray
        Two-sided, corrected by the maximum over voxels and both signs.
    p_fdr : (V,) float64 ndarray
        ``p`` corrected after Benjamini & Hochberg.
    max_statistics : (D,) float64 ndarray
        Largest magnitude of each draw, the observed one first.
    exhaustive : bool
        True if the draws are all there are.
    fingerprint : int
        The same for comparisons with the same draws.
    tail : bool
        True if small corrected p were taken from a fitted tail: never where all draws there are were made.
    stopping : Stopping or None
        When the draws stopped, if that was when p was settled: all p are then of `settling.anytime_p`.
    deciding : (V,) bool ndarray or None
        Then the voxels whose p had to be settled, see `Inference.deciding`.
    earlier : tuple of EarlierLook
        Looks that were taken before: corrected p are then of the draws that none of them stopped at, over all draws.
    """

    effect: Effect | JointEffect
    statistic: np.ndarray
    p: np.ndarray
    p_fwe: np.ndarray
    p_fdr: np.ndarray
    max_statistics: np.ndarray
    exhaustive: bool
    fingerprint: int
    tail: bool = False
    stopping: Stopping | None = None
    deciding: np.ndarray | None = None
    earlier: tuple[EarlierLook, ...] = ()


def compare_arms(
    followup: npt.ArrayLike,
    baseline: npt.ArrayLike | None,
    nuisance: np.ndarray,
    allocations: Allocations,
    *,
    n_jobs: int = 1,
    **options: Any,
) -> Comparison:
    """Compare the two arms of a trial at every voxel or parcel, by re-randomization.

    Parameters
    ----------
    followup : (n, V) array-like of float
        Maps after treatment; for change scores give the change here and no baseline.
    baseline : (n, V) array-like of float or None
        Maps before treatment: each voxel is adjusted for its own baseline (ANCOVA).
    nuisance : (n, m) float64 ndarray
        From `nuisance`.
    allocations : Allocations
        From `allocations` or `tabled_allocations`; the first is the observed one.
    n_jobs : int, optional
        Count of threads; the result does not depend on it.
    **options
        ``regressors`` of `hypothesis`, ``progress`` of `compare`, and the attributes of `Inference`: with
        ``neighbours`` signed TFCE of z is tested, without them t.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If shapes differ, values are infinite, or the nuisance tells the arms apart fully.

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
    regressors, progress = options.pop("regressors", ()), options.pop("progress", None)
    maps = {"followup": followup} | ({} if baseline is None else {"baseline": baseline})
    estimand = two_visits("post" if baseline is None else "ancova")
    tested = hypothesis(estimand, maps, nuisance, arm=allocations.arms[0], regressors=regressors)
    return compare(tested, allocations, Inference(**options), n_jobs=n_jobs, progress=progress)


def compare(
    hypothesis: Hypothesis,
    draws: Draws,
    inference: Inference | None = None,
    *,
    earlier: Sequence[EarlierLook] = (),
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Test a hypothesis at every voxel or parcel.

    Parameters
    ----------
    hypothesis : Hypothesis
    draws : Allocations or Rearrangements
        Allocations test a difference of the arms; permutations of the residuals (Freedman & Lane) also
        slopes; sign flips the mean of ``within``.
    inference : Inference, optional
    earlier : sequence of EarlierLook, optional
        What looks before this one found in the same draws, see `earlier.going_on`.
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
        If the draws do not suit the hypothesis, or no voxel has enough participants.

    Notes
    -----
    A draw that leaves a voxel too few participants in an arm gives it the statistic 0, so that the statistic is a
    function of the allocation alone and the test stays exact with voxels that lack participants.
    """
    with one_thread():
        test = _Test.prepare(hypothesis, draws, inference or Inference())
        *_, counted = test.counted_at((len(draws),), n_jobs, progress)
    return test.concluded(counted, earlier=tuple(earlier))


def compare_until_settled(
    tests: Sequence[tuple[Hypothesis, Draws, Inference]],
    stopping: Stopping,
    *,
    families: Sequence[Sequence[int]] = (),
    n_jobs: int = 1,
) -> list[Comparison]:
    """Test hypotheses with the same draws, until it is settled of all of them on which side of alpha p is.

    Parameters
    ----------
    tests : sequence of (Hypothesis, Allocations or Rearrangements, Inference)
        As `compare` takes them. The draws are as many as there may be, in an order by chance.
    stopping : Stopping
        ``most`` of it is not asked: it is how many draws there are.
    families : sequence of sequence of int, optional
        Places of the tests over which p is corrected (`across`): by default each by itself, and all together.
    n_jobs : int, optional
        Count of threads; the result does not depend on it.

    Returns
    -------
    list of Comparison
        All with as many draws. Settled is p in every family, of every voxel that decides (`Inference.deciding`).

    Raises
    ------
    ValueError
        As `compare`, or a fitted tail is asked for, which is not valid wherever draws stop.

    Notes
    -----
    Where the draws are all there are, all are made: p is exact.
    """
    families = families or (*([place] for place in range(len(tests))), range(len(tests)))
    if any(inference.tail for _, _, inference in tests):
        raise ValueError("p of a fitted tail is not valid wherever draws stop")
    if tests[0][1].exhaustive:
        return [compare(*test, n_jobs=n_jobs) for test in tests]
    draws = tests[0][1]
    stopping = replace(stopping, most=len(draws) - 1, whole=draws.n_possible == len(draws))
    with one_thread():
        prepared = [_Test.prepare(*test) for test in tests]
        counts = [test.counted_at(stopping.looks(), n_jobs) for test in prepared]
        for counted in zip(*counts, strict=True):
            found = [test.concluded(one, stopping) for test, one in zip(prepared, counted, strict=True)]
            if all(np.all(settled([found[place] for place in family])) for family in families):
                break
    return found


def settled(comparisons: Sequence[Comparison]) -> list[bool]:
    """Tell of which comparisons it is settled what all draws would say at alpha of p over all of them.

    Parameters
    ----------
    comparisons : list of Comparison
        From `compare_until_settled`.

    Returns
    -------
    list of bool
        Of the voxels that decide; true of all where all draws were made.
    """
    stopping = comparisons[0].stopping
    if stopping is None:  # all draws there are were made
        return [True] * len(comparisons)
    n, most, counts = _deciding_counts(comparisons)
    return [bool(stopping.settled(own, n, most=most).all()) for own in counts]


def by_chance(comparisons: Sequence[Comparison]) -> list[bool]:
    """Tell of which comparisons another seed could move p over all of them to the other side of alpha.

    Parameters
    ----------
    comparisons : list of Comparison
        From `compare_until_settled`.

    Returns
    -------
    list of bool
        As `Stopping.by_chance` of the voxels that decide; never where all possible draws are made. Over several
        comparisons the seed says which of all possible draws measure the others (`reached_across`).
    """
    stopping = comparisons[0].stopping
    if stopping is None:
        return [False] * len(comparisons)
    stopping = replace(stopping, whole=stopping.whole and len(comparisons) == 1)
    n, _, counts = _deciding_counts(comparisons)
    return [bool(stopping.by_chance(own, n).any()) for own in counts]


def _deciding_counts(comparisons: Sequence[Comparison]) -> tuple[int, int, list[np.ndarray]]:
    """Return `reached_across` of the voxels that decide, each count once."""
    n, most, reached = reached_across(comparisons)
    deciding = (cast(np.ndarray, one.deciding) for one in comparisons)
    return n, most, [np.unique(own[(own >= 0) & which]) for own, which in zip(reached, deciding, strict=True)]


@dataclass(frozen=True)
class _Test:
    """A hypothesis that is ready to be tested."""

    models: VoxelModels
    draws: Draws
    inference: Inference
    effect: Effect | JointEffect

    @classmethod
    def prepare(cls, hypothesis: Hypothesis, draws: Draws, inference: Inference) -> "_Test":
        _require_suitable(hypothesis, draws)
        hypothesis = as_drawn(hypothesis, draws)
        models = VoxelModels.prepare(hypothesis, min_per_arm=inference.min_per_arm, robust=inference.robust)
        return cls(models, draws, inference, estimate(models))

    def counted_at(
        self, looks: Iterable[int], n_jobs: int, progress: Callable[[int, int], None] | None = None
    ) -> Iterator[Counted]:
        """Yield what was counted each time that there are so many draws."""
        statistics_of = partial(statistics_at, self.models, self.draws, self.inference)
        return counted_at(looks, statistics_of, batch_of(self.models), n_jobs=n_jobs, progress=progress)

    def concluded(
        self, counted: Counted, stopping: Stopping | None = None, earlier: tuple[EarlierLook, ...] = ()
    ) -> Comparison:
        """Return the result of what was counted."""
        draws, observed, maxima = self.draws, counted.observed, counted.maxima
        tail = self.inference.tail and not draws.exhaustive and not earlier
        if stopping is not None:
            n = len(maxima) - 1
            p, p_fwe = (stopping.p(reached - 1, n) for reached in (counted.reached, count_reaching(maxima, observed)))
        else:
            p = counted.p
            p_fwe = (
                familywise_tail(maxima, observed, draws.n_possible)
                if tail
                else familywise(maxima, observed, going_on([earlier]))
            )
        missing = ~self.models.fitted() | self.effect.nothing_to_test
        p_fdr = np.full(len(p), np.nan)
        p_fdr[~missing] = fdrcorrection(p[~missing])[1]
        observed, p, p_fwe = (np.where(missing, np.nan, values) for values in (observed, p, p_fwe))
        return Comparison(
            effect=self.effect,
            statistic=observed,
            p=p,
            p_fwe=p_fwe,
            p_fdr=p_fdr,
            max_statistics=maxima,
            exhaustive=draws.exhaustive,
            fingerprint=draws.fingerprint,
            tail=tail,
            stopping=stopping,
            deciding=None if stopping is None else self.inference.deciding(counted.observed),
            earlier=earlier,
        )


def one_thread() -> AbstractContextManager[Any]:
    """Keep matrix products to one thread: several tests run at once, and rounding is that of one."""
    return _libraries().limit(limits=1, user_api="blas")


@lru_cache
def _libraries() -> ThreadpoolController:
    """Find the BLAS that numpy has loaded, once: to search for it takes longer than a test of a few parcels."""
    return ThreadpoolController()


def _require_suitable(hypothesis: Hypothesis, draws: Draws) -> None:
    n = len(hypothesis.outcome)
    participants = (draws.arms if isinstance(draws, Allocations) else draws.order).shape[1]
    if participants != n:
        raise ValueError(f"the draws are of {participants} participants, the maps of {n}")
    if isinstance(draws, Allocations):
        if hypothesis.kind != "difference" or (draws.arms[0] != hypothesis.arm).any():
            raise ValueError(f"allocations test a difference of the observed arms, not a {hypothesis.kind}")
    elif hypothesis.kind == "mean" and (draws.signs > 0).all():
        raise ValueError("permutations leave a mean as it is, it needs sign flips")


def as_drawn(hypothesis: Hypothesis, draws: Draws) -> Hypothesis:
    """Return a hypothesis with what the draws leave where it is among the nuisance."""
    return hypothesis if _moves_along(hypothesis, draws) else hypothesis.settled()


def _moves_along(hypothesis: Hypothesis, draws: Draws) -> bool:
    """Say whether the draws change what tells the arms apart beside what is tested."""
    if not hypothesis.n_along or not isinstance(draws, Allocations):
        return False
    along = cast(np.ndarray, hypothesis.codes)[:, -hypothesis.n_along :]
    return any((column[draws.arms] != column[draws.arms[0]]).any() for column in along.T)


def batch_of(models: VoxelModels) -> int:
    """Return how many draws are done at once."""
    return draws_at_once(models.hypothesis.outcome.shape[1])


def statistics_at(models: VoxelModels, draws: Draws, inference: Inference, window: slice) -> np.ndarray:
    """Return the statistics (B, V) of a slice of the draws."""
    as_z = inference.statistic != "voxel" or len(models.parts) > 1
    return inference.of_maps(models.statistics(draws, window, as_z))
