"""How a hypothesis is tested: the statistic of a map and its options."""

from dataclasses import dataclass
from typing import cast

import numpy as np

from bids_app.stats.extent import cluster_statistic, component_statistic
from bids_app.stats.tfce import tfce, tfnbs

STATISTICS = ("tfce", "voxel", "extent", "mass")


@dataclass(frozen=True)
class Inference:
    """How a hypothesis is tested.

    Attributes
    ----------
    statistic : str, optional
        ``tfce`` (signed, exact), ``extent`` or ``mass`` of clusters, or ``voxel``: t, or F, and their z where
        voxels differ in degrees of freedom. TFCE is the default if there are neighbours or pairs, voxel if not.
    neighbours : (V, K) int32 ndarray, optional
        Neighbours of each voxel.
    pairs : (V, 2) int32 ndarray, optional
        In place of neighbours, the two nodes of each connection: TFCE becomes TFNBS, extent and mass become the
        network-based statistic. All but ``voxel`` need the one or the other.
    threshold : float, optional
        Magnitude of z from which on voxels form clusters, or connections components.
    robust : bool, optional
        Test the HC3 t or F.
    min_per_arm : int, optional
        Voxels with fewer participants in an arm are NaN.
    tail : bool, optional
        Corrected p-values in the upper quartile of the maxima by a generalized Pareto distribution, where the draws
        are a sample: not where they are all there are, whose p is exact.
    """

    statistic: str | None = None
    neighbours: np.ndarray | None = None
    pairs: np.ndarray | None = None
    threshold: float = 3.1
    robust: bool = False
    min_per_arm: int = 2
    tail: bool = False

    def __post_init__(self) -> None:
        alone = self.neighbours is None and self.pairs is None
        name = self.statistic or ("voxel" if alone else "tfce")
        object.__setattr__(self, "statistic", name)
        if name not in STATISTICS:
            raise ValueError(f"the statistic must be one of {', '.join(STATISTICS)}, not {name!r}")
        if name != "voxel" and alone:
            raise ValueError(f"the statistic {name} needs the neighbours of each voxel, or the pairs of nodes")

    def of_maps(self, maps: np.ndarray) -> np.ndarray:
        """Return the statistics of maps (B, V) of z, or of t or F for ``voxel``."""
        if self.statistic == "voxel":
            return maps
        where = cast(np.ndarray, self.neighbours if self.pairs is None else self.pairs)
        if self.statistic == "tfce":
            return tfce(maps, where) if self.pairs is None else tfnbs(maps, where)
        mass, of_one = self.statistic == "mass", cluster_statistic if self.pairs is None else component_statistic
        return np.stack([of_one(z, where, self.threshold, mass=mass) for z in maps])

    def deciding(self, statistic: np.ndarray) -> np.ndarray:
        """Tell which voxels decide what is reported: of maps and networks the peaks, else each.

        A cluster is there if one of its peaks is significant: a voxel whose neighbours of its sign are not larger, or a
        connection that those which share a node with it do not exceed. Where the cluster ends is up to voxels that may
        be as near to the threshold as one likes, and would never be settled.

        Parameters
        ----------
        statistic : (V,) float64 ndarray
            As `of_maps` returns it.

        Returns
        -------
        (V,) bool ndarray

        Examples
        --------
        >>> row = np.array([[-1, 1], [0, 2], [1, 3], [2, -1]], dtype=np.int32)
        >>> Inference(neighbours=row).deciding(np.array([4.0, 5.0, 2.0, -3.0]))
        array([False,  True, False,  True])
        """
        magnitude = np.abs(statistic)
        if self.pairs is not None and self.statistic != "voxel":
            ends = 2 * self.pairs + (statistic > 0)[:, np.newaxis]  # nodes once for each sign
            largest = np.zeros(ends.max(initial=-1) + 1)
            np.maximum.at(largest, ends, magnitude[:, np.newaxis])
            return magnitude >= largest[ends].max(axis=1)
        if self.neighbours is None:
            return np.ones(len(statistic), dtype=bool)
        alike = (self.neighbours >= 0) & ((statistic > 0)[self.neighbours] == (statistic > 0)[:, np.newaxis])
        return magnitude >= np.where(alike, magnitude[self.neighbours], 0.0).max(axis=1)
