"""Comparison of the two arms of a randomized trial, voxel by voxel or parcel by parcel.

Arrays in, arrays out: maps are (n, V), participants by voxels.
"""

from bids_app.stats.clusters import Cluster, find_clusters
from bids_app.stats.design import Allocations, allocations, nuisance
from bids_app.stats.lattice import neighbours
from bids_app.stats.model import ArmModel, Effect
from bids_app.stats.permutation import Comparison, compare_arms
from bids_app.stats.pvalues import across, familywise, monte_carlo_error
from bids_app.stats.tfce import tfce
from bids_app.stats.zscore import ZTable, t_to_z

__all__ = [
    "Allocations",
    "ArmModel",
    "Cluster",
    "Comparison",
    "Effect",
    "ZTable",
    "across",
    "allocations",
    "compare_arms",
    "familywise",
    "find_clusters",
    "monte_carlo_error",
    "neighbours",
    "nuisance",
    "t_to_z",
    "tfce",
]
