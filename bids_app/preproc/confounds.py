"""The table of confounds of a scan, with the columns and definitions of fMRIPrep."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bids_app.preproc.motion import framewise_displacement

MOTION_NAMES = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
CUTOFF_S = 128.0
FD_THRESHOLD_MM = 0.5
STD_DVARS_THRESHOLD = 1.5
DUMMY_WINDOW = 50
DUMMY_Z = 3.5
VARIANCE_KEPT = 0.5
VOXELS_AT_ONCE = 20_000
PREFIXES = {"combined": "a_comp_cor", "CSF": "c_comp_cor", "WM": "w_comp_cor"}


def count_dummy_scans(global_signal: ArrayLike) -> int:
    """Count the first volumes that are not in steady state, as fMRIPrep does.

    They are those whose modified z (0.6745 |x - median| / median absolute deviation; Iglewicz and Hoaglin 1993)
    among the first 50 volumes is above 3.5.

    Parameters
    ----------
    global_signal : (T,) ndarray
        Mean over the image of each volume.

    Examples
    --------
    >>> count_dummy_scans(np.array([900.0, 500, 101, 99, 100, 102, 98, 100]))
    2
    """
    signal = np.asarray(global_signal, dtype=float)[:DUMMY_WINDOW]
    distance = np.abs(signal - np.median(signal))
    spread = np.median(distance)
    if spread == 0:
        return 0
    steady = 0.6745 * distance / spread <= DUMMY_Z
    return int(np.argmax(steady)) if steady.any() else signal.size


def make_confounds(
    series: np.ndarray, motion: np.ndarray, masks: Mapping[str, np.ndarray], *, repetition_time: float, n_dummy: int = 0
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Tabulate the confounds of a scan.

    Parameters
    ----------
    series : (T, V) float32 ndarray
        Signal of the brain's voxels; may lie on disk.
    motion : (T, 6) ndarray
        Translations in mm, then rotations in radians.
    masks : dict of (V,) bool ndarray
        CSF, WM and combined, as from `masks.noise_masks`, and brain.
    repetition_time : float
        In seconds.
    n_dummy : int
        Volumes at the start that are not in steady state.

    Returns
    -------
    table : DataFrame
        One row per volume; the first row of a difference is missing.
    metadata : dict
        What the JSON sidecar says about the columns.
    """
    signals = {name: np.asarray(series[:, masks[name]]).mean(axis=1, dtype=float) for name in masks}
    base = {
        "global_signal": signals["brain"],
        "csf": signals["CSF"],
        "white_matter": signals["WM"],
        "csf_wm": signals["combined"],
        **dict(zip(MOTION_NAMES, motion.T, strict=True)),
    }
    columns = {key: values for name, signal in base.items() for key, values in expand(name, signal).items()}
    columns["dvars"], columns["std_dvars"] = dvars(series, masks["brain"])
    columns["framewise_displacement"] = framewise_displacement(motion)
    drift = cosines(len(series), repetition_time)
    columns |= {f"cosine{index:02d}": column for index, column in enumerate(drift.T)}
    metadata = dict(DESCRIPTIONS)
    for name, prefix in PREFIXES.items():
        some, said = components(np.asarray(series[:, masks[name]]), drift, n_dummy, name=name, prefix=prefix)
        columns |= some
        metadata |= said
    columns |= outliers(columns["framewise_displacement"], columns["std_dvars"], n_dummy)
    return pd.DataFrame(columns), metadata


DESCRIPTIONS = {
    "global_signal": {"Description": "Mean over the brain mask."},
    "csf": {"Description": "Mean over voxels that are CSF and do not touch grey matter."},
    "white_matter": {"Description": "Mean over voxels that are white matter and do not touch grey matter."},
    "csf_wm": {"Description": "Mean over the voxels of csf and white_matter together."},
    "framewise_displacement": {"Description": "Power et al. 2012, sphere of 50 mm.", "Units": "mm"},
    "dvars": {"Description": "Root mean square change of the signal, whose median over the scan is scaled to 1000."},
    "std_dvars": {"Description": "DVARS divided by what it would be without artefacts (Nichols 2013)."},
    **{name: {"Description": "Head position, world axes (RAS).", "Units": "mm"} for name in MOTION_NAMES[:3]},
    **{
        name: {"Description": "Head rotation about the centre of the brain, world axes (RAS).", "Units": "rad"}
        for name in MOTION_NAMES[3:]
    },
}


def expand(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return a signal, its backward difference, and the squares of both, named as fMRIPrep does.

    Examples
    --------
    >>> {key: column.tolist() for key, column in expand("csf", np.array([1.0, 3.0])).items()}["csf_power2"]
    [1.0, 9.0]
    """
    derivative = np.r_[np.nan, np.diff(values)]
    return {
        name: values,
        f"{name}_derivative1": derivative,
        f"{name}_power2": values**2,
        f"{name}_derivative1_power2": derivative**2,
    }


def cosines(n_volumes: int, repetition_time: float) -> np.ndarray:
    """Return the discrete cosines slower than 128 s, (T, C) float64, each of length 1.

    Examples
    --------
    >>> cosines(128, 2.0).shape
    (128, 4)
    """
    count = int(2 * n_volumes * repetition_time / CUTOFF_S)
    phases = np.outer(np.arange(n_volumes) + 0.5, np.arange(1, count + 1)) * np.pi / n_volumes
    return np.sqrt(2 / n_volumes) * np.cos(phases)


def dvars(series: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return DVARS, and DVARS standardised by its expectation from robust variance and autocorrelation.

    Power et al. 2012; Nichols 2013, "Notes on creating a standardized version of DVARS", as nipype computes it.

    Parameters
    ----------
    series : (T, V) ndarray
    mask : (V,) bool ndarray

    Returns
    -------
    dvars, std_dvars : (T,) float64 ndarray
        NaN for the first volume.
    """
    voxels = np.flatnonzero(mask)
    changes, expected, n_alive, level = np.zeros(len(series) - 1), 0.0, 0, []
    for start in range(0, voxels.size, VOXELS_AT_ONCE):
        some = np.asarray(series[:, voxels[start : start + VOXELS_AT_ONCE]], dtype=float)
        level.append(some.ravel())
        low, high = np.percentile(some, (25, 75), axis=0)
        some, spread = some[:, high > low], (high - low)[high > low] / 1.349
        changes += (np.diff(some, axis=0) ** 2).sum(axis=1)
        expected += (spread * np.sqrt(2 * (1 - _autocorrelation(some)))).sum()
        n_alive += spread.size
    raw = np.sqrt(changes / max(n_alive, 1))
    middle = np.median(np.concatenate(level).astype(np.float32)) if level else 1.0
    mean_expected = expected / max(n_alive, 1)
    return np.r_[np.nan, raw * 1000 / (middle or 1.0)], np.r_[np.nan, raw / (mean_expected or 1.0)]


def _autocorrelation(series: np.ndarray) -> np.ndarray:
    centred = series - series.mean(axis=0)
    return (centred[1:] * centred[:-1]).sum(axis=0) / (centred**2).sum(axis=0)


def components(
    tissue: np.ndarray, drift: np.ndarray, n_dummy: int, *, name: str, prefix: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Find the main components of a tissue's signal (Behzadi et al. 2007, doi 10.1016/j.neuroimage.2007.04.042).

    Mean and drift are removed and voxels scaled to unit variance first. Dummy volumes take no part and are 0.

    Parameters
    ----------
    tissue : (T, V) ndarray
    drift : (T, C) ndarray
        Cosines.
    n_dummy : int
    name : str
        Of the mask, for the metadata.
    prefix : str
        Of the columns.

    Returns
    -------
    columns : dict of (T,) ndarray
        As many as explain half of the variance.
    metadata : dict of dict
    """
    steady = np.asarray(tissue[n_dummy:], dtype=float)
    design = np.column_stack([np.ones(len(steady)), drift[n_dummy:]])
    residuals = steady - design @ np.linalg.lstsq(design, steady, rcond=None)[0]
    spread = residuals.std(axis=0)
    residuals = residuals[:, spread > 0] / spread[spread > 0]
    variances, vectors = np.linalg.eigh(residuals @ residuals.T)
    variances, vectors = np.clip(variances[::-1], 0, None), vectors[:, ::-1]
    share = variances / max(variances.sum(), np.finfo(float).tiny)
    n_kept = min(int(np.searchsorted(share.cumsum(), VARIANCE_KEPT)) + 1, len(steady))
    columns, metadata = {}, {}
    for index in range(n_kept):
        vector = vectors[:, index]
        # The sign of an eigenvector is arbitrary; fixing it keeps the same data the same everywhere.
        vector = vector * np.sign(vector[np.abs(vector).argmax()])
        columns[f"{prefix}_{index:02d}"] = np.r_[np.zeros(n_dummy), vector]
        metadata[f"{prefix}_{index:02d}"] = {
            "CumulativeVarianceExplained": float(share[: index + 1].sum()),
            "Mask": name,
            "Method": "aCompCor",
            "Retained": True,
            "SingularValue": float(np.sqrt(variances[index])),
            "VarianceExplained": float(share[index]),
        }
    return columns, metadata


def outliers(displacement: np.ndarray, std_dvars: np.ndarray, n_dummy: int) -> dict[str, np.ndarray]:
    """Return a column of one 1 for each dummy volume and each volume with motion: FD > 0.5 mm or std DVARS > 1.5."""
    unit = np.eye(len(displacement), dtype=int)
    flagged = np.flatnonzero((displacement > FD_THRESHOLD_MM) | (std_dvars > STD_DVARS_THRESHOLD))
    dummies = {f"non_steady_state_outlier{index:02d}": unit[index] for index in range(n_dummy)}
    return dummies | {f"motion_outlier{index:02d}": unit[volume] for index, volume in enumerate(flagged)}
