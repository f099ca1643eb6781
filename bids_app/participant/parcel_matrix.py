"""Parcels of which there is no series but a matrix of correlations: what can be made of it, and what cannot."""

from pathlib import Path

import numpy as np
import pandas as pd

from bids_app.bids.matrix_runs import MatrixRun
from bids_app.bids.scan_facts import MATRIX_RECEIVED, Cleaning, Origin, ScanFacts, Volumes
from bids_app.errors import DataError
from bids_app.participant.correlations import Correlations
from bids_app.participant.parcel_series import Parcels, places_of
from bids_app.space.atlas_labels import unique_names
from bids_app.system.small_files import require_table

ROUNDING = 1e-6
MOTION_UNKNOWN = "nothing is known of motion or of volumes that were left out: there is a matrix and no series"
NOT_KNOWN = (
    "There is a matrix and no series. Volumes, minutes of data and motion are not known: nothing is censored, no scan "
    "is left out for too few minutes, motion is neither compared nor adjusted for, and the scans of a visit weigh the "
    "same."
)
UNKNOWN = float("nan")


def matrix_parcels(run: MatrixRun) -> Parcels:
    """Read the correlations of parcels that another tool made.

    Parameters
    ----------
    run : MatrixRun

    Returns
    -------
    Parcels
        Without series. Of volumes, minutes and motion nothing is known, and the facts say so.

    Raises
    ------
    DataError
        It is no matrix of correlations: not square, not symmetric, above 1, or with values missing here and there.
    """
    names, values = _read(run.matrix)
    r = _checked(run.matrix.name, np.tanh(values) if run.kind == "fisher" else values)
    absent = np.isnan(r).all(axis=1)
    index = pd.Series(np.arange(1, len(names) + 1))
    names = [str(name) for name in unique_names(pd.Series(names, dtype=str), index)]
    facts = ScanFacts(
        origin=Origin.here(run.label, run.sources),
        volumes=Volumes(kept=UNKNOWN, censoring=MOTION_UNKNOWN),
        cleaning=Cleaning(denoising=MATRIX_RECEIVED),
        warnings=(NOT_KNOWN,),
    )
    table = pd.DataFrame({"index": index, "name": names, "coverage": np.where(absent, 0.0, 1.0)})
    received = Correlations(run.matrix.name, run.kind, r)
    return Parcels(dict(run.entities), table, None, facts, places_of(run.coordinates, names), received=received)


def _read(path: Path) -> tuple[list[str], np.ndarray]:
    """Read a square table with the names of the parcels in its first row, and in its first column as well."""
    require_table(path, called=path.name)
    try:
        cells = pd.read_csv(path, sep="\t", header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        names = [str(name).strip() for name in cells.iloc[0]]
        rows = cells.iloc[1:]
        if len(names) == len(rows) + 1 and [str(name).strip() for name in rows[0]] == names[1:]:
            names, rows = names[1:], rows.iloc[:, 1:]
        return names, rows.replace("n/a", "nan").to_numpy(dtype=np.float64)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path.name} cannot be read as a matrix with names: {error}") from error


def _checked(name: str, r: np.ndarray) -> np.ndarray:
    """Return correlations of diagonal 1, NaN in the whole rows and columns of parcels without data."""
    if r.ndim != 2 or r.shape[0] != r.shape[1] or len(r) < 2:
        raise DataError(f"{name} is no matrix of parcels: it has {r.shape[0]} rows and {r.shape[-1]} columns.")
    off = ~np.eye(len(r), dtype=bool)
    if not np.allclose(r[off], r.T[off], rtol=0, atol=ROUNDING, equal_nan=True):
        raise DataError(f"{name} is not symmetric: it is no matrix of correlations.")
    absent = np.isnan(np.where(off, r, np.nan)).all(axis=1)
    inner = off & ~absent[:, np.newaxis] & ~absent
    if absent.sum() > len(r) - 2 or np.isnan(r[inner]).any():
        raise DataError(f"{name}: correlations are missing here and there; a parcel has all or none.")
    if np.abs(r[inner]).max() > 1 + ROUNDING:
        raise DataError(
            f"{name} holds {np.abs(r[inner]).max():.3g}: correlations are at most 1. Fisher's z is stat-fisherz."
        )
    r = np.clip(r, -1, 1)
    r[np.diag_indices(len(r))] = 1
    r[absent] = np.nan
    r[:, absent] = np.nan
    return r
