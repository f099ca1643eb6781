"""Which nodes a run analyses: voxels of a mask, or the grayordinates of the data."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from bids_app.bids.names import is_surface
from bids_app.bids.result_names import surface_path
from bids_app.bids.runs import BoldRun, Inputs
from bids_app.bids.selection import TEMPLATE_SPACES
from bids_app.errors import TrialgraphError, UsageError
from bids_app.settings.settings import Settings
from bids_app.space.atlas import read_atlas
from bids_app.space.atlas_names import check_names, source_entities
from bids_app.space.grid import Grid, load_grid, mask_grid, on_grid_of, save_grid, template_grid
from bids_app.space.saved_atlas import save_atlas
from bids_app.space.surface import Surface
from bids_app.space.surface_files import axis_of, lay_surface
from bids_app.system.images import open_bold

logger = logging.getLogger("bids_app")


def settle_grid(settings: Settings, inputs: Inputs) -> tuple[str | None, int]:
    """Settle the analysis grid; parcel series alone need none."""
    bold = _first_bold(inputs)
    if bold is None:
        return None, 0
    grid = find_grid(settings, inputs)
    grid_file = settings.work_dir / "grid.nii.gz"
    if is_surface(bold.bold):
        grid_file = surface_path(settings.output_dir, bold.entities)
    if not (grid_file.exists() and load_grid(grid_file).same_as(grid)):  # with a new time, all would be computed anew
        save_grid(grid, grid_file)
    logger.info("Analysis grid: %s.", grid)
    return str(grid_file), grid.n_nodes


def find_grid(settings: Settings, inputs: Inputs) -> Grid | Surface:
    """Return the nodes that the BOLD images of a call are read at; there is at least one."""
    bold = [run for run in inputs.runs if isinstance(run, BoldRun)]
    return _surface(settings, inputs, bold) if is_surface(bold[0].bold) else _voxels(settings, bold)


def settle_atlases(settings: Settings, inputs: Inputs, grid_file: str | None) -> list[Path]:
    """Lay the atlases over the analysis grid, once for all scans; return the paths of the laid images.

    Raises
    ------
    UsageError
        The outputs of two atlases would have the same names.
    """
    bold = _first_bold(inputs)
    if grid_file is None or bold is None or not settings.graph.atlases:
        return []
    grid, place = load_grid(Path(grid_file)), bold.entities
    space = place.get("space")
    check_names([(source, source_entities(source, space)) for source in settings.graph.atlases])
    paths = []
    for source in settings.graph.atlases:
        atlas = read_atlas(source, grid, space)
        paths.append(save_atlas(settings.output_dir, atlas, grid, place))
        empty = int((~np.isin(np.arange(len(atlas.parcels)), atlas.of_node)).sum())
        logger.info("Atlas %s: %d parcels%s.", source, len(atlas.parcels), f", {empty} without a node" if empty else "")
    return paths


def check_atlases(settings: Settings, inputs: Inputs) -> None:
    """Refuse atlases whose outputs would have the same names, without reading an image."""
    bold = _first_bold(inputs)
    space = bold.entities.get("space") if bold else None
    check_names([(source, source_entities(source, space)) for source in settings.graph.atlases])


def _first_bold(inputs: Inputs) -> BoldRun | None:
    return next((run for run in inputs.runs if isinstance(run, BoldRun)), None)


def _surface(settings: Settings, inputs: Inputs, bold: Sequence[BoldRun]) -> Surface:
    if settings.graph.mask not in ("gm", "brain"):
        raise UsageError("--mask PATH: on surfaces all grayordinates of the data are nodes.")
    datasets = [dataset.path for dataset in inputs.datasets]
    return lay_surface(_first(bold, axis_of), settings.selection.meshes, datasets)


def _voxels(settings: Settings, bold: Sequence[BoldRun]) -> Grid:
    options, space = settings.graph, bold[0].entities.get("space")
    if options.mask in ("gm", "brain"):
        if space not in TEMPLATE_SPACES:
            raise UsageError(
                f"--mask {options.mask} is in template space, the data are in {space or 'the native space'}. "
                f"Choose --space {' or '.join(TEMPLATE_SPACES)}, or give a mask image in the space of the data."
            )
        grid = template_grid(options.mask, options.voxel_size or 2)
    else:
        grid = mask_grid(options.mask, options.voxel_size)
    if options.voxel_size is None:
        grid = on_grid_of(grid, open_bold(_first(bold, open_bold)))
    return grid


def _first(runs: Iterable[BoldRun], opened: Callable[[Path], object]) -> Path:
    """Return the first BOLD file that can be opened."""
    for run in runs:
        try:
            opened(run.bold)
            return run.bold
        except TrialgraphError as error:
            reason = error
    raise reason
