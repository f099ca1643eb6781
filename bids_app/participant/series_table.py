"""Another tool's table of parcel series: which of its columns are parcels, and which count the volumes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bids_app.errors import DataError
from bids_app.participant.series_files import read_columns, read_parcellated
from bids_app.system.small_files import require_table

NO_HEAD = re.compile(r"|n/a|[Nn]a[Nn]|None|[Uu]nnamed: ?\d+(_level_\d+|\.\d+)?")  # NA may be a nucleus accumbens
OF_VOLUMES = re.compile(
    r"index|idx|time|times|t|seconds?|secs?|onset|volumes?|vol|frames?|trs?|samples?|scans?|rows?|"
    r"(time|volume|frame|sample|scan|row|tr)[ _.-]?(points?|index|idx|id|nr|number|no)|timepoints?",
    re.IGNORECASE,
)
UNITS = re.compile(r"[ _]*(\([^)]*\)|\[[^]]*\]|(?<=[ _])(s|ms|sec|seconds))$")
MISSING = ("", "n/a", "nan", "NaN", "NA", "N/A", "None", "null")
TOLERANCE = 0.01  # of a step: times are rounded


@dataclass(frozen=True)
class SeriesTable:
    """The columns that are parcels.

    Attributes
    ----------
    names : list of str
        One for each of the P parcels; of a table without heads, ``parcel1`` to ``parcelP``.
    values : (T, P) float64 ndarray
        Without the volumes that have no value at all.
    there : (T0,) bool ndarray
        Which of the T0 rows of the table are the T volumes.
    said : tuple of str
        What was left out and what was taken for a parcel in spite of its name, as sentences.
    seconds : float or None
        From volume to volume, where the file itself says so.
    """

    names: list[str]
    values: np.ndarray
    said: tuple[str, ...]
    there: np.ndarray
    seconds: float | None = None


def read_series(path: Path) -> SeriesTable:
    """Read a table with a column per parcel and a row per volume.

    Parameters
    ----------
    path : Path
        TSV, with or without heads; or ``.1D`` of AFNI, or ``.ptseries.nii`` of CIFTI.

    Returns
    -------
    SeriesTable

    Raises
    ------
    DataError
        It is no table of numbers, it has a row per parcel, or a column may be a parcel or a count of the volumes.

    Notes
    -----
    A column counts the volumes if both its values and its head say so: the values rise by steps of one size (from run
    to run again), the head is one of those that indices and times have, or is none. Where only one of them says so, the
    column is refused, but for a series that goes up and down under a name such as ``t``: it cannot be a time.
    """
    if path.name.endswith(".ptseries.nii"):
        names, values, seconds = read_parcellated(path)
        there = ~np.isnan(values).all(axis=1)
        return SeriesTable(names, values[there], (), there, seconds)
    heads, values = read_columns(path) if path.suffix == ".1D" else _of_tsv(path)
    parcels, said = [], []
    for column in range(values.shape[1]):
        is_parcel, sentence = _judged(path, heads, values, column)
        parcels += [column] if is_parcel else []
        said += [sentence] if sentence else []
    values = values[:, parcels]
    names = [heads[j] for j in parcels] if heads else [f"parcel{j}" for j in range(1, len(parcels) + 1)]
    there = ~np.isnan(values).all(axis=1)
    return SeriesTable(names, values[there], tuple(said), there)


def _of_tsv(path: Path) -> tuple[list[str], np.ndarray]:
    require_table(path, called=path.name)
    try:
        cells = pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table of numbers: {error}") from error
    heads, cells = _heads(cells)
    _require_volumes_in_rows(path, heads, cells)
    return heads, _numbers(path, heads, cells)


def called(heads: Sequence[str], column: int) -> str:
    """Return what messages call a column."""
    return f"column {column + 1} ({heads[column]!r})" if heads and heads[column] else f"column {column + 1} (unnamed)"


def _heads(cells: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Take the first row as heads, unless it holds numbers with fractions as the others do."""
    words = pd.Series(cells.to_numpy().ravel()).fillna("").str.strip()  # rows that are short end in NaN
    cells = pd.DataFrame(words.to_numpy().reshape(cells.shape))
    filled = cells[~cells.isin(MISSING).all(axis=1)]
    first = (filled if len(filled) else cells).iloc[0]  # the first volumes may be censored
    numbers = pd.to_numeric(first, errors="coerce")
    if len(cells) > 1 and (numbers.notna() | first.isin(MISSING)).all() and (numbers % 1 > 0).any():
        return [], cells
    return cells.iloc[0].tolist(), cells.iloc[1:]


def _require_volumes_in_rows(path: Path, heads: Sequence[str], cells: pd.DataFrame) -> None:
    """Refuse a table whose first column are names and whose other heads are numbers: it has a row per parcel."""
    words = pd.to_numeric(cells[0], errors="coerce").isna() & ~cells[0].isin(MISSING)
    others = pd.to_numeric(pd.Series(heads[1:], dtype=str), errors="coerce")
    if len(cells) and words.all() and len(others) and others.notna().all():
        raise DataError(
            f"{path.name} looks transposed: its first column holds names ({cells[0].iloc[0]!r} ...) and its first row "
            "numbers. A column per parcel and a row per volume is needed."
        )


def _numbers(path: Path, heads: Sequence[str], cells: pd.DataFrame) -> np.ndarray:
    """Read all cells at once; of what is no number, the first of the first column is named."""
    words = pd.Series(cells.to_numpy().ravel())
    numbers = pd.to_numeric(words, errors="coerce").astype(np.float64)
    is_wrong = ((numbers.isna() & ~words.isin(MISSING)) | np.isinf(numbers)).to_numpy().reshape(cells.shape)
    for column in np.flatnonzero(is_wrong.any(axis=0))[:1]:
        wrong = cells.iloc[int(is_wrong[:, column].argmax()), column]
        raise DataError(
            f"{path.name} cannot be read as a table of numbers: {called(heads, column)} holds {wrong!r}. Take out what "
            "is no parcel's series, and write n/a for what is missing."
        )
    return numbers.to_numpy().reshape(cells.shape)


def _judged(path: Path, heads: Sequence[str], values: np.ndarray, column: int) -> tuple[bool, str]:
    """Say whether a column is a parcel, and what there is to say of that."""
    series, head = values[:, column], heads[column] if heads else ""
    name, step = called(heads, column), _step(series)
    of_volumes = OF_VOLUMES.fullmatch(UNITS.sub("", head)) is not None
    nameless = bool(heads) and NO_HEAD.fullmatch(head) is not None
    leading = column == 0 and (not heads or head.isdigit())
    if (step and (of_volumes or nameless or leading)) or (of_volumes and (np.diff(series) > 0).all()):
        return False, (
            f"{path.name}: {name} was left out: it counts the volumes, from {series[0]:g} to {series[-1]:g}, and is no "
            "parcel."
        )
    if step:
        raise DataError(
            f"{path.name}: {name} rises by steps of {step:g}, as an index or a time does and no BOLD series. Take it "
            "out, or call it index or time."
        )
    if nameless and np.isnan(series).all():
        return False, f"{path.name}: {name} was left out: it is empty."
    if nameless:
        raise DataError(f"{path.name}: {name} has values and no name. Name it if it is a parcel, or take it out.")
    if of_volumes and np.nanmax(series, initial=-np.inf) > np.nanmin(series, initial=np.inf):
        return True, f"{path.name}: {name} was taken for a parcel: it goes up and down, as no index or time does."
    return True, ""


def _step(series: np.ndarray) -> float:
    """Return the step by which a series rises, over gaps and from its start again; 0 if it does not.

    Examples
    --------
    >>> _step(np.arange(20.0)), _step(np.array([0, 0.8, 1.6, 4.0, 4.8])), _step(np.sin(np.arange(20.0)))
    (1.0, 0.8, 0.0)
    """
    steps = np.diff(series)
    rising = steps[~(np.isclose(series[1:], series[0]) & (steps < 0))]  # without those to the start of another run
    if len(rising) < 2 or len(rising) < 0.5 * len(steps) or not (rising > 0).all():
        return 0.0
    multiples = rising / rising.min()
    off = np.abs(multiples - np.round(multiples))
    return float(rising.min().round(9)) if (off <= np.clip(TOLERANCE * multiples, 0, 0.2)).all() else 0.0
