"""What another tool says of the volumes that it cleaned: which it left out or filled in, and how much they moved."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bids_app.errors import DataError
from bids_app.participant.motion_mask import flagged_volumes
from bids_app.system.images import require
from bids_app.system.small_files import require_table

NOTHING = "no volume was left out here"
FLAGS = ("framewise_displacement", "outliers", "outlier")


@dataclass(frozen=True)
class Received:
    """The volumes of an image or table that another tool cleaned.

    Attributes
    ----------
    displacement : (T,) float ndarray
        Framewise displacement in mm; NaN where it is not known.
    kept : (T,) bool ndarray
        False for volumes that the tool flagged and filled in: they are no data.
    censoring : str
        What was done about motion, for people.
    """

    displacement: np.ndarray
    kept: np.ndarray
    censoring: str


def read_received(
    name: str,
    n_volumes: int,
    motion: Path | None = None,
    outliers: Path | None = None,
    flagged_above: float | None = None,
) -> Received:
    """Hold the tables of motion and of outliers against the volumes that there are.

    Parameters
    ----------
    name : str
        Of the image or table, for messages.
    n_volumes : int
        T of it.
    motion, outliers : Path, optional
        A row per volume of the scan; a flag above 0 is a volume that was left out.
    flagged_above : float, optional
        In mm: the threshold whose flags count where ``outliers`` has them for several, which is a ``.mat``.

    Returns
    -------
    Received

    Raises
    ------
    DataError
        The tables have neither a row for each volume, nor one for each and the flagged ones.
    """
    flagged = _flags(outliers, flagged_above) if outliers else None
    known = _displacement(motion) if motion else None
    rows = [(path.name, len(one)) for path, one in ((outliers, flagged), (motion, known)) if path and one is not None]
    table, n_rows = rows[0] if rows else ("", n_volumes)
    if rows and rows[-1][1] != n_rows:
        raise DataError(f"{rows[-1][0]} has {rows[-1][1]} rows, {table} has {n_rows}.")
    flagged = np.zeros(n_rows, dtype=bool) if flagged is None else flagged
    known = np.full(n_rows, np.nan) if known is None else known
    if n_rows == n_volumes:
        return Received(known, ~flagged, _censoring(flagged, flagged_above, full=True))
    if int((~flagged).sum()) == n_volumes:
        return Received(known[~flagged], np.ones(n_volumes, dtype=bool), _censoring(flagged, flagged_above, full=False))
    raise DataError(
        f"{name} has {n_volumes} volumes; {table} has {n_rows} rows, {int(flagged.sum())} of them "
        "flagged: this fits neither the full length nor what is left without the flagged ones."
    )


def _censoring(flagged: np.ndarray, above: float | None, *, full: bool) -> str:
    if not flagged.any():
        return NOTHING
    at = "" if above is None else f" at a framewise displacement above {above:g} mm"
    return f"volumes that the other tool flagged{at} were left out {'here' if full else 'by it'}"


def _flags(path: Path, above: float | None) -> np.ndarray:
    if path.suffix == ".mat":
        return flagged_volumes(path, np.inf if above is None else above)
    table = _read(path)
    column = next((name for name in FLAGS if name in table), table.columns[0])
    return pd.to_numeric(table[column], errors="coerce").fillna(0).to_numpy() > 0


def _displacement(path: Path) -> np.ndarray:
    table = _read(path)
    if "framewise_displacement" not in table:
        raise DataError(f"{path.name}: no column framewise_displacement; there are {', '.join(table.columns)}.")
    return pd.to_numeric(table["framewise_displacement"], errors="coerce").to_numpy(float)


def _read(path: Path) -> pd.DataFrame:
    require(path)
    require_table(path, called=path.name)
    try:
        table = pd.read_csv(path, sep="\t", na_values="n/a")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from error
    if table.empty:
        raise DataError(f"{path.name} has no row.")
    return table
