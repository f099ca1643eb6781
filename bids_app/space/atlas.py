"""Atlases laid over the nodes of a grid: labels of voxels and of surfaces, probabilistic maps, spheres."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from scipy import sparse
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from bids_app.errors import DataError, UsageError
from bids_app.settings.atlas_source import AtlasSource, Part
from bids_app.space.atlas_files import Found, find_part
from bids_app.space.atlas_labels import labels_beside, read_labels, unique_names
from bids_app.space.atlas_names import entities_of, joint_entities
from bids_app.space.grid import Nodes
from bids_app.space.label_image import whole_labels
from bids_app.space.surface import Surface
from bids_app.space.surface_labels import read_surface_labels
from bids_app.system.images import read_image

logger = logging.getLogger("bids_app")


@dataclass(frozen=True)
class Atlas:
    """Parcels laid over the nodes of a grid.

    Attributes
    ----------
    entities : dict
        atlas, seg and scale, as outputs are named by.
    parcels : DataFrame
        index and name of each of the P parcels, and its network if that is known.
    of_node : (N,) int ndarray
        Position in ``parcels`` of the node's parcel, -1 for none; of probabilistic maps the most probable one.
    coordinates : (P, 3) float64 ndarray
        Centre of each parcel's nodes, mm; NaN without nodes.
    maps : (P, N) sparse array or None
        Of probabilistic atlases.
    origin : str
        What it was read from, for people.
    named_by : str
        How the table of names was read, for people; empty without one.
    """

    entities: dict[str, str]
    parcels: pd.DataFrame
    of_node: np.ndarray
    coordinates: np.ndarray
    maps: sparse.sparray | None = None
    origin: str = ""
    named_by: str = ""


def read_atlas(source: AtlasSource, grid: Nodes, space: str | None = None) -> Atlas:
    """Lay an atlas over the nodes of a grid.

    Parameters
    ----------
    source : AtlasSource
    grid : Grid or Surface
        In the space of the atlas; its voxels need not be those of the image.
    space : str, optional
        Which of a folder's images is preferred; one of another space is warned of.

    Returns
    -------
    Atlas

    Raises
    ------
    MissingInputError
        A file is not there, or cannot be fetched.
    DataError
        An image holds no labels or probabilities, or a table does not name all labels.
    UsageError
        A folder holds several atlases and none is chosen.

    Notes
    -----
    Labels are looked up at the place of the node, probabilities interpolated between the voxels around it, and a
    node is in a sphere if its centre is; in several, it is in that with the nearest centre.
    """
    atlases = [_read_part(part, grid, space) for part in source.parts]
    atlas = atlases[0] if len(atlases) == 1 else _joined(source, atlases)
    return replace(atlas, entities={"atlas": source.name}) if source.name else atlas


def fitting(sources: Iterable[AtlasSource], grid: Nodes | None, space: str | None = None) -> list[AtlasSource]:
    """Return those of the atlases that can be laid over a grid: labels of a surface cannot over voxels."""
    if isinstance(grid, Surface):
        return list(sources)
    return [one for one in sources if not any(find_part(part, space).on_surface for part in one.parts)]


def network_of_nodes(source: AtlasSource, grid: Nodes, space: str | None = None) -> np.ndarray:
    """Return the network of each node, numbered from 0, -1 for none: from the column network, else each label is one.

    Parameters
    ----------
    source : AtlasSource
    grid : Grid or Surface
    space : str, optional

    Returns
    -------
    (N,) int ndarray
    """
    atlas = read_atlas(source, grid, space)
    names = atlas.parcels["network"] if "network" in atlas.parcels else atlas.parcels["index"]
    numbers = pd.factorize(names)[0]  # -1 for parcels without a network
    if (numbers < 0).all():
        raise DataError(f"{source}: the column network of the table beside it is empty.")
    return np.where(atlas.of_node >= 0, numbers[atlas.of_node], -1)


def _read_part(part: Part, grid: Nodes, space: str | None) -> Atlas:
    found = find_part(part, space)
    entities = entities_of(found)
    if found.spheres is not None:
        return _of_spheres(found, found.spheres, entities, grid)
    if space and found.space not in (None, space):
        logger.warning("%s is in %s, the data in %s: they may be some millimetres apart.", found, found.space, space)
    if found.on_surface and isinstance(found.image, Path):
        return _of_surface(found, found.image, entities, grid)
    return _of_image(found, entities, grid)


def _of_surface(found: Found, path: Path, entities: dict[str, str], grid: Nodes) -> Atlas:
    if not isinstance(grid, Surface):
        raise UsageError(
            f"--atlas {found}: its labels lie on a surface, the data are voxels. Choose surface data by --space "
            "(fsLR, fsaverage5 ...), or give a label image."
        )
    labels, own = read_surface_labels(path, grid)
    table = _table_of(found, own["index"])
    return _of_labels(found, entities, grid, labels, own if table is None else table)


def _table_of(found: Found, present: Iterable[int]) -> pd.DataFrame | None:
    """Return the table that names the labels: the one given, else the one beside the image; None without."""
    if found.table is not None:
        if missing := sorted(set(present) - set(found.table["index"])):
            raise DataError(f"--atlas {found}: no name for the labels {', '.join(map(str, missing[:10]))}.")
        return found.table
    path = found.labels or (labels_beside(found.image) if isinstance(found.image, Path) else None)
    try:
        return read_labels(path, present) if path else None
    except DataError as error:
        raise DataError(f"--atlas {found}: {error}") from error


def _of_image(found: Found, entities: dict[str, str], grid: Nodes) -> Atlas:
    image, values = _opened(found.image)
    values = values[..., 0] if values.shape[3:] == (1,) else values
    voxels = apply_affine(np.linalg.inv(image.affine), grid.coordinates).T
    if values.ndim == 4:
        return _of_maps(found, entities, grid, _at_nodes(values, voxels))
    if values.ndim != 3:
        raise DataError(f"--atlas {found}: a 3D image of whole-number labels is needed, or a 4D one of maps.")
    labels = whole_labels(values, f"--atlas {found}")
    if not labels.any():
        raise DataError(f"--atlas {found}: it holds no label: no voxel is above 0.")
    at_node = map_coordinates(labels, voxels, order=0, mode="grid-constant")
    present = np.unique(labels[labels > 0])
    return _of_labels(found, entities, grid, at_node, _named(present, _table_of(found, present)))


def _of_labels(
    found: Found, entities: dict[str, str], grid: Nodes, at_node: np.ndarray, parcels: pd.DataFrame
) -> Atlas:
    position = pd.Series(range(len(parcels)), index=parcels["index"])
    of_node = position.reindex(at_node).fillna(-1).to_numpy(int)
    named_by = parcels.attrs.pop("read", "")
    return Atlas(entities, parcels, of_node, _centres(of_node, len(parcels), grid), None, str(found), named_by)


def _opened(image: Any) -> tuple[Any, np.ndarray]:
    """Return an image and its values, from its file or as it is in memory."""
    if isinstance(image, Path):
        return read_image(image, f"--atlas {image}")
    return image, np.asanyarray(image.dataobj)


def _at_nodes(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Interpolate each volume at the nodes, (P, N)."""
    volumes = np.moveaxis(values, -1, 0)
    return np.stack([map_coordinates(np.nan_to_num(v, copy=False), voxels, np.float32, order=1) for v in volumes])


def _of_maps(found: Found, entities: dict[str, str], grid: Nodes, maps: np.ndarray) -> Atlas:
    maps = np.where(maps > 1e-3 * np.abs(maps).max(initial=1e-30), maps, 0)  # what interpolation leaves of nothing
    indices = np.arange(1, len(maps) + 1)
    table = _named(indices, _table_of(found, indices))
    parcels = table.set_index("index").reindex(indices).reset_index()
    of_node = np.where(maps.any(axis=0), maps.argmax(axis=0), -1)
    with np.errstate(invalid="ignore"):
        centres = maps @ grid.coordinates / maps.sum(axis=1, keepdims=True)
    named_by = table.attrs.get("read", "")
    return Atlas(entities, parcels, of_node, centres, sparse.csr_array(maps), str(found), named_by)


def _of_spheres(found: Found, table: pd.DataFrame, entities: dict[str, str], grid: Nodes) -> Atlas:
    distance, nearest = KDTree(table[["x", "y", "z"]]).query(grid.coordinates)
    of_node = np.where(distance <= table["radius"].to_numpy()[nearest], nearest, -1)
    if table["radius"].nunique() > 1:  # the nearest centre may be that of a small sphere beside a large one
        of_node = _in_any(table, grid.coordinates)
    parcels = table[[column for column in ("index", "name", "network") if column in table]]
    return Atlas(entities, parcels, of_node, table[["x", "y", "z"]].to_numpy(float), origin=str(found))


def _in_any(table: pd.DataFrame, places: np.ndarray) -> np.ndarray:
    """Return the sphere whose centre is the nearest of those that a node is in, -1 for none."""
    nearest, best = np.full(len(places), -1), np.full(len(places), np.inf)
    tree = KDTree(places)
    for sphere, (x, y, z, radius) in enumerate(table[["x", "y", "z", "radius"]].to_numpy(float)):
        inside = np.array(tree.query_ball_point((x, y, z), radius), dtype=int)
        distance = np.linalg.norm(places[inside] - (x, y, z), axis=1)
        closer = distance < best[inside]
        nearest[inside[closer]], best[inside[closer]] = sphere, distance[closer]
    return nearest


def _centres(of_node: np.ndarray, n_parcels: int, grid: Nodes) -> np.ndarray:
    places = pd.DataFrame(grid.coordinates).groupby(of_node).mean()
    return places.reindex(range(n_parcels)).to_numpy()


def _named(present: Iterable[int], table: pd.DataFrame | None) -> pd.DataFrame:
    if table is None:
        return pd.DataFrame({"index": present, "name": [f"parcel{index}" for index in present]})
    return table


def _joined(source: AtlasSource, atlases: Sequence[Atlas]) -> Atlas:
    """Make one atlas of several: the first has the node; labels that two have are counted on."""
    if any(atlas.maps is not None for atlas in atlases):
        raise UsageError(f"--atlas {source}: maps of probabilities cannot be joined with others.")
    of_node, tables, centres, first = np.full(len(atlases[0].of_node), -1), [], [], 0
    for atlas in atlases:
        free = (of_node < 0) & (atlas.of_node >= 0)
        of_node[free] = atlas.of_node[free] + first
        first += len(atlas.parcels)
        tables.append(atlas.parcels)
        centres.append(atlas.coordinates)
    parcels = pd.concat(tables, ignore_index=True)
    if parcels["index"].duplicated().any():
        parcels["index"] = np.arange(1, len(parcels) + 1)
    parcels["name"] = unique_names(parcels["name"], parcels["index"])
    entities = joint_entities([atlas.entities for atlas in atlases])
    said = {kind: [getattr(atlas, kind) for atlas in atlases] for kind in ("origin", "named_by")}
    origin, named_by = (" and ".join(filter(None, texts)) for texts in said.values())
    return Atlas(entities, parcels, of_node, np.concatenate(centres), None, origin, named_by)
