"""The models of all voxels of a map, whichever participants each of them has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bids_app.stats.allocation import Allocations
from bids_app.stats.hypotheses import Hypothesis
from bids_app.stats.model import LinearModel
from bids_app.stats.rearrangement import Rearrangements
from bids_app.stats.zscore import ZTable, f_to_z

Draws = Allocations | Rearrangements


@dataclass(frozen=True)
class Part:
    """Voxels that have the same participants.

    Attributes
    ----------
    voxels : (W,) int64 ndarray or slice
    rows : (R,) int64 ndarray
        The participants.
    model : LinearModel
    to_z : callable
        Turns t or F of this model into z.
    """

    voxels: np.ndarray | slice
    rows: np.ndarray
    model: LinearModel
    to_z: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class VoxelModels:
    """Every voxel fitted on the participants it has.

    Attributes
    ----------
    hypothesis : Hypothesis
    parts : tuple of Part
        Voxels in no part have too few participants for a degree of freedom.
    min_per_arm : int
        A voxel with fewer participants in an arm has no estimate; in a draw, its statistic is 0.
    robust : bool
        Covariance HC3.
    """

    hypothesis: Hypothesis
    parts: tuple[Part, ...]
    min_per_arm: int
    robust: bool

    @classmethod
    def prepare(cls, hypothesis: Hypothesis, *, min_per_arm: int = 2, robust: bool = False) -> "VoxelModels":
        """Group the voxels by the participants present, and prepare a model for each group.

        Raises
        ------
        ValueError
            If no voxel has enough participants in each arm.
        """
        maps = (hypothesis.outcome, *hypothesis.regressors)
        present = ~np.any([np.isnan(values) for values in maps], axis=0)
        parts = tuple(part for part in _parts(hypothesis, present) if part.model.df >= 1)
        models = cls(hypothesis, parts, min_per_arm, robust)
        if not models.fitted().any():
            raise ValueError(f"no voxel of {present.shape[1]} has {min_per_arm} participants in each arm")
        return models

    def enough(self, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Tell in which of the allocations (B, n) each arm has participants enough among ``rows``."""
        own = labels[:, rows]
        counts = [np.count_nonzero(own == arm, axis=1) for arm in np.unique(self.hypothesis.arm)]
        return np.min(counts, axis=0) >= self.min_per_arm

    def fitted(self) -> np.ndarray:
        """Tell which voxels have an estimate, (V,) bool."""
        found = np.zeros(self.hypothesis.outcome.shape[1], dtype=bool)
        for part in self.parts:
            found[part.voxels] = self.enough(self.hypothesis.arm[None], part.rows)[0]
        return found

    def statistics(self, draws: Draws, window: slice, as_z: bool) -> np.ndarray:
        """Return the statistics of a slice of the draws, (B, V): t, or F of several columns, or their z.

        0 where a draw leaves an arm with too few participants.
        """
        labels = draws.labels(window, self.hypothesis.arm)
        if len(self.parts) == 1 and isinstance(self.parts[0].voxels, slice):
            return self._of_part(self.parts[0], draws, window, labels, as_z)
        statistics = np.zeros((len(labels), self.hypothesis.outcome.shape[1]))
        for part in self.parts:
            statistics[:, part.voxels] = self._of_part(part, draws, window, labels, as_z)
        return statistics

    def _of_part(self, part: Part, draws: Draws, window: slice, labels: np.ndarray, as_z: bool) -> np.ndarray:
        fit = draws.fit(part.model, window, part.rows, self.robust)
        statistics = fit.t() if fit.score.shape[1] == 1 else fit.f()
        statistics[~self.enough(labels, part.rows)] = 0.0
        return part.to_z(statistics) if as_z else statistics


def _parts(hypothesis: Hypothesis, present: np.ndarray) -> Iterator[Part]:
    if present.all():
        yield _part(hypothesis, slice(None), np.arange(len(present)))
        return
    packed, membership = np.unique(np.packbits(present, axis=0), axis=1, return_inverse=True)
    patterns = np.unpackbits(packed, axis=0, count=len(present)).astype(bool)
    order = np.argsort(membership.ravel(), kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(membership.ravel()))[:-1])
    for pattern, voxels in zip(patterns.T, groups, strict=True):
        if pattern.any():
            yield _part(hypothesis, voxels, np.flatnonzero(pattern))


def _part(hypothesis: Hypothesis, voxels: np.ndarray | slice, rows: np.ndarray) -> Part:
    def of(values: np.ndarray) -> np.ndarray:
        return values if isinstance(voxels, slice) else values[np.ix_(rows, voxels)]

    model = LinearModel.prepare(
        of(hypothesis.outcome),
        hypothesis.tested[rows],
        hypothesis.nuisance[rows],
        [of(r) for r in hypothesis.regressors],
    )
    model = replace(model, codes=hypothesis.codes, n_along=hypothesis.n_along)
    q = model.tested.shape[1] - model.n_along
    to_z = partial(_no_z) if model.df < 1 else ZTable(model.df) if q == 1 else partial(f_to_z, q=q, df=model.df)
    return Part(voxels, rows, model, to_z)


def _no_z(statistics: np.ndarray) -> np.ndarray:
    return np.zeros_like(statistics)
