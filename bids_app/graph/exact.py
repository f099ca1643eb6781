"""Sums that no order changes, and the little that they need of mathematics.

Numbers that are multiples of 2**-32 are added up in float64 without rounding as long as the sum stays below 2**21. So
are the weights of a node's edges once each is rounded to such a multiple, which moves it by 1.2e-10 at the most: less
than its rounding to float32 for every weight above 0.002, and such a weight it does not move at all. The sum is then
the same in any order of nodes, blocks, threads and vector lanes.
"""

import math

from numba import njit

SHIFT = 1.5 * 2.0**20  # the smallest step of float64 is 2**-32 there: adding and taking it away rounds
N_TERMS = 12
SQRT_2, LN_2 = math.sqrt(2), math.log(2)


@njit(cache=True, nogil=True)
def on_grid(value: float) -> float:
    """Round to the nearest multiple of 2**-32; of two, to the even one.

    Parameters
    ----------
    value : float
        Between -2**19 and 2**19.

    Returns
    -------
    float64

    Examples
    --------
    >>> on_grid(0.25) == 0.25, on_grid(2.0**-32 * 0.75) == 2.0**-32
    (True, True)
    """
    return (value + SHIFT) - SHIFT


@njit(cache=True, nogil=True)
def fisher_z(r: float) -> float:
    """Fisher's z, artanh(r), by operations of which IEEE 754 defines every bit; libraries differ in the last.

    Parameters
    ----------
    r : float
        In [0, 1).

    Returns
    -------
    float64
        Within 1e-15 of artanh(r), relative to the larger of it and 1.

    Notes
    -----
    Half the logarithm of (1 + r) / (1 - r): the powers of two apart, 2 artanh((m - 1) / (m + 1)) of what is left,
    between the roots of 1/2 and of 2, by its series.

    Examples
    --------
    >>> abs(fisher_z(0.5) - 0.5493061443340549) < 1e-15
    True
    """
    left, twos = (1 + r) / (1 - r), 0
    while left > SQRT_2:
        left *= 0.5
        twos += 1
    s = (left - 1) / (left + 1)
    total, square = 0.0, s * s
    for term in range(N_TERMS - 1, -1, -1):
        total = total * square + 1 / (2 * term + 1)
    return 0.5 * twos * LN_2 + s * total


@njit(cache=True, nogil=True)
def cube_root(value: float) -> float:
    """Cube root by operations of which IEEE 754 defines every bit, as `fisher_z`.

    Parameters
    ----------
    value : float
        0 or more.

    Returns
    -------
    float64
        Within 1e-15 of it, relative.

    Notes
    -----
    Halley's iteration, from a line that is within a tenth of the root between 1/8 and 1.

    Examples
    --------
    >>> cube_root(0.0), cube_root(0.001) - 0.1 < 1e-16, cube_root(27.0)
    (0.0, True, 3.0)
    """
    if value == 0:
        return 0.0
    left, scale = value, 1.0
    while left < 0.125:
        left *= 8
        scale *= 0.5
    while left > 1:
        left *= 0.125
        scale *= 2
    root = 0.4 + 0.6 * left
    for _ in range(4):
        cube = root * root * root
        root *= (cube + 2 * left) / (2 * cube + left)
    return root * scale
