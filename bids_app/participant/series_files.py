"""Series of parcels in other files than TSV: columns of AFNI, and parcels of CIFTI."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np

from bids_app.errors import DataError
from bids_app.system.images import require
from bids_app.system.small_files import require_table

SEPARATOR = re.compile(r"[,\s]+")


def read_columns(path: Path) -> tuple[list[str], np.ndarray]:
    """Read a file of AFNI, ``.1D``: a column per parcel, a row per volume, and comments that begin with #.

    Parameters
    ----------
    path : Path
        Columns may be told apart by tabs, commas or spaces: C-PAC writes those of 3dROIstats with commas.

    Returns
    -------
    list of str
        Names, of the last comment that has a word for each column; else empty.
    (T, P) float64 ndarray

    Raises
    ------
    DataError
        It is no table of numbers.
    """
    require_table(path, called=path.name)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} cannot be read as a table of numbers: {error}") from error
    rows = [_words(line) for line in lines if line and not line.startswith("#")]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        listed = ", ".join(map(str, sorted(widths))) or "no"
        raise DataError(f"{path.name} cannot be read as a table of numbers: its rows have {listed} columns.")
    try:
        values = np.array([[float(word) for word in row] for row in rows])
    except ValueError as error:
        raise DataError(f"{path.name} cannot be read as a table of numbers: {error}.") from None
    heads = [words for line in lines if line.startswith("#") if len(words := _words(line.lstrip("#"))) in widths]
    return (heads[-1] if heads else []), values


def _words(line: str) -> list[str]:
    return [word for word in SEPARATOR.split(line) if word]


def read_parcellated(path: Path) -> tuple[list[str], np.ndarray, float | None]:
    """Read parcels of CIFTI, ``.ptseries.nii``.

    Returns
    -------
    list of str
        Names of the parcels.
    (T, P) float64 ndarray
    float or None
        Seconds from volume to volume, if the header has them.

    Raises
    ------
    MissingInputError, DataError
        It cannot be read, or holds something else.
    """
    require(path)
    try:
        image = nib.Cifti2Image.from_filename(path)
        axes = [image.header.get_axis(number) for number in range(image.ndim)]
        values = np.asarray(image.dataobj, dtype=np.float64)
    except Exception as error:  # of damage nibabel raises anything
        raise DataError(f"{path.name} cannot be read as an image of CIFTI: {error}") from error
    if [type(axis) for axis in axes] != [nib.cifti2.SeriesAxis, nib.cifti2.ParcelsAxis]:
        kinds = " x ".join(type(axis).__name__ for axis in axes)
        raise DataError(f"{path.name} holds {kinds}; series of parcels (SeriesAxis x ParcelsAxis) are needed.")
    series, parcels = axes
    seconds = float(series.step) if series.unit == "SECOND" and series.step > 0 else None
    return [str(name) for name in parcels.name], values, seconds
