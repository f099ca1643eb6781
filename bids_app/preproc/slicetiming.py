"""Slices brought to one time: what they would have been, had they been acquired together."""

from collections.abc import Sequence

import numpy as np
from scipy.interpolate import CubicSpline

from bids_app.bids.timing import DIRECTIONS
from bids_app.errors import DataError


def check_slice_times(times: Sequence[float], n_slices: int, repetition_time: float) -> None:
    """Refuse times of a sidecar that cannot be those of the image.

    Raises
    ------
    DataError
        They are no numbers, there are more or fewer times than slices, or one is not within the repetition time.
    """
    try:
        found = np.asarray(times, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"SliceTiming must be a list of seconds; it is {times!r}.") from None
    if found.size != n_slices:
        raise DataError(f"SliceTiming has {found.size} times, the BOLD image has {n_slices} slices.")
    if not (np.all(found >= 0) and np.all(found < repetition_time)):
        raise DataError(
            f"SliceTiming goes from {found.min():g} to {found.max():g} s, the repetition time is {repetition_time:g} s."
        )


def middle_time(times: Sequence[float]) -> float:
    """Return the time that slices are brought to: half-way between the first and the last.

    Examples
    --------
    >>> middle_time([0.0, 1.0, 0.5, 1.5])
    0.75
    """
    return (min(times) + max(times)) / 2


def slice_axis(direction: object) -> tuple[int, bool]:
    """Return the axis of a volume that slices lie along, and whether the times of a sidecar begin at its end.

    Raises
    ------
    DataError
        It is none of the directions that BIDS has.

    Examples
    --------
    >>> slice_axis("k"), slice_axis("j-")
    ((2, False), (1, True))
    """
    if direction not in DIRECTIONS:
        raise DataError(f"SliceEncodingDirection is {direction!r}; it must be one of {', '.join(DIRECTIONS)}.")
    return "ijk".index(direction[0]), direction.endswith("-")


def shift_matrix(shift: float, n_volumes: int, n_dummy: int = 0) -> np.ndarray:
    """Return the matrix by which a series is read ``shift`` volumes later, by a cubic spline.

    Parameters
    ----------
    shift : float
        In volumes; negative for earlier.
    n_volumes : int
    n_dummy : int
        First volumes that are left as they are, and that the others are not interpolated from.

    Returns
    -------
    (T, T) float64 ndarray
        What lies before the first or after the last sample is taken from that sample.

    Examples
    --------
    >>> shift_matrix(0.0, 5).round(12).tolist() == np.eye(5).tolist()
    True
    """
    steady = np.arange(n_dummy, n_volumes)
    matrix = np.eye(n_volumes)
    if steady.size > 1:
        spline = CubicSpline(steady, np.eye(steady.size))
        matrix[n_dummy:, n_dummy:] = spline(np.clip(steady + shift, steady[0], steady[-1]))
    return matrix


def correct_slice_timing(
    series: np.ndarray, times: Sequence[float], repetition_time: float, *, axis: int = 3, n_dummy: int = 0
) -> None:
    """Bring every slice to the middle time, in place.

    Parameters
    ----------
    series : (T, X, Y, Z) float32 ndarray
        May lie on disk; one slice is held at a time.
    times : sequence of float
        When each slice was acquired, in seconds within the repetition time.
    repetition_time : float
    axis : int
        Of the slices in ``series``.
    n_dummy : int
        First volumes, not in steady state, that are left alone.
    """
    check_slice_times(times, series.shape[axis], repetition_time)
    middle = middle_time(times)
    for index, time in enumerate(times):
        at: tuple[slice | int, ...] = (*[slice(None)] * axis, index)
        one = np.asarray(series[at])
        matrix = shift_matrix((middle - time) / repetition_time, len(series), n_dummy).astype(np.float32)
        series[at] = (matrix @ one.reshape(len(one), -1)).reshape(one.shape)
