"""The confounds of a scan, computed from its motion and from its own BOLD series, named as fMRIPrep does."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bids_app.simulate.brain import Brain
from bids_app.simulate.scan import framewise_displacement

MOTION_NAMES = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
N_COMPONENTS = 6
CUTOFF_S = 128.0
FD_THRESHOLD_MM = 0.5
STD_DVARS_THRESHOLD = 1.5


def make_confounds(
    brain: Brain, bold: np.ndarray, motion: np.ndarray, *, repetition_time: float
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Tabulate the confounds of one scan.

    Parameters
    ----------
    brain : Brain
    bold : (V, T) int16 ndarray
    motion : (T, 6) ndarray
        Translations in mm, then rotations in radians.
    repetition_time : float
        In seconds.

    Returns
    -------
    table : DataFrame
        One row per volume; the first row of a difference is missing.
    metadata : dict
        What the JSON sidecar says about the columns.
    """
    series = bold.astype(np.float64)
    cosines = _cosines(series.shape[1], repetition_time)
    components, component_metadata = _components(series[brain.white_matter | brain.csf], cosines)
    base = {
        "global_signal": series.mean(axis=0),
        "csf": series[brain.csf].mean(axis=0),
        "white_matter": series[brain.white_matter].mean(axis=0),
        **dict(zip(MOTION_NAMES, motion.T, strict=True)),
    }
    columns = {key: value for name, values in base.items() for key, value in _expand(name, values).items()}
    columns |= _quality(series, motion)
    columns |= {f"cosine{index:02d}": column for index, column in enumerate(cosines.T)}
    columns |= dict(zip(component_metadata, components.T, strict=True))
    columns |= _outliers(columns)
    return pd.DataFrame(columns), {**_descriptions(), **component_metadata}


def _expand(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    derivative = np.r_[np.nan, np.diff(values)]
    return {
        name: values,
        f"{name}_derivative1": derivative,
        f"{name}_power2": values**2,
        f"{name}_derivative1_power2": derivative**2,
    }


def _quality(series: np.ndarray, motion: np.ndarray) -> dict[str, np.ndarray]:
    dvars = np.r_[np.nan, np.sqrt((np.diff(series, axis=1) ** 2).mean(axis=0))]
    return {
        "std_dvars": dvars / np.nanmedian(dvars),
        "dvars": dvars,
        "framewise_displacement": framewise_displacement(motion),
    }


def _cosines(n_volumes: int, repetition_time: float) -> np.ndarray:
    """Discrete cosines slower than the cut-off: (T, C) ndarray."""
    count = int(2 * n_volumes * repetition_time / CUTOFF_S)
    phases = np.outer(np.arange(n_volumes) + 0.5, np.arange(1, count + 1)) * np.pi / n_volumes
    return np.sqrt(2 / n_volumes) * np.cos(phases)


def _components(tissue: np.ndarray, cosines: np.ndarray) -> tuple[np.ndarray, dict[str, dict[str, Any]]]:
    """Decompose white matter and CSF after removing mean and drift: (T, 6) ndarray and metadata."""
    centered = tissue - tissue.mean(axis=1, keepdims=True)
    centered -= centered @ cosines @ cosines.T
    centered /= centered.std(axis=1, keepdims=True)
    variances, vectors = np.linalg.eigh(centered.T @ centered)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    vectors = vectors[:, :N_COMPONENTS]
    # The sign of an eigenvector is arbitrary; fixing it keeps equal seeds equal everywhere.
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    explained = variances / variances.sum()
    metadata = {
        f"a_comp_cor_{index:02d}": {
            "CumulativeVarianceExplained": float(explained[: index + 1].sum()),
            "Mask": "combined",
            "Method": "aCompCor",
            "Retained": True,
            "SingularValue": float(np.sqrt(variances[index])),
            "VarianceExplained": float(explained[index]),
        }
        for index in range(vectors.shape[1])
    }
    return vectors, metadata


def _outliers(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    moved = columns["framewise_displacement"] > FD_THRESHOLD_MM
    flagged = np.flatnonzero(moved | (columns["std_dvars"] > STD_DVARS_THRESHOLD))
    unit = np.eye(len(moved), dtype=int)
    spikes = {f"motion_outlier{index:02d}": unit[volume] for index, volume in enumerate(flagged)}
    return {"non_steady_state_outlier00": unit[0], **spikes}


def _descriptions() -> dict[str, dict[str, str]]:
    return {
        "csf": {"Description": "Mean over the simulated ventricles"},
        "white_matter": {"Description": "Mean over the simulated deep white matter"},
        "global_signal": {"Description": "Mean over the brain mask"},
        "framewise_displacement": {"Units": "mm"},
        "std_dvars": {"Description": "DVARS divided by its median over the scan"},
    }
