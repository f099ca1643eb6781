"""Graph measures over arrays: no images, paths or logging here."""

from bids_app.graph.correlation import correlation_matrix, standardize
from bids_app.graph.measures import MEASURES, Measure
from bids_app.graph.parcels import global_measures, nodal_measures
from bids_app.graph.voxels import VoxelGraph, voxel_graph

__all__ = [
    "MEASURES",
    "Measure",
    "VoxelGraph",
    "correlation_matrix",
    "global_measures",
    "nodal_measures",
    "standardize",
    "voxel_graph",
]
