"""Results of parcels painted back as maps, over the atlas as the participant level laid it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.files import save_map
from bids_app.bids.result_names import MAPS, group_name, laid_path, surface_path
from bids_app.graph.features import camel
from bids_app.group.routes import ParcelRoute
from bids_app.group.sample import Sample
from bids_app.settings.settings import Settings
from bids_app.space.atlas import Atlas
from bids_app.space.grid import Grid, Nodes, load_grid
from bids_app.space.saved_atlas import load_atlas


@dataclass(frozen=True)
class Brush:
    """Where the parcels of a sample lie.

    Attributes
    ----------
    grid : Nodes
        N nodes that the atlas covers.
    of_node : (N,) int ndarray
        Number of the parcel in the sample; -1 of one that is not in it.
    origin : str
        Of the atlas.
    """

    grid: Nodes
    of_node: np.ndarray
    origin: str

    @classmethod
    def of(cls, laid: tuple[Nodes, Atlas], sample: Sample) -> "Brush":
        """Find where they lie over an atlas, from `laid_atlas`."""
        grid, atlas = laid
        position = {index: place for place, index in enumerate(cast(pd.DataFrame, sample.parcels)["index"])}
        tested = np.array([position.get(index, -1) for index in atlas.parcels["index"]])
        return cls(grid, np.where(atlas.of_node >= 0, tested[atlas.of_node], -1), atlas.origin)

    def painted(self, values: np.ndarray) -> np.ndarray:
        """Return (V,) values of the parcels at every node, (N,); NaN where none was tested."""
        return np.where(self.of_node >= 0, values[self.of_node], np.nan)

    @property
    def about(self) -> dict[str, str]:
        """What the sidecar of a painted map says of the atlas."""
        return {"Atlas": self.origin}


# The desc label, the maps by their stat label, and what makes the sidecar of each.
Painted = tuple[str, Mapping[str, np.ndarray], Callable[[str], dict[str, Any]]]


def paint(settings: Settings, route: ParcelRoute, sample: Sample, results: Iterable[Painted]) -> list[Path]:
    """Write maps in which every node has the result of its parcel.

    Parameters
    ----------
    settings : Settings
    route : Route
        Of parcels.
    sample : sample.Sample
    results : iterable of (str, dict, dict)
        Of each feature and analysis the desc label, the (V,) maps by their stat label, and the sidecar.

    Returns
    -------
    list of Path
        Empty where the parcels come from tables, so that nobody knows where they lie.
    """
    laid = laid_atlas(settings.output_dir, route.entities)
    if laid is None:
        return []
    brush = Brush.of(laid, sample)
    folder, written = settings.group_dir, []
    for desc, maps, sidecar in results:
        name = camel([route.entities.get("desc"), desc])
        for stat, values in maps.items():
            path = folder / group_name(route, sample.design, "statmap", brush.grid.extension, stat=stat, desc=name)
            save_map(path, brush.grid, brush.painted(values), {**sidecar(stat), **brush.about})
            written.append(path)
    return written


def laid_atlas(output_dir: Path, entities: Mapping[str, str]) -> tuple[Nodes, Atlas] | None:
    """Return the grid of the nodes that an atlas covers and the atlas over it, or None if it was not laid.

    Parameters
    ----------
    output_dir : Path
    entities : dict
        Of the route.
    """
    for extension in MAPS:
        path = laid_path(output_dir, entities, extension)
        if path.exists():
            image: Any = nib.load(path)
            labelled = np.asanyarray(image.dataobj) > 0
            whole = load_grid(surface_path(output_dir, entities)) if extension == ".dscalar.nii" else None
            grid = whole.within(labelled) if whole else Grid(labelled, image.affine)
            return grid, load_atlas(path, grid)
    return None
