"""Confounds of a run: which are regressed out, and which volumes stay."""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from nilearn.interfaces.fmriprep import load_confounds

from bids_app.errors import DataError, MissingInputError
from bids_app.images import require

STRATEGIES = {
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
    """

    regressors: pd.DataFrame
    framewise_displacement: np.ndarray
    n_dummy: int
    kept: np.ndarray


def read_confounds(bold_path, table_path, n_volumes, options):
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
    displacement = pd.to_numeric(
        table.get("framewise_displacement", pd.Series(np.nan, index=table.index)), errors="coerce"
    ).to_numpy(float)
    n_dummy = options.dummy_scans
    if n_dummy is None:
        n_dummy = sum(column.startswith("non_steady_state_outlier") for column in table)
    kept = ~(displacement > options.fd_threshold)
    kept[:n_dummy] = False
    return Confounds(regressors, displacement, n_dummy, kept)


def received_confounds(table_path, n_volumes):
    """Return the motion of a run that another tool cleaned and censored; nothing is regressed out again.

    Parameters
    ----------
    table_path : Path or None
        XCP-D's motion.tsv, of all volumes; its outliers.tsv beside it says which were left out.
    n_volumes : int
        T of the image.
    """
    displacement = np.full(n_volumes, np.nan)
    if table_path is not None:
        known = _displacement(table_path)
        for candidate in (known, known[~_left_out(table_path, len(known))]):
            if len(candidate) == n_volumes:
                displacement = candidate
    return Confounds(pd.DataFrame(index=range(n_volumes)), displacement, 0, np.ones(n_volumes, dtype=bool))


def _displacement(path):
    require(path)
    try:
        return pd.read_csv(path, sep="\t", na_values="n/a")["framewise_displacement"].to_numpy(float)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path.name}: no column framewise_displacement of numbers ({error}).") from error


def _left_out(motion_path, n_volumes):
    path = motion_path.with_name(motion_path.name.replace("_motion.tsv", "_outliers.tsv"))
    if not path.exists():
        return np.zeros(n_volumes, dtype=bool)
    flags = pd.read_csv(path, sep="\t").iloc[:, 0].to_numpy() > 0
    return flags if len(flags) == n_volumes else np.zeros(n_volumes, dtype=bool)


def _read_table(path, n_volumes):
    require(path)
    try:
        table = pd.read_csv(path, sep="\t", na_values="n/a")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}") from error
    if len(table) != n_volumes:
        raise DataError(f"{path.name} has {len(table)} rows, the BOLD image has {n_volumes} volumes.")
    return table


def _regressors(table_path, options):
    if options.denoise == "none":
        return pd.DataFrame()
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
    columns = columns.apply(pd.to_numeric, errors="coerce")
    if columns.isna().any(axis=None):
        bad = ", ".join(columns.columns[columns.isna().any()][:5])
        raise DataError(f"{table_path.name}: values are missing in {bad}.")
    return columns


@contextmanager
def _as_nilearn_expects(table_path):
    """Lend the name of an image by which nilearn finds this very table; it takes neither .nii nor other names."""
    with TemporaryDirectory() as folder:
        for extension in (".tsv", ".json"):
            source = table_path.with_suffix(extension).resolve()
            if source.exists():
                (Path(folder) / f"sub-0_desc-confounds_timeseries{extension}").symlink_to(source)
        yield f"{folder}/sub-0_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
