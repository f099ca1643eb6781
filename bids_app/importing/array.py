"""The array that is meant in a file, and what the file says of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bids_app.errors import DataError


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


def one_of(path: Path, array: np.ndarray, index: int | None) -> np.ndarray:
    """Return one matrix of several behind each other; an array of one needs no index."""
    if array.ndim == 2:
        return array
    if index is None:
        raise DataError(f"{path.name} holds {array.shape[2]} matrices: say which, from 1, in the column index.")
    if not 1 <= index <= array.shape[2]:
        raise DataError(f"{path.name}: index {index} is none of its {array.shape[2]} matrices.")
    return np.asarray(array[:, :, index - 1])
