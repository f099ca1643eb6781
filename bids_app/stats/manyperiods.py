"""One value of everyone in a cross-over trial of any treatments and periods, compared by least squares and by REML."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from bids_app.stats.design import independent_columns, nuisance
from bids_app.stats.effects import Effect, estimate
from bids_app.stats.estimands import Row
from bids_app.stats.estimates import Estimate, by_t
from bids_app.stats.hypotheses import Hypothesis
from bids_app.stats.inference import Inference
from bids_app.stats.permutation import compare
from bids_app.stats.sequences import compared_treatments, first_period, of_rows, sequence_draws
from bids_app.stats.twovisits import filled
from bids_app.stats.voxels import VoxelModels

CARRIED = "beside-carry-over"
OF_PERIODS = ("crossover", "unadjusted", CARRIED, "first-period")


@dataclass(frozen=True)
class ManyPeriods:
    """A score, or a region's value, of n participants in M periods, of whom two treatments are compared.

    Attributes
    ----------
    values : (n, M) float ndarray
        NaN where missing.
    sequence : (n,) int ndarray
        0 to S - 1.
    given : (S, M) int ndarray
        The treatment of each sequence in each period, 0 to K - 1.
    pair : (int, int)
        The active treatment and the reference of the difference.
    covariates : (n, k) float ndarray or None
        Measured before randomization.
    strata : (n,) ndarray of labels or None
    before : (n, M) float ndarray or None
        At the baseline of each period.
    """

    values: np.ndarray
    sequence: np.ndarray
    given: np.ndarray
    pair: tuple[int, int]
    covariates: np.ndarray | None = None
    strata: np.ndarray | None = None
    before: np.ndarray | None = None

    @cached_property
    def row(self) -> Row:
        """The weights of the treatments in the difference."""
        active, reference = self.pair
        return tuple(float(one == active) - float(one == reference) for one in range(self.given.max() + 1))

    @property
    def treated(self) -> np.ndarray:
        """What everyone was given in each period, (n, M) int."""
        return self.given[self.sequence]

    def of(self, members: np.ndarray) -> "ManyPeriods":
        """Return those for whom ``members``, (n,) bool, is true."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "given"}
        return replace(self, **{name: one[members] for name, one in own.items() if isinstance(one, np.ndarray)})

    def on(self, treatment: int) -> np.ndarray:
        """Return the mean of each participant's values under a treatment, (n,), NaN for who has none.

        Examples
        --------
        >>> ManyPeriods(np.array([[1.0, 3.0, 5.0]]), np.array([0]), np.array([[0, 1, 1]]), (1, 0)).on(1).tolist()
        [4.0]
        """
        known = (self.treated == treatment) & np.isfinite(self.values)
        sums = np.where(known, self.values, 0).sum(axis=1)
        return np.where(known.any(axis=1), sums / np.maximum(known.sum(axis=1), 1), np.nan)

    @property
    def by_treatment(self) -> tuple[np.ndarray, np.ndarray]:
        """The values of each participant under the active treatment and under the reference."""
        active, reference = self.pair
        return self.on(active), self.on(reference)

    def complete(self, estimator: str) -> "ManyPeriods":
        """Return those who have what an estimator needs: every period, and its baseline, or the first alone."""
        wanted = slice(0, 1) if estimator == "first-period" else slice(None)
        there = np.isfinite(self.values[:, wanted]).all(axis=1)
        if self.before is not None and estimator != "unadjusted":
            there &= np.isfinite(self.before[:, wanted]).all(axis=1)
        found = replace(self, covariates=None if self.covariates is None else filled(self.covariates))
        return found.of(there)

    def first_alone(self) -> "ManyPeriods":
        """Return the first period."""
        return replace(self, values=self.values[:, :1], given=self.given[:, :1])

    def nuisance(self) -> np.ndarray:
        """Return what the periods may differ in, (n, m): for everyone, and by strata and covariates."""
        covariates = self.covariates
        if covariates is not None:
            covariates = independent_columns(covariates, self.strata)
        return nuisance(len(self.values), covariates, self.strata)

    def hypothesis(self, estimator: str) -> Hypothesis:
        """State what an estimator of `OF_PERIODS` tests.

        Raises
        ------
        ValueError
            If it cannot be estimated of these participants.
        """
        maps = [one[:, None] for one in self.values.T]
        before = [] if self.before is None or estimator == "unadjusted" else [one[:, None] for one in self.before.T]
        if estimator == "first-period":
            own = before[0] if before else None
            return first_period(maps[0], self.sequence, self.given, [self.row], self.nuisance(), baseline=own)
        effect = CARRIED if estimator == CARRIED else "treatment"
        return compared_treatments(
            maps, self.sequence, self.given, [self.row], self.nuisance(), baselines=before, effect=effect
        )


def compare_periods(data: ManyPeriods, estimator: str, *, n_draws: int = 10_000, seed: int = 0) -> Estimate:
    """Compare two treatments within those who have every period, by least squares.

    Parameters
    ----------
    data : ManyPeriods
    estimator : str
        Of `OF_PERIODS`.
    n_draws : int, optional
        Of the re-randomization of sequences; 0 for none.
    seed : int, optional

    Returns
    -------
    Estimate
        ``n_active`` and ``n_reference`` are those who have a value under either treatment.

    Examples
    --------
    The values of `compared_treatments`, as one score:

    >>> values = np.array([[2.0, 0], [5, 1], [9, 3], [0, 2], [4, 4], [6, 4]])
    >>> data = ManyPeriods(values, np.array([0, 0, 0, 1, 1, 1]), np.array([[1, 0], [0, 1]]), (1, 0))
    >>> found = compare_periods(data, "crossover", n_draws=0)
    >>> round(found.estimate, 6), found.df, found.n_active
    (2.0, 4.0, 6)
    """
    data = data.complete(estimator)
    n = counts_of(data.first_alone() if estimator == "first-period" else data)
    try:
        stated = data.hypothesis(estimator)
    except ValueError as error:
        return Estimate(estimator, *n, note=f"not estimated: {error}")
    effect = estimate(VoxelModels.prepare(stated, min_per_arm=1))
    if not isinstance(effect, Effect) or np.isnan(effect.difference[0]):
        return Estimate(estimator, *n, note="not estimated: nothing differs")
    sizes: dict[str, Any] = {"effect_kind": "Hedges g"}
    names = {"effect_size": "hedges_g", "effect_low": "g_low", "effect_high": "g_high"}
    sizes |= {name: float(getattr(effect, own)[0]) for name, own in names.items()}
    p = _rerandomized(data, stated, estimator, n_draws, seed) if n_draws else np.nan
    numbers = effect.difference[0], effect.standard_error[0], float(effect.df)
    return by_t(estimator, n, *numbers, p_rerandomized=p, **sizes)


def _rerandomized(data: ManyPeriods, stated: Hypothesis, estimator: str, n_draws: int, seed: int) -> float:
    """Return p of re-drawing the sequences, NaN where no other is possible."""
    blocks = [data.pair[1] if one in data.pair else one for one in range(len(data.row))]
    try:
        draws = sequence_draws(data.sequence, data.given, blocks, data.strata, n_draws, seed).allocations
        rows = draws if estimator == "first-period" else of_rows(draws, data.values.shape[1])
        return float(compare(stated, rows, Inference(statistic="voxel", min_per_arm=1)).p[0])
    except ValueError:
        return np.nan


def counts_of(data: ManyPeriods) -> tuple[int, int]:
    """Return how many have a value under the active treatment, and under the reference."""
    active, reference = data.by_treatment
    return int(np.isfinite(active).sum()), int(np.isfinite(reference).sum())
