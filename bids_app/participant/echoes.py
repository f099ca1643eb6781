"""Several echoes of a run to one series: weighted by how much of the signal of interest each holds."""

from collections.abc import Sequence

import numpy as np

from bids_app.errors import DataError

FASTEST, SLOWEST = 0.001, 0.5  # s: outside of it, T2* is not that of tissue but of noise
EARLIEST, LATEST = 0.001, 0.2  # s: no echo of a BOLD image is earlier or later


def echo_times(called: Sequence[str], told: Sequence[object]) -> np.ndarray:
    """Return echo times as the sidecars say them.

    Parameters
    ----------
    called : sequence of str
        What messages call the images.
    told : sequence of object
        EchoTime of each sidecar, None where it does not say.

    Returns
    -------
    (E,) float64 ndarray
        In seconds, rising.

    Raises
    ------
    DataError
        One is missing, cannot be, or is not later than the one before.

    Examples
    --------
    >>> echo_times(["echo-1", "echo-2"], [0.012, 0.028]).tolist()
    [0.012, 0.028]
    """
    for name, time in zip(called, told, strict=True):
        number = isinstance(time, (int, float)) and not isinstance(time, bool)
        if not number or not EARLIEST <= float(time) <= LATEST:  # type: ignore[arg-type]
            raise DataError(
                f"{name}: EchoTime in its sidecar is {'missing' if time is None else repr(time)}; without it, in "
                "seconds, echoes cannot be combined. Write it there, or combine them with t2smap of tedana, or take "
                'one echo: --bids-filter-file with {"bold": {"echo": "2"}}.'
            )
    times = np.array(told, dtype=float)
    if not (np.diff(times) > 0).all():
        raise DataError(
            f"{', '.join(called)}: echo times must rise, they are {', '.join(f'{one:g}' for one in times)} s."
        )
    return times


def combine_echoes(series: np.ndarray, times: np.ndarray) -> np.ndarray:
    r"""Combine the echoes of each node, weighted by its own T2*.

    .. math:: w_e \propto TE_e \exp(-TE_e / T_2^*), \qquad \log \bar S_e = \log S_0 - TE_e / T_2^*

    T2* is the slope of a straight line through the logarithms of the mean of each echo over time, between 1 and 500 ms.

    Parameters
    ----------
    series : (E, N, T) ndarray
        NaN rows have no signal.
    times : (E,) ndarray
        In seconds, rising; at least two.

    Returns
    -------
    (N, T) float32 ndarray
        NaN for nodes that lack one of the echoes, or where the mean of one is not positive.

    References
    ----------
    Posse et al. (1999), doi:10.1002/(SICI)1522-2594(199907)42:1<87::AID-MRM13>3.0.CO;2-O, equation 4.

    Examples
    --------
    >>> times, t2star = np.array([0.01, 0.03]), 0.03
    >>> signal = 100 * np.exp(-times / t2star)[:, None, None] * np.ones((2, 1, 4))
    >>> weights = times * np.exp(-times / t2star)
    >>> bool(np.allclose(combine_echoes(signal, times)[0], weights @ signal[:, 0, 0] / weights.sum()))
    True
    """
    means = series.mean(axis=2, dtype=np.float64)
    alive = (np.isfinite(means) & (means > 0)).all(axis=0)
    centred = times - times.mean()
    rate = np.full(means.shape[1], np.nan)
    rate[alive] = -(centred @ np.log(means[:, alive])) / (centred @ centred)
    weights = times[:, None] * np.exp(-times[:, None] * np.clip(rate, 1 / SLOWEST, 1 / FASTEST))
    weights /= weights.sum(axis=0)
    combined = np.zeros(series.shape[1:], dtype=np.float32)
    for weight, echo in zip(weights, series, strict=True):
        combined += (weight[:, None] * echo).astype(np.float32)
    return combined


def said_of_echoes(times: np.ndarray) -> str:
    """Say for people how echoes were combined.

    Examples
    --------
    >>> said_of_echoes(np.array([0.012, 0.028]))[:48]
    '2 echoes (at 12 and 28 ms) were combined at each'
    """
    *first, last = (f"{1000 * time:g}" for time in times)
    return (
        f"{len(times)} echoes (at {', '.join(first)} and {last} ms) were combined at each node, weighted by TE "
        "exp(-TE/T2*) with T2* of a log-linear fit to their means over time (Posse et al. 1999)."
    )
