"""The volumes that abcd-hcp-pipeline (DCAN) flags in ``*_motion_mask.mat``."""

from pathlib import Path
from typing import Any

import numpy as np

from bids_app.errors import DataError
from bids_app.importing.mat_files import read_mat

VARIABLE = "motion_data"
REMOVAL = ("combined_removal", "frame_removal")  # with outliers found in the signal, where they were looked for
TOLERANCE = 1e-6  # of thresholds that are steps of 0.01 mm


def flagged_volumes(path: Path, above: float) -> np.ndarray:
    """Read which volumes were flagged at a threshold of framewise displacement.

    Parameters
    ----------
    path : Path
        With a cell ``motion_data`` of a structure for each threshold: ``FD_threshold`` in mm, and ``frame_removal``
        with 1 for a volume to leave out, as the Fair lab's parsers of motion write it (power_2014_FD_only.mat).
    above : float
        The threshold in mm; none is flagged at infinity.

    Returns
    -------
    (T,) bool ndarray

    Raises
    ------
    MissingInputError, DataError
        It cannot be read, holds something else, or knows no such threshold.
    """
    held = read_mat(path)
    cells = held.get(VARIABLE)
    if not isinstance(cells, list) or not cells or not all(isinstance(one, dict) for one in cells):
        raise DataError(f"{path.name} holds no cell {VARIABLE} of structures; it holds {', '.join(held) or 'nothing'}.")
    thresholds = np.array([_number(path, one, "FD_threshold") for one in cells])
    if np.isinf(above):
        return np.zeros(len(_removal(path, cells[0])), dtype=bool)
    fitting = np.flatnonzero(np.abs(thresholds - above) < TOLERANCE)
    if not fitting.size:
        raise DataError(
            f"{path.name} flags volumes for {thresholds.min():g} to {thresholds.max():g} mm in {len(cells)} steps, and "
            f"not for {above:g} mm: choose one of them with --fd-threshold."
        )
    return _removal(path, cells[fitting[0]])


def _removal(path: Path, cell: dict[str, Any]) -> np.ndarray:
    found = next((cell[name] for name in REMOVAL if isinstance(cell.get(name), np.ndarray)), None)
    if found is None or found.size == 0 or not np.isin(found, (0, 1)).all():
        raise DataError(f"{path.name}: frame_removal is no list of 0 and 1; there are {', '.join(cell)}.")
    return np.asarray(found).ravel() > 0


def _number(path: Path, cell: dict[str, Any], name: str) -> float:
    value = cell.get(name)
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise DataError(f"{path.name}: a structure of {VARIABLE} has no {name}; there are {', '.join(cell)}.")
    return float(value.ravel()[0])
