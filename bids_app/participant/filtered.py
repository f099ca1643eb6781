"""Series and confounds through one filter, in two calls of nilearn: a confound passes it once, not with every node."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

Band = tuple[float, float] | None  # in Hz


def filtering_of(bandpass: Band, repetition_time: float, *, detrend: bool) -> dict[str, Any]:
    """Return what `signal.clean` of nilearn is told of a filter and the trend."""
    low, high = bandpass or (None, None)
    kind = "butterworth" if bandpass else False
    return {"t_r": repetition_time, "filter": kind, "low_pass": high, "high_pass": low or None, "detrend": detrend}


def passed(columns: np.ndarray, kept: np.ndarray, filtering: Mapping[str, Any]) -> np.ndarray:
    """Return what the filter lets pass of the kept volumes.

    The trend is removed before the filter, and the gaps of censored volumes are bridged for it.

    Parameters
    ----------
    columns : (T, N) ndarray of float
    kept : (T',) int ndarray
        Places of the volumes that are kept.
    filtering : dict
        From `filtering_of`; without a filter, the volumes are returned as they are.

    Returns
    -------
    (T', N) float64 ndarray
    """
    from nilearn import signal  # here, for it loads scikit-learn

    if not filtering["filter"] or not columns.shape[1]:
        return columns[kept].astype(np.float64)
    bridged = _bridged(columns, kept, filtering["t_r"])
    if not filtering["detrend"]:
        bridged = bridged - bridged.mean(axis=0)
    # All nodes in one call: ten times faster than nilearn's default.
    return signal.clean(bridged, standardize=None, butterworth__copy=True, **filtering)[kept - kept[0]]


def without(regressors: np.ndarray, columns: np.ndarray, filtering: Mapping[str, Any]) -> np.ndarray:
    """Return series without the confounds, which have passed the same filter.

    Parameters
    ----------
    regressors : (T', R) float64 ndarray
    columns : (T', N) float64 ndarray
        From `passed`, as the regressors; where there was no filter, the trend is removed here.
    filtering : dict

    Returns
    -------
    (T', N) float64 ndarray
    """
    from nilearn import signal

    detrend = filtering["detrend"] and not filtering["filter"]
    if not (filtering["filter"] or detrend):
        columns = columns - columns.mean(axis=0)
    confounds = regressors if regressors.shape[1] else None
    return signal.clean(columns, confounds=confounds, detrend=detrend, filter=False, standardize=None)


def _bridged(columns: np.ndarray, kept: np.ndarray, repetition_time: float) -> np.ndarray:
    """Cut to the span of the kept volumes, and bridge the gaps in it by a spline.

    nilearn 0.14 bridges too, but not a volume whose mirror image in time is censored as well.
    """
    columns = columns[kept[0] : kept[-1] + 1].astype(np.float64)
    times, known = np.arange(len(columns)) * repetition_time, kept - kept[0]
    gaps = np.setdiff1d(np.arange(len(columns)), known)
    if gaps.size:
        columns[gaps] = CubicSpline(times[known], columns[known])(times[gaps])
    return columns
