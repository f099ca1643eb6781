"""Where the nodes lie: grids, surfaces and meshes, atlases and the names of their parcels.

What is measured at the nodes is not known here.

The names below are imported when they are first used.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Grid": "grid",
    "template_grid": "grid",
    "mask_grid": "grid",
    "load_grid": "grid",
    "save_grid": "grid",
    "smooth": "grid",
    "z_score": "grid",
    "Surface": "surface",
    "mesh_edges": "mesh",
    "neighbour_table": "mesh",
    "mesh_laplacian": "mesh",
    "lattice_laplacian": "mesh",
    "heat_smooth": "mesh",
    "Atlas": "atlas",
    "read_atlas": "atlas",
    "network_of_nodes": "atlas",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
