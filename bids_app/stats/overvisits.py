"""Weights that make one value of several visits: what a participant's curve comes to."""

import numpy as np
import numpy.typing as npt


def mean_weights(days: npt.ArrayLike) -> np.ndarray:
    """Return the weights of the mean over visits, each alike whenever it was.

    Parameters
    ----------
    days : (k,) array-like of float

    Returns
    -------
    (k,) float64 ndarray
        They add up to 1.

    Examples
    --------
    >>> mean_weights([3, 7]).tolist()
    [0.5, 0.5]
    """
    n = len(np.asarray(days))
    return np.full(n, 1 / n)


def area_weights(days: npt.ArrayLike) -> np.ndarray:
    r"""Return the weights of the area under the curve over its length: the mean over time.

    Parameters
    ----------
    days : (k,) array-like of float
        When the k >= 2 visits were, from first to last, no two at once.

    Returns
    -------
    (k,) float64 ndarray
        They add up to 1: the values are in the units of the visits.

    Notes
    -----
    By the trapezoidal rule :math:`w_i = (t_{i+1} - t_{i-1}) / 2T`, with T the time from first to last and the ends
    in place of what is beyond them (Matthews et al. 1990, doi:10.1136/bmj.300.6719.230).

    Examples
    --------
    A visit each on days 0, 1 and 4: the last interval is three times as long.

    >>> area_weights([0, 1, 4]).tolist()
    [0.125, 0.5, 0.375]
    """
    times = _in_order(days)
    gaps = np.diff(times)
    return (np.append(gaps, 0) + np.insert(gaps, 0, 0)) / (2 * (times[-1] - times[0]))


def slope_weights(days: npt.ArrayLike) -> np.ndarray:
    r"""Return the weights of the slope of the least-squares line through the visits.

    Parameters
    ----------
    days : (k,) array-like of float
        As of `area_weights`.

    Returns
    -------
    (k,) float64 ndarray
        They add up to 0; the values are per day.

    Notes
    -----
    :math:`w_i = (t_i - \bar t) / \sum_j (t_j - \bar t)^2`.

    Examples
    --------
    >>> slope_weights([3, 7]).tolist()
    [-0.25, 0.25]
    """
    times = _in_order(days)
    centred = times - times.mean()
    return centred / (centred @ centred)


def difference_weights(days: npt.ArrayLike) -> np.ndarray:
    """Return the weights of the last visit minus the first.

    Examples
    --------
    >>> difference_weights([3, 7, 14]).tolist()
    [-1.0, 0.0, 1.0]
    """
    weights = np.zeros(len(_in_order(days)))
    weights[[0, -1]] = -1, 1
    return weights


def _in_order(days: npt.ArrayLike) -> np.ndarray:
    times = np.asarray(days, dtype=float)
    if times.ndim != 1 or len(times) < 2 or not (np.diff(times) > 0).all():
        raise ValueError(f"two or more visits are needed, each later than that before: {times.tolist()}")
    return times
