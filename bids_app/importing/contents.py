"""What a file holds: which of its variables is meant, what its regions are called, and where they lie."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app.errors import DataError
from bids_app.importing import conn, gretna
from bids_app.importing.array import Content, one_of
from bids_app.importing.mat_files import read_mat
from bids_app.system.images import require
from bids_app.system.small_files import require_table

TEXTS = {".tsv": "\t", ".csv": ",", ".txt": None}  # without a separator, any white space
COUNTS = re.compile(r"|unnamed: ?0|index|time|volume|frame|tr|t", re.IGNORECASE)  # heads of what is no region
OF_DPABI = "DPABI"


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
        Which matrix, from 1, of an array that holds one behind the other, as CONN's of all participants; of CONN's
        series of all sessions, which session.

    Raises
    ------
    MissingInputError, DataError
        The file cannot be read, or what is meant is not certain.
    """
    if path.suffix in TEXTS:
        return _of_text(path)
    held = _variables(path)
    if variable is None and conn.is_series(held):
        return conn.read_series(path, held, part, index)
    if variable in (None, "Z") and conn.is_matrix(held):
        return conn.read_matrix(path, held, part, index)
    name, array = _meant(path, held, variable)
    values = one_of(path, np.asarray(array, dtype=np.float64), index)
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
    if not heads and gretna.is_of(path):
        return gretna.read(path, values)
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
