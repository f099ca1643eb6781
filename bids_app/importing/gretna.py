"""What GRETNA leaves: texts without names, whose folders say what they hold (``GUI/gretna_RUN_StaticFC.m``)."""

from pathlib import Path

import numpy as np

from bids_app.importing.array import Content

TOOL = "GRETNA"
SERIES, OF_R, OF_Z = FOLDERS = ("GretnaTimeCourse", "GretnaSFCMatrixR", "GretnaSFCMatrixZ")
INDEX = "NodalIndex.txt"  # numbers of the regions in the atlas, in the folder of the matrices of r


def is_of(path: Path) -> bool:
    """Say whether a text lies in a folder of GRETNA's."""
    return path.resolve().parent.name in FOLDERS and path.name != INDEX


def read(path: Path, values: np.ndarray) -> Content:
    """Return what a text holds, with the numbers of the regions as names and their centres, if they lie there.

    Parameters
    ----------
    path : Path
    values : 2D float64 ndarray

    Returns
    -------
    Content
        Its words are those of the folder, by which `meaning.judge` goes.
    """
    folder = path.resolve().parent
    numbers = _numbers(folder.parent / OF_R / INDEX)
    fits = numbers is not None and len(numbers) == values.shape[1]
    names = [f"{number:g}" for number in numbers] if fits and numbers is not None else None
    return Content(values, path.name, folder.name.lower(), names, _centres(folder.parent / OF_R, values), tool=TOOL)


def _centres(folder: Path, values: np.ndarray) -> np.ndarray | None:
    """Return x, y and z of the one ``Example_*.node`` that has a row for each region."""
    found = list(folder.glob("Example_*.node"))
    try:
        places = np.loadtxt(found[0], usecols=(0, 1, 2), ndmin=2) if len(found) == 1 else None
    except (OSError, ValueError):
        return None
    return places if places is not None and len(places) == values.shape[1] and np.isfinite(places).all() else None


def _numbers(path: Path) -> np.ndarray | None:
    try:
        return np.loadtxt(path, ndmin=1).ravel()
    except (OSError, ValueError):
        return None
