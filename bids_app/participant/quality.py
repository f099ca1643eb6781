"""How good a scan is, before and after cleaning: numbers from the series at the nodes."""

import numpy as np


def dvars(series: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
    """Return the root mean square change of the signal from each volume to the next.

    Parameters
    ----------
    series : (N, T) ndarray
        NaN rows are left out.
    kept : (T0,) bool ndarray, optional
        Which of T0 volumes the T are; a change over a gap is unknown.

    Returns
    -------
    (T0,) float64 ndarray
        In the units of the series; NaN for the first volume, volumes that were left out, and after a gap.

    References
    ----------
    Power et al. (2012), doi:10.1016/j.neuroimage.2011.10.018.

    Examples
    --------
    >>> dvars(np.array([[0.0, 3.0, 3.0], [0.0, 3.0, 4.0]])).round(3).tolist()
    [nan, 3.0, 0.707]
    """
    alive = series[np.isfinite(series[:, 0])]
    kept = np.ones(series.shape[1], dtype=bool) if kept is None else kept
    where = np.flatnonzero(kept)
    changes = np.full(kept.size, np.nan)
    if len(alive) and where.size > 1:
        change = np.sqrt((np.diff(alive, axis=1).astype(float) ** 2).mean(axis=0))
        changes[where[1:]] = np.where(np.diff(where) == 1, change, np.nan)
    return changes


def signal_to_noise(series: np.ndarray) -> float:
    """Return the median over nodes of the mean over time divided by the standard deviation over time.

    Examples
    --------
    >>> signal_to_noise(np.array([[99.0, 101.0], [np.nan, np.nan]]))
    100.0
    """
    alive = series[np.isfinite(series[:, 0])].astype(float)
    spread = alive.std(axis=1)
    ratio = np.divide(alive.mean(axis=1), spread, out=np.full(len(alive), np.nan), where=spread > 0)
    return float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else np.nan


def degrees_of_freedom(
    n_kept: int,
    n_regressors: int,
    repetition_time: float,
    bandpass: tuple[float, float] | None,
    *,
    detrend: bool = True,
) -> float:
    """Return about how many independent values each cleaned series holds.

    A band-pass leaves the share of the spectrum that it lets pass; each regressor takes one, and so does the linear
    trend; the mean takes one where no high-pass has taken it.

    Parameters
    ----------
    n_kept : int
        Volumes that are left.
    n_regressors : int
    repetition_time : float
        In seconds.
    bandpass : (low, high) in Hz, or None
    detrend : bool, optional

    Examples
    --------
    >>> round(degrees_of_freedom(200, 26, 2.0, (0.01, 0.1)), 1), degrees_of_freedom(200, 26, 2.0, None)
    (45.0, 172.0)
    """
    share = 1.0
    if bandpass:
        low, high = bandpass
        nyquist = 0.5 / repetition_time
        share = (min(high, nyquist) - low) / nyquist
    no_high_pass = not bandpass or bandpass[0] == 0
    return n_kept * share - n_regressors - int(detrend) - int(no_high_pass)


def correlation_facts(series: np.ndarray, coordinates: np.ndarray) -> tuple[float, float]:
    """Return how strongly nodes go together, and how much that depends on their distance.

    Parameters
    ----------
    series : (N, T) ndarray
        Of a sample of nodes.
    coordinates : (N, 3) ndarray
        In mm.

    Returns
    -------
    mean : float
        Mean correlation of all pairs.
    by_distance : float
        Correlation over the pairs of r with distance; motion that is left makes it more negative
        (Power et al. 2012, Satterthwaite et al. 2012).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.corrcoef(series)
        first, second = np.triu_indices(len(series), k=1)
        distance = np.linalg.norm(coordinates[first] - coordinates[second], axis=1)
        pairs = r[first, second]
        known = np.isfinite(pairs) & np.isfinite(distance)
        if known.sum() < 3:
            return np.nan, np.nan
        return float(pairs[known].mean()), float(np.corrcoef(pairs[known], distance[known])[0, 1])
