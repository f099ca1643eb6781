"""Graph measures over arrays: no images, paths or logging here.

The names below are imported when they are first used, so that a command line can be read without compiled code.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "GLOBALS": "measures",
    "MEASURES": "measures",
    "VOXEL_MEASURES": "measures",
    "needing_modules": "measures",
    "MATRICES": "rules",
    "parcel_matrix": "matrices",
    "NEGATIVES": "rules",
    "Linking": "rules",
    "Nulls": "wholegraph",
    "WholeGraph": "wholegraph",
    "DEFAULT_METRICS": "measures",
    "Measure": "measures",
    "EdgeRule": "rules",
    "correlation_matrix": "correlation",
    "standardize": "correlation",
    "edge_weights": "linking",
    "rewire": "bitrows",
    "global_measures": "wholegraph",
    "nodal_measures": "parcels",
    "threshold_free": "lowrank",
    "Means": "nodalmaps",
    "Place": "nodalmaps",
    "VoxelGraph": "voxels",
    "voxel_graph": "voxels",
    "voxel_graphs": "voxels",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
