"""Confounds of a run: which are regressed out, and which volumes stay."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from bids_app.bids.runs import BoldRun
from bids_app.errors import DataError, MissingInputError
from bids_app.participant.received import read_received
from bids_app.settings.settings import Signal
from bids_app.system.images import require
from bids_app.system.small_files import require_table

PARAMETERS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
HEAD_RADIUS = 50.0  # mm
LARGEST = 1e100  # whose square is a number still
COMPUTED = "the six motion parameters (Power et al. 2012, 50 mm)"
UNKNOWN = "not known"
STRATEGIES: dict[str, dict[str, Any]] = {
    "friston24": {"strategy": ("motion", "wm_csf"), "motion": "full", "wm_csf": "basic"},
    "24p": {"strategy": ("motion",), "motion": "full"},
    "36p": {
        "strategy": ("motion", "wm_csf", "global_signal"),
        **{"motion": "full", "wm_csf": "full", "global_signal": "full"},
    },
    "acompcor": {
        "strategy": ("motion", "high_pass", "compcor"),
        **{"motion": "full", "compcor": "anat_combined", "n_compcor": 5},
    },
    "simple": {"strategy": ("motion", "wm_csf"), "motion": "basic", "wm_csf": "basic"},
}


@dataclass(frozen=True)
class Confounds:
    """What is regressed out, and which volumes stay.

    Attributes
    ----------
    regressors : (T, K) DataFrame
        One column per confound; K may be 0.
    framewise_displacement : (T,) float ndarray
        In mm; NaN for the first volume, or throughout if unknown.
    n_dummy : int
        Volumes at the start that are dropped before anything else.
    kept : (T,) bool ndarray
        False for dummy volumes and for those above the motion threshold.
    displacement_source : str
        Where the framewise displacement is from.
    notes : tuple of str
        What could not be done as asked, in whole sentences.
    censoring : str or None
        What was done about motion in images that another tool cleaned, for people.
    """

    regressors: pd.DataFrame
    framewise_displacement: np.ndarray
    n_dummy: int
    kept: np.ndarray
    displacement_source: str = "the confounds table"
    notes: tuple[str, ...] = ()
    censoring: str | None = None


def read_confounds(bold_path: Path, table_path: Path | None, n_volumes: int, options: Signal) -> Confounds:
    """Select confounds by strategy and censor volumes by motion.

    Parameters
    ----------
    bold_path, table_path : Path
        fMRIPrep's names; the table may be None if the strategy is none.
    n_volumes : int
        T of the image.
    options : Signal

    Returns
    -------
    Confounds
    """
    if table_path is None:
        if options.denoise != "none":
            raise MissingInputError(
                f"no confounds table beside {bold_path.name} (looked for *_desc-confounds_timeseries.tsv); "
                "use --denoise none if there is none."
            )
        table = pd.DataFrame(index=range(n_volumes))
    else:
        table = _read_table(table_path, n_volumes)
    regressors = _regressors(table_path, options)
    if regressors.empty:
        regressors = pd.DataFrame(index=range(n_volumes))
    displacement, source, notes = _displacement_of(table, table_path, options.fd_threshold)
    n_dummy = options.dummy_scans
    if n_dummy is None:
        n_dummy = sum(str(column).startswith("non_steady_state_outlier") for column in table)
    kept = ~(displacement > options.fd_threshold)
    kept[:n_dummy] = False
    return Confounds(regressors, displacement, n_dummy, kept, source, notes)


def _displacement_of(
    table: pd.DataFrame, path: Path | None, threshold: float
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Return the framewise displacement of a table, from its column or else from the motion parameters.

    Raises
    ------
    DataError
        It is needed, and neither is there.
    """
    unknown = np.full(len(table), np.nan)
    if path is None:
        note = "There is no confounds table: no framewise displacement is known, and no volume was censored."
        return unknown, UNKNOWN, (note,) if np.isfinite(threshold) else ()
    if "framewise_displacement" in table:
        known = pd.to_numeric(table["framewise_displacement"], errors="coerce").to_numpy(float)
        if np.isfinite(known).any():
            missing = int(np.isnan(known[1:]).sum())
            note = f"{path.name}: the framewise displacement of {missing} volumes is missing; they were kept."
            return known, "the confounds table", (note,) if missing else ()
    if set(PARAMETERS) <= set(table):
        parameters = table[list(PARAMETERS)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
        note = f"{path.name} has no framewise displacement; it was computed from the six motion parameters."
        return framewise_displacement(parameters), COMPUTED, (note,)
    if not np.isfinite(threshold):
        return unknown, UNKNOWN, ()
    raise DataError(
        f"{path.name}: volumes cannot be censored by motion: there is no framewise_displacement, and no "
        f"{', '.join(PARAMETERS)} to compute it from. --fd-threshold off does without, for all scans."
    )


def framewise_displacement(parameters: np.ndarray) -> np.ndarray:
    """Compute the framewise displacement.

    Parameters
    ----------
    parameters : (T, 6) float ndarray
        Translations in mm, then rotations in radians.

    Returns
    -------
    (T,) float64 ndarray
        In mm, NaN for the first volume: the sum of the absolute changes, of rotations on a sphere of 50 mm.

    References
    ----------
    Power et al. (2012), doi:10.1016/j.neuroimage.2011.10.018.

    Examples
    --------
    >>> framewise_displacement(np.array([[0.0] * 6, [0.1, -0.2, 0, 0, 0, 0.01]])).round(3).tolist()
    [nan, 0.8]
    """
    changes = np.abs(np.diff(parameters, axis=0)) * [1, 1, 1, *[HEAD_RADIUS] * 3]
    return np.concatenate([[np.nan], changes.sum(axis=1)])


def received_confounds(run: BoldRun, n_volumes: int) -> Confounds:
    """Return the motion of a run that another tool cleaned, and its volumes that are data; nothing is regressed out.

    Parameters
    ----------
    run : runs.BoldRun
    n_volumes : int
        T of the image.
    """
    found = read_received(run.bold.name, n_volumes, run.confounds, run.outliers, run.flagged_above)
    source, notes = "the motion table", tuple[str, ...]()
    if not np.isfinite(found.displacement).any():
        source, notes = UNKNOWN, ("No framewise displacement is known of these images.",)
    none = pd.DataFrame(index=range(n_volumes))
    return Confounds(none, found.displacement, 0, found.kept, source, notes, found.censoring)


def _read_table(path: Path, n_volumes: int) -> pd.DataFrame:
    require(path)
    require_table(path, called=path.name)
    try:
        table = pd.read_csv(path, sep="\t", na_values="n/a")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from error
    if len(table) != n_volumes:
        raise DataError(f"{path.name} has {len(table)} rows, the BOLD image has {n_volumes} volumes.")
    return table


def _regressors(table_path: Path | None, options: Signal) -> pd.DataFrame:
    if options.denoise == "none" or table_path is None:
        return pd.DataFrame()
    from nilearn.interfaces.fmriprep import load_confounds  # here, for it loads scikit-learn

    try:
        with warnings.catch_warnings(), _as_nilearn_expects(table_path) as image_path:
            warnings.simplefilter("ignore")
            columns, _ = load_confounds(image_path, **STRATEGIES[options.denoise], demean=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        message = " ".join(str(error).split())
        raise DataError(
            f"{table_path.name}: the confounds of --denoise {options.denoise} cannot be read: {message}"
        ) from error
    if options.bandpass and options.bandpass[0] > 0:
        # Cosines lie in the stop band: filtered, only rounding is left of them, and scaling would blow it up.
        columns = columns.loc[:, ~columns.columns.str.startswith("cosine")]
    words = columns.select_dtypes(exclude="number")
    columns = columns.assign(**words.apply(pd.to_numeric, errors="coerce"))
    if columns.isna().any(axis=None):
        bad = ", ".join(columns.columns[columns.isna().any()][:5])
        raise DataError(f"{table_path.name}: values are missing in {bad}.")
    large = columns.abs() > LARGEST
    if large.any(axis=None):
        raise DataError(
            f"{table_path.name}: values are beyond all reason in {', '.join(columns.columns[large.any()][:5])}."
        )
    return columns


@contextmanager
def _as_nilearn_expects(table_path: Path) -> Iterator[str]:
    """Lend the name of an image by which nilearn finds this very table; it takes neither .nii nor other names."""
    with TemporaryDirectory() as folder:
        for extension in (".tsv", ".json"):
            source = table_path.with_suffix(extension).resolve()
            if source.exists():
                (Path(folder) / f"sub-0_desc-confounds_timeseries{extension}").symlink_to(source)
        yield f"{folder}/sub-0_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
