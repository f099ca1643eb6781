"""Parcels: their names and time series, from an atlas laid over the nodes or from another tool's table."""

import re
from dataclasses import dataclass
from itertools import combinations

import nibabel as nib
import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates

from bids_app.errors import DataError, UsageError
from bids_app.images import read_image
from bids_app.names import Name, label

MIN_COVERAGE = 0.5
MIN_VOLUMES = 20


@dataclass(frozen=True)
class Parcels:
    """The parcels of one scan.

    Attributes
    ----------
    entities : dict
        What the scan's outputs are named by.
    table : DataFrame
        index, name and coverage of each of the P parcels.
    series : (P, T) float64 ndarray
        NaN rows for parcels without enough signal.
    facts : dict
        What the sidecars say about the scan, in BIDS spelling.
    coordinates : (P, 3) float64 ndarray or None
        Centre of each parcel's nodes, mm; NaN without nodes.
    networks : (P,) object ndarray or None
        Network of each parcel by name, None for none.
    """

    entities: dict[str, str]
    table: pd.DataFrame
    series: np.ndarray
    facts: dict
    coordinates: np.ndarray | None = None
    networks: np.ndarray | None = None


@dataclass(frozen=True)
class Atlas:
    """Parcels laid over the nodes of a grid.

    Attributes
    ----------
    entities : dict
        atlas, seg and scale, as outputs are named by.
    parcels : DataFrame
        index and name of each of the P parcels, and its network if the table beside the image has that column.
    of_node : (N,) int ndarray
        Position in ``parcels`` of the node's parcel, -1 for none.
    coordinates : (P, 3) float64 ndarray
        Centre of each parcel's nodes, mm; NaN without nodes.
    """

    entities: dict[str, str]
    parcels: pd.DataFrame
    of_node: np.ndarray
    coordinates: np.ndarray


def read_atlas(path, grid):
    """Read a label image, with a TSV of index and name beside it if there is one.

    Parameters
    ----------
    path : Path
        A 3D NIfTI of whole numbers, 0 for background, in the space of the grid.
    grid : Grid

    Returns
    -------
    Atlas
    """
    image, labels = read_image(path, f"--atlas {path}")
    labels = labels[..., 0] if labels.shape[3:] == (1,) else labels
    if labels.ndim != 3 or not np.array_equal(labels, np.round(labels)):
        raise DataError(f"--atlas {path}: a 3D image of whole-number labels is needed.")
    voxels = nib.affines.apply_affine(np.linalg.inv(image.affine), grid.coordinates).T
    at_node = map_coordinates(labels.astype(np.int32), voxels, order=0, mode="grid-constant")
    parcels = _names(path, np.unique(labels[labels > 0]).astype(int))
    position = pd.Series(range(len(parcels)), index=parcels["index"])
    of_node = position.reindex(at_node).fillna(-1).to_numpy(int)
    places = pd.DataFrame(grid.coordinates).groupby(of_node).mean().reindex(range(len(parcels)))
    return Atlas(atlas_entities(path), parcels, of_node, places.to_numpy())


def network_of_nodes(path, grid):
    """Return the network of each node, numbered from 0, -1 for none: from the column network, else each label is one.

    Parameters
    ----------
    path : Path
        Label image, as for `read_atlas`.
    grid : Grid

    Returns
    -------
    (N,) int ndarray
    """
    atlas = read_atlas(path, grid)
    names = atlas.parcels["network"] if "network" in atlas.parcels else atlas.parcels["index"]
    numbers = pd.factorize(names)[0]  # -1 for parcels without a network
    if (numbers < 0).all():
        raise DataError(f"{path}: the column network of the table beside it is empty.")
    return np.where(atlas.of_node >= 0, numbers[atlas.of_node], -1)


def atlas_entities(path):
    """Return what the outputs of an atlas are named by; desc, which TemplateFlow tells its atlases apart by, is seg.

    Examples
    --------
    >>> from pathlib import Path
    >>> atlas_entities(Path("tpl-X_res-02_atlas-Schaefer2018_desc-100Parcels_dseg.nii.gz"))
    {'atlas': 'Schaefer2018', 'seg': '100Parcels'}
    """
    named = Name.parse(path).entities
    entities = {key: named[key] for key in ("atlas", "seg", "scale") if key in named}
    if entities and "desc" in named:
        entities["seg"] = entities.get("seg", "") + named["desc"]
    return entities or {"atlas": label(path.name.partition(".")[0])}


def check_atlases(paths):
    """Refuse atlases whose outputs would have the same names."""
    for first, second in combinations(paths, 2):
        if atlas_entities(first) == atlas_entities(second):
            raise UsageError(f"--atlas: the outputs of {first} and {second} would have the same names; rename one.")


def _names(path, present):
    stem = path.name.partition(".")[0]
    beside = [path.with_name(f"{name}.tsv") for name in (stem, re.sub("_res-[^_]+", "", stem))]  # one for all res
    table_path = next((table for table in beside if table.exists()), None)
    if table_path is None:
        return pd.DataFrame({"index": present, "name": [f"parcel{index}" for index in present]})
    table = pd.read_csv(table_path, sep="\t", na_values="n/a")
    if not {"index", "name"} <= set(table):
        raise DataError(f"{table_path}: the columns index and name are needed; there are {', '.join(table)}.")
    if missing := sorted(set(present) - set(table["index"])):
        raise DataError(f"{table_path}: no name for the labels {', '.join(map(str, missing[:10]))} of {path.name}.")
    return table[[column for column in ("index", "name", "network") if column in table]].reset_index(drop=True)


def average_parcels(atlas, series):
    """Average the nodes of each parcel.

    Parameters
    ----------
    atlas : Atlas
    series : (N, T) ndarray
        NaN rows have no signal.

    Returns
    -------
    means : (P, T) float64 ndarray
        NaN where less than half of the parcel's nodes have a signal.
    coverage : (P,) float64 ndarray
        Share of the parcel's nodes in the analysis mask that have a signal; 0 if there are none.
    """
    n_parcels = len(atlas.parcels)
    means, coverage = np.full((n_parcels, series.shape[1]), np.nan), np.zeros(n_parcels)
    alive = np.isfinite(series).all(axis=1)
    for parcel in range(n_parcels):
        nodes = atlas.of_node == parcel
        if nodes.any():
            coverage[parcel] = alive[nodes].mean()
        if coverage[parcel] >= MIN_COVERAGE:
            means[parcel] = series[nodes & alive].mean(axis=0, dtype=np.float64)
    return means, coverage


def atlas_parcels(run, series, atlas, facts):
    """Return the parcels of a cleaned BOLD run."""
    means, coverage = average_parcels(atlas, series)
    entities = {**{key: value for key, value in run.entities.items() if key != "res"}, **atlas.entities}
    networks = atlas.parcels["network"].astype(object) if "network" in atlas.parcels else None
    return Parcels(
        entities,
        atlas.parcels[["index", "name"]].assign(coverage=coverage),
        means,
        facts,
        atlas.coordinates,
        None if networks is None else networks.where(networks.notna(), None).to_numpy(),
    )


def _with_heads(table):
    """Take the first row as the parcels' names, unless it holds numbers as the others do: then parcels are numbered."""
    numbers = pd.to_numeric(table.iloc[0], errors="coerce") if len(table) else pd.Series(dtype=float)
    if len(table) > 1 and numbers.notna().all() and (numbers % 1 != 0).any():
        table.columns = [f"parcel{number}" for number in range(1, table.shape[1] + 1)]
        return table
    heads, table = table.iloc[0].tolist(), table.iloc[1:]
    table.columns = heads
    return table


def table_parcels(run):
    """Read the parcels that another tool extracted and cleaned: a table with a column per parcel.

    Rows without any value are censored volumes and are dropped; columns without any are parcels
    without a signal.

    Raises
    ------
    DataError
        No table of numbers, values missing here and there, or hardly any volume.
    """
    path = run.timeseries
    try:
        table = _with_heads(pd.read_csv(path, sep="\t", na_values="n/a", header=None, dtype=str)).dropna(how="all")
        values = table.to_numpy(np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table of numbers: {error}") from error
    absent = np.isnan(values).all(axis=0)
    if np.isnan(values[:, ~absent]).any():
        raise DataError(f"{path.name}: values are missing here and there; a parcel has all or none.")
    constant = ~absent & (np.ptp(values, axis=0) == 0) if len(values) else absent
    values[:, constant] = np.nan
    n_volumes, n_parcels = values.shape
    if n_volumes < MIN_VOLUMES or np.isnan(values).all():
        raise DataError(f"{path.name}: {n_volumes} volumes of {n_parcels} parcels hold too little signal.")
    coverage = np.where(np.isnan(values[0]), 0.0, 1.0)
    names = pd.DataFrame({"index": np.arange(1, n_parcels + 1), "name": table.columns, "coverage": coverage})
    minutes = n_volumes * run.repetition_time / 60 if run.repetition_time else None
    facts = {
        "RepetitionTime": run.repetition_time,
        "NumberOfVolumesKept": n_volumes,
        "MinutesKept": minutes,
        "Denoising": "as the time series were received",
    }
    return Parcels(dict(run.entities), names, values.T, facts)
