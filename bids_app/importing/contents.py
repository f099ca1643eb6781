"""What a file holds: which of its variables is meant, what its regions are called, and where they lie."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.errors import DataError
from bids_app.importing.mat_files import read_mat
from bids_app.system.images import require
from bids_app.system.small_files import require_table

TEXTS = {".tsv": "\t", ".csv": ",", ".txt": None}  # without a separator, any white space
NO_REGION = ("Grey Matter", "White Matter", "CSF")  # what CONN calls the tissues among its regions
COUNTS = re.compile(r"|unnamed: ?0|index|time|volume|frame|tr|t", re.IGNORECASE)  # heads of what is no region
OF_CONN, OF_DPABI = "CONN", "DPABI"


@dataclass(frozen=True)
class Content:
    """The array that is meant in a file.

    Attributes
    ----------
    values : 2D float64 ndarray
        As it stands there.
    called : str
        The file and the variable, for messages.
    words : str
        Of the file's and the variable's name, in small letters, without separators: evidence of what it is.
    names : list of str or None
        Of the regions.
    coordinates : (R, 3) float64 ndarray or None
        Their centres, mm.
    columns_are_regions : bool
        Whether that is known.
    tool : str or None
        What wrote it, as far as its variables say so.
    said : tuple of str
    """

    values: np.ndarray
    called: str
    words: str = ""
    names: list[str] | None = None
    coordinates: np.ndarray | None = None
    columns_are_regions: bool = False
    tool: str | None = None
    said: tuple[str, ...] = ()


def read_content(path: Path, variable: str | None = None, part: str | None = None, index: int | None = None) -> Content:
    """Read the array of a file that is meant.

    Parameters
    ----------
    path : Path
        .mat, .npy, .npz, .tsv, .csv or .txt.
    variable : str, optional
        Which, where a file holds several that could be meant.
    part : str, optional
        Of CONN, whose files hold several parcellations: what stands before the dot in the names of the regions.
    index : int, optional
        Which matrix, from 1, of an array that holds one behind the other, as CONN's of all participants.

    Raises
    ------
    MissingInputError, DataError
        The file cannot be read, or what is meant is not certain.
    """
    if path.suffix in TEXTS:
        return _of_text(path)
    held = _variables(path)
    if variable is None and isinstance(held.get("data"), list) and isinstance(held.get("names"), list):
        return _conn_series(path, held, part)
    if variable in (None, "Z") and {"Z", "names", "names2"} <= set(held):
        return _conn_matrix(path, held, part, index)
    name, array = _meant(path, held, variable)
    values = _one_of(path, np.asarray(array, dtype=np.float64), index)
    words = "".join(filter(str.isalnum, f"{path.stem} {name}".lower()))
    tool = OF_DPABI if name in ("ROISignals", "ROICorrelation", "ROICorrelation_FisherZ") else None
    names = _order_key(path) or _names_in(held, values.shape)
    return Content(values, f"{path.name}: {name}" if name else path.name, words, names, tool=tool)


def _variables(path: Path) -> dict[str, Any]:
    require(path)
    if path.suffix == ".mat":
        return read_mat(path)
    if path.suffix not in (".npy", ".npz"):
        raise DataError(f"{path.name} is no kind of file that is imported: .mat, .npy, .npz, .tsv, .csv or .txt is.")
    try:
        found = np.load(path, allow_pickle=False)
        return {"": found} if isinstance(found, np.ndarray) else dict(found)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read as an array of numpy: {error}") from error


def _meant(path: Path, held: Mapping[str, Any], variable: str | None) -> tuple[str, np.ndarray]:
    """Return the variable that is named, or the only array that can be meant."""
    arrays = {name: value for name, value in held.items() if _is_table(value)}
    listed = ", ".join(f"{name or 'one array'} ({' x '.join(map(str, value.shape))})" for name, value in arrays.items())
    if variable is not None:
        if variable not in arrays:
            raise DataError(f"{path.name}: no array {variable}; there are {listed or 'none'}.")
        return variable, arrays[variable]
    if not arrays:
        raise DataError(f"{path.name} holds no series and no matrix: {', '.join(held) or 'nothing'}.")
    if len(arrays) > 1:
        raise DataError(f"{path.name}: several arrays could be meant: {listed}. Name one in the column variable.")
    return next(iter(arrays.items()))


def _is_table(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.ndim in (2, 3) and min(value.shape) > 1


def _one_of(path: Path, array: np.ndarray, index: int | None) -> np.ndarray:
    """Return one matrix of several behind each other; an array of one needs no index."""
    if array.ndim == 2:
        return array
    if index is None:
        raise DataError(f"{path.name} holds {array.shape[2]} matrices: say which, from 1, in the column index.")
    if not 1 <= index <= array.shape[2]:
        raise DataError(f"{path.name}: index {index} is none of its {array.shape[2]} matrices.")
    return np.asarray(array[:, :, index - 1])


def _conn_series(path: Path, held: Mapping[str, Any], part: str | None) -> Content:
    """Read ROI_Subject*_Condition*.mat: a cell of series for each region, among them confounds and tissues."""
    series, names = held["data"], [str(name) for name in held["names"]]
    if len(series) != len(names):
        raise DataError(f"{path.name}: {len(series)} series have {len(names)} names.")
    single = [isinstance(one, np.ndarray) and one.size > 1 and 1 in one.shape for one in series]
    chosen = [j for j, name in enumerate(names) if single[j] and name not in NO_REGION]
    left = [name for j, name in enumerate(names) if j not in chosen]
    chosen = _in_part(path, names, chosen, part)
    lengths = {series[j].size for j in chosen}
    if len(lengths) != 1:
        raise DataError(f"{path.name}: its series are of {', '.join(map(str, sorted(lengths))) or 'no'} volumes.")
    said = (f"{path.name}: left out as no regions: {', '.join(left)}.",) if left else ()
    values = np.column_stack([np.asarray(series[j], dtype=np.float64).ravel() for j in chosen])
    own = [names[j] for j in chosen]
    return Content(
        values, f"{path.name}: data", "conn", own, _places(held.get("xyz"), chosen), True, tool=OF_CONN, said=said
    )


def _conn_matrix(path: Path, held: Mapping[str, Any], part: str | None, index: int | None) -> Content:
    """Read resultsROI_*.mat: Z of names by names2, which begin with the names or hold them elsewhere."""
    names, names2 = ([str(name) for name in held[key]] for key in ("names", "names2"))
    values = _one_of(path, np.asarray(held["Z"], dtype=np.float64), index)
    if values.shape != (len(names), len(names2)):
        raise DataError(
            f"{path.name}: Z is {values.shape[0]} x {values.shape[1]}, its names {len(names)} x {len(names2)}."
        )
    chosen = [j for j, name in enumerate(names) if name in names2 and name not in NO_REGION]
    left = [name for j, name in enumerate(names) if j not in chosen]
    chosen = _in_part(path, names, chosen, part)
    columns = [names2.index(names[j]) for j in chosen]
    said = (f"{path.name}: left out as no regions: {', '.join(left)}.",) if left else ()
    return Content(
        values[np.ix_(chosen, columns)],
        f"{path.name}: Z",
        "connfisherz",
        [names[j] for j in chosen],
        _places_of_matrix(held.get("xyz"), names, names2, chosen),
        tool=OF_CONN,
        said=said,
    )


def _places_of_matrix(
    cells: Any, names: Sequence[str], names2: Sequence[str], chosen: Sequence[int]
) -> np.ndarray | None:
    """Return the centres of the chosen regions, of whichever of the two lists of names they are as many as."""
    if not isinstance(cells, list) or len(cells) not in (len(names), len(names2)):
        return None
    if len(cells) == len(names2):
        return _places(cells, [names2.index(names[j]) for j in chosen])
    return _places(cells, chosen)


def _in_part(path: Path, names: Sequence[str], chosen: list[int], part: str | None) -> list[int]:
    """Keep the regions of one parcellation, which CONN names before a dot; overlapping ones are no graph."""
    parts = list(dict.fromkeys(names[j].partition(".")[0] for j in chosen if "." in names[j]))
    if part is not None:
        kept = [j for j in chosen if names[j].startswith(f"{part}.")]
        if not kept:
            raise DataError(f"{path.name}: no region of {part}; there are {', '.join(parts) or 'none'}.")
        return kept
    if len(parts) > 1:
        raise DataError(
            f"{path.name} holds several parcellations, which overlap: {', '.join(parts)}. Choose with --part."
        )
    return chosen


def _places(cells: Any, chosen: Sequence[int]) -> np.ndarray | None:
    """Return the centres of the chosen regions where every one has three numbers."""
    if not isinstance(cells, list) or any(j >= len(cells) for j in chosen):
        return None
    found = [cells[j] for j in chosen]
    if not all(isinstance(one, np.ndarray) and one.size == 3 and one.dtype.kind in "iuf" for one in found):
        return None
    places = np.array([one.ravel() for one in found], dtype=np.float64)
    return places if np.isfinite(places).all() and len(np.unique(places, axis=0)) > 1 else None


def _names_in(held: Mapping[str, Any], shape: tuple[int, ...]) -> list[str] | None:
    """Return the one list of texts that is as long as a side of the array."""
    lists = [one for one in held.values() if isinstance(one, list) and one and all(isinstance(x, str) for x in one)]
    fitting = [[str(x) for x in one] for one in lists if len(one) in shape]
    return fitting[0] if len(fitting) == 1 else None


def _order_key(path: Path) -> list[str] | None:
    """Return the names in the ROI_OrderKey_*.tsv that DPABI writes beside its signals and matrices."""
    start = next(
        (one for one in ("ROISignals_", "ROICorrelation_FisherZ_", "ROICorrelation_") if path.stem.startswith(one)),
        None,
    )
    key = path.with_name(f"ROI_OrderKey_{path.stem.removeprefix(start or '')}.tsv")
    if start is None or not key.is_file():
        return None
    require_table(key, called=key.name)
    table = pd.read_csv(key, sep="\t", dtype=str, keep_default_na=False, index_col=False)
    column = "Label in Mask" if "Label in Mask" in table and table["Label in Mask"].is_unique else "ROI Definition"
    if column not in table:
        return None
    return [Path(name.strip()).name for name in table[column]]


def _of_text(path: Path) -> Content:
    """Read a table of numbers, with or without names in its first row, and in its first column as well."""
    require(path)
    require_table(path, called=path.name)
    try:
        cells = pd.read_csv(
            path, sep=TEXTS[path.suffix] or r"\s+", header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table of numbers: {error}") from error
    heads, cells = _heads(cells)
    try:
        values = cells.replace(("", "n/a", "NA"), "nan").to_numpy(dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path.name} cannot be read as a table of numbers: {error}") from error
    said: tuple[str, ...] = ()
    if heads and COUNTS.fullmatch(heads[0]) and _step(values[:, 0]):
        said = (f"{path.name}: the first column ({heads[0]!r}) was left out: it counts the volumes.",)
        heads, values = heads[1:], values[:, 1:]
    words = "".join(filter(str.isalnum, path.stem.lower()))
    tool = OF_DPABI if words.startswith(("roisignals", "roicorrelation")) else None
    names = heads or _order_key(path)
    return Content(values, path.name, words, names, columns_are_regions=bool(heads), tool=tool, said=said)


def _step(column: np.ndarray) -> bool:
    """Say whether a column rises by steps of one size."""
    steps = np.diff(column)
    return bool(len(steps) and steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3))


def _heads(cells: pd.DataFrame) -> tuple[list[str] | None, pd.DataFrame]:
    """Take names off the first row, and off the first column where it repeats them."""
    first = [str(one).strip() for one in cells.iloc[0]]
    if _are_numbers_of_regions(first, cells):
        return first, cells.iloc[1:]
    if pd.to_numeric(pd.Series(first), errors="coerce").notna().sum() * 2 > len(first) or len(cells) < 2:
        return None, cells
    cells = cells.iloc[1:]
    if [str(one).strip() for one in cells[0]] == first[1:]:
        return first[1:], cells.iloc[:, 1:]
    return first, cells


def _are_numbers_of_regions(first: Sequence[str], cells: pd.DataFrame) -> bool:
    """Say whether a row of different whole numbers stands above rows of fractions: labels, and no volume."""
    whole = all(one.isdigit() for one in first) and len(set(first)) == len(first) > 1
    rest = pd.to_numeric(pd.Series(cells.iloc[1:].to_numpy().ravel()), errors="coerce").dropna()
    return bool(whole and len(rest) and (rest % 1 != 0).mean() > 0.5)
