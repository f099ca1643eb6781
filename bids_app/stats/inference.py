"""How a hypothesis is tested: the statistic of a map and its options."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.extent import cluster_statistic
from bids_app.stats.tfce import tfce

STATISTICS = ("tfce", "voxel", "extent", "mass")


@dataclass(frozen=True)
class Inference:
    """How a hypothesis is tested.

    Attributes
    ----------
    statistic : str, optional
        ``tfce`` (signed, exact), ``extent`` or ``mass`` of clusters, or ``voxel``: t, or F, and their z where
        voxels differ in degrees of freedom. TFCE is the default if there are neighbours, voxel if not.
    neighbours : (V, K) int32 ndarray, optional
        Neighbours of each voxel, needed by all but ``voxel``.
    threshold : float, optional
        |z| from which on voxels form clusters.
    robust : bool, optional
        Test the HC3 t or F.
    min_per_arm : int, optional
        Voxels with fewer participants in an arm are NaN.
    tail : bool, optional
        Corrected p-values in the upper quartile of the maxima by a generalized Pareto distribution.
    """

    statistic: str | None = None
    neighbours: np.ndarray | None = None
    threshold: float = 3.1
    robust: bool = False
    min_per_arm: int = 2
    tail: bool = False

    def __post_init__(self):
        name = self.statistic or ("voxel" if self.neighbours is None else "tfce")
        object.__setattr__(self, "statistic", name)
        if name not in STATISTICS:
            raise ValueError(f"the statistic must be one of {', '.join(STATISTICS)}, not {name!r}")
        if name != "voxel" and self.neighbours is None:
            raise ValueError(f"the statistic {name} needs the neighbours of each voxel")

    def of_maps(self, maps):
        """Return the statistics of maps (B, V) of z, or of t or F for ``voxel``."""
        if self.statistic == "voxel":
            return maps
        if self.statistic == "tfce":
            return tfce(maps, self.neighbours)
        mass = self.statistic == "mass"
        return np.stack([cluster_statistic(z, self.neighbours, self.threshold, mass=mass) for z in maps])
