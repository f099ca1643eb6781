"""p of a trial's objectives, corrected over them, so that one that is confirmed falsely is as rare as alpha says."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Correction = Callable[[np.ndarray, np.ndarray], np.ndarray]


def holm(p: npt.ArrayLike) -> np.ndarray:
    """Return p corrected after Holm: any of them may be confirmed, whatever becomes of the others.

    Parameters
    ----------
    p : (K,) array_like
        Each valid by itself; one that is not known (NaN) counts as 1.

    Returns
    -------
    (K,) ndarray

    Notes
    -----
    Holm 1979, Scandinavian Journal of Statistics 6:65. The smallest of K is multiplied by K, the next by K - 1, and
    none is smaller than one before it.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _known(p)
    order = np.argsort(values, kind="stable")
    found = np.empty_like(values)
    found[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.minimum(found, 1.0)


def fixed_sequence(p: npt.ArrayLike) -> np.ndarray:
    """Return p of objectives that are tested one after the other, each at alpha, until one is not confirmed.

    Parameters
    ----------
    p : (K,) array_like
        In the order in which they are tested; one that is not known (NaN) counts as 1.

    Returns
    -------
    (K,) ndarray

    Notes
    -----
    Maurer, Hothorn & Lehmacher 1995; Westfall & Krishen 2001, doi:10.1016/S0378-3758(01)00077-5.

    Examples
    --------
    The third is not confirmed, because the second is not:

    >>> fixed_sequence([0.01, 0.20, 0.001]).tolist()
    [0.01, 0.2, 0.2]
    """
    return np.maximum.accumulate(_known(p))


def gatekeeping(p: npt.ArrayLike, primary: npt.ArrayLike) -> np.ndarray:
    """Return p where secondary objectives are tested only once every primary one is confirmed, each family after Holm.

    Parameters
    ----------
    p : (K,) array_like
        One that is not known (NaN) counts as 1.
    primary : (K,) array_like of bool
        Which are primary; the others are secondary.

    Returns
    -------
    (K,) ndarray

    Notes
    -----
    Serial gatekeeping, a closed test (Westfall & Krishen 2001; Dmitrienko & Tamhane 2007, doi:10.1002/pst.291).
    Without a primary objective there is no gate.

    Examples
    --------
    >>> gatekeeping([0.02, 0.001, 0.03], [True, False, False]).tolist()
    [0.02, 0.02, 0.03]
    """
    values, first = _known(p), np.asarray(primary, dtype=bool)
    found = np.empty_like(values)
    found[first], found[~first] = holm(values[first]), holm(values[~first])
    gate = found[first].max(initial=0.0)
    found[~first] = np.maximum(found[~first], gate)
    return found


def _known(p: npt.ArrayLike) -> np.ndarray:
    """Return p as floats, 1 where it is not known; refuse what is no p."""
    values = np.asarray(p, dtype=float)
    values = np.where(np.isnan(values), 1.0, values)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("p must be from 0 to 1.")
    return values


# By the name that a plan has for it: p of all objectives in the order of the plan, and which are primary.
CORRECTIONS: dict[str, Correction] = {
    "fixed-sequence": lambda p, primary: fixed_sequence(p),
    "gatekeeping": gatekeeping,
    "holm": lambda p, primary: holm(p),
}
