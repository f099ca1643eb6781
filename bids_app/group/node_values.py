"""The nodes of a route in the file of one scan: what they are called, and what they hold."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.files import read_table
from bids_app.bids.result_names import label_of
from bids_app.bids.scans import Scan
from bids_app.errors import DataError
from bids_app.graph import GLOBALS
from bids_app.graph.linking import fisher
from bids_app.system.images import read_image

NAMED = ("index", "name", "network", "x", "y", "z")
SHOWN = 4  # of a list
ONLY, THERE = "values", ":there"  # what the values of a file are kept by that holds one measure, and their gaps


def read_values(path: Path, metric: str) -> np.ndarray:
    """Read one value per node.

    Parameters
    ----------
    path : Path
        A map; a nodal table, of which the metric's column is read; a table of global measures, whose measures are the
        nodes; a matrix of P parcels, whose P (P - 1) / 2 pairs are, Fisher-transformed, by row, then column.
    metric : str
        Key of `features.KNOWN`.

    Returns
    -------
    (N,) float64 ndarray
        NaN where a node has no value.
    """
    arrays = _read(path)
    return np.asarray(arrays[label_of(metric) if ONLY not in arrays else ONLY], dtype=np.float64)


def values_of(scan: Scan, metric: str) -> np.ndarray:
    """Read one value per node of a scan as `read_values` does, its file only once if the values are kept.

    Parameters
    ----------
    scan : Scan
        With the folder where values are kept.
    metric : str

    Returns
    -------
    (N,) float64 ndarray
    """
    if scan.kept is None:
        return read_values(scan.path, metric)
    own = scan.kept / f"{hashlib.sha256(str(scan.path).encode()).hexdigest()[:32]}.npz"
    if not own.exists():
        _keep(own, _read(scan.path))
    with np.load(own) as saved:
        name = ONLY if f"{ONLY}{THERE}" in saved else label_of(metric)
        there = np.unpackbits(saved[f"{name}{THERE}"]).astype(bool)
        values = np.full(int(saved["size"]), np.nan)
        values[there[: len(values)]] = saved[name]
        return values


def _keep(own: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep what a file holds, without its gaps, which are most of an image; put in place whole."""
    saved: dict[str, Any] = {"size": len(next(iter(arrays.values())))}
    for name, values in arrays.items():
        there = ~np.isnan(values)
        saved |= {name: values[there], f"{name}{THERE}": np.packbits(there)}
    unfinished = own.with_name(f"{own.stem}-{os.getpid()}.npz")
    np.savez(unfinished, **saved)
    unfinished.replace(own)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read all values of a file, (N,) each: of nodal tables by their column, else under `ONLY`."""
    suffix = path.name.partition(".")[0].rpartition("_")[2]
    if not path.name.endswith(".tsv"):
        values = read_image(path)[1].ravel()
        return {ONLY: values if values.dtype.kind == "f" else values.astype(np.float64)}
    if suffix == "global":
        return {ONLY: read_table(path).reindex(columns=list(map(label_of, GLOBALS))).iloc[0].to_numpy(np.float64)}
    if suffix == "relmat":
        matrix = read_table(path, index_col=0).to_numpy(np.float64)
        values = matrix[np.triu_indices(len(matrix), 1)]
        return {ONLY: values if "_stat-fisherz_" in path.name else fisher(values)}
    table = read_table(path).select_dtypes("number")
    return {str(name): column.to_numpy(np.float64) for name, column in table.items()}


def read_nodes(path: Path) -> pd.DataFrame:
    """Read what the nodes of a table are called.

    Parameters
    ----------
    path : Path
        As for `read_values`, but for maps.

    Returns
    -------
    DataFrame
        index and name of each node, and what else is known of `NAMED`. Of pairs also the names (``from``, ``to``)
        and positions (``first``, ``second``) of their parcels.
    """
    suffix = path.name.partition(".")[0].rpartition("_")[2]
    if suffix == "global":
        return pd.DataFrame({"index": range(1, len(GLOBALS) + 1), "name": [one.label for one in GLOBALS.values()]})
    if suffix == "relmat":
        return _pairs(read_table(path, index_col=0, dtype={0: str}).index.astype(str).to_numpy())
    table = read_table(path, dtype={"name": str, "network": str})
    if not {"index", "name"} <= set(table):
        raise DataError(f"{path.name} names no parcels: the columns index and name are needed.")
    return table[[column for column in NAMED if column in table]]


def read_same_nodes(name: str, scans: Sequence[Scan]) -> pd.DataFrame:
    """Read what the nodes of scans are called, which must be the same in all; their centres may lie apart.

    Parameters
    ----------
    name : str
        What messages call these scans.
    scans : list of scans.Scan

    Returns
    -------
    DataFrame
        As `read_nodes`.

    Raises
    ------
    DataError
        With the scans that have not the same as most, and how they differ.
    """
    tables = [read_nodes(scan.path) for scan in scans]
    called = [tuple(zip(table["index"], table["name"], strict=True)) for table in tables]
    usual = Counter(called).most_common(1)[0][0]
    other = [(scan, one) for scan, one in zip(scans, called, strict=True) if one != usual]
    if other:
        listed = "; ".join(f"{scan.path.name} {_difference(one, usual)}" for scan, one in other[:SHOWN])
        raise DataError(
            f"{name}: the scans differ in their parcels. {len(scans) - len(other)} of {len(scans)} have the same "
            f"{len(usual)}; {listed}{' ...' if len(other) > SHOWN else ''}. Extract them alike, or leave these out."
        )
    return tables[0]


def _difference(these: Sequence[tuple[Hashable, str]], usual: Sequence[tuple[Hashable, str]]) -> str:
    """Say how the parcels of a scan differ from the usual ones; both are pairs of index and name."""
    names, expected = ([name for _, name in pairs] for pairs in (these, usual))
    if sorted(names) == sorted(expected):
        first = next((place for place, (a, b) in enumerate(zip(names, expected, strict=True)) if a != b), None)
        if first is None:
            return "numbers them in another way"
        return f"has them in another order (number {first + 1} is {names[first]}, not {expected[first]})"
    if all(re.fullmatch(r"parcel\d+", name) for name in names):
        return f"has {len(names)} without names: were the heads of its table lost?"
    lacking, more = set(expected) - set(names), set(names) - set(expected)
    return " and ".join(
        f"{verb} {_some(names)}"
        for verb, names in (
            ("lacks", [name for name in expected if name in lacking]),
            ("has besides", [name for name in names if name in more]),
        )
        if names
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _pairs(names: np.ndarray) -> pd.DataFrame:
    first, second = np.triu_indices(len(names), 1)
    table = pd.DataFrame({"index": np.arange(1, len(first) + 1), "from": names[first], "to": names[second]})
    table.insert(1, "name", table["from"] + " – " + table["to"])
    return table.assign(first=first, second=second)
