"""How two visits of the same people spread and go together, which says how many a trial needs."""

import numpy as np
import numpy.typing as npt


def spread(first: npt.ArrayLike, later: npt.ArrayLike) -> dict[str, np.ndarray]:
    r"""Return the spread of two visits and of the change between them, and their correlation.

    Parameters
    ----------
    first, later : (n, V) array-like of float
        NaN where a participant has no value, who is then left out of that column.

    Returns
    -------
    dict of (V,) ndarray
        ``n``; standard deviations ``sd_first``, ``sd_later`` and ``sd_change``, in the units of the values; and
        Pearson's ``r``. NaN where fewer than two have both, or nothing varies.

    Notes
    -----
    Adjusting a follow-up for its baseline leaves :math:`1 - r^2` of its variance, so that a trial of two arms of n each
    sees a difference d, in standard deviations, with power :math:`1 - \beta` if about
    :math:`n = 2 (z_{1-\alpha/2} + z_{1-\beta})^2 (1 - r^2) / d^2` (Borm et al. 2007,
    doi:10.1016/j.jclinepi.2007.02.006). Over all arms together, as here, a variance is larger than that within the arms
    by a quarter of the squared difference of two equal arms (Kieser & Friede 2003, doi:10.1002/sim.1585), so that n
    comes out too large rather than too small.

    Examples
    --------
    >>> found = spread([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]])
    >>> [found[name].tolist() for name in ("n", "sd_first", "sd_later", "sd_change", "r")]
    [[3], [1.0], [2.0], [1.0], [1.0]]
    """
    pair = np.stack([np.asarray(first, dtype=np.float64), np.asarray(later, dtype=np.float64)])
    known = np.isfinite(pair).all(axis=0)
    n = known.sum(axis=0)
    values = np.where(known, pair, 0)
    mean = values.sum(axis=1) / np.maximum(n, 1)
    away = np.where(known, pair - mean[:, None], 0)
    squares = (away**2).sum(axis=1)
    change = ((away[1] - away[0]) ** 2).sum(axis=0)
    degrees = np.where(n > 1, n - 1, np.nan)
    scale = np.sqrt(squares[0] * squares[1])
    r = np.where(scale > 0, (away[0] * away[1]).sum(axis=0) / np.where(scale > 0, scale, 1), np.nan)
    sd_first, sd_later = np.sqrt(squares / degrees)
    return {"n": n, "sd_first": sd_first, "sd_later": sd_later, "sd_change": np.sqrt(change / degrees), "r": r}
