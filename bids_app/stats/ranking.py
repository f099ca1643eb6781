"""Voxels in the order of their magnitude, in time linear in their count."""

import numpy as np
from numba import njit

BUCKETS = 2**15
# A fuller bucket takes longer to sort by insertion than the whole map by radix.
FULL_BUCKET = 64
# 6 digits of 11 bits hold a 64-bit key.
DIGITS, DIGIT_BITS = 6, 11


@njit(cache=True, nogil=True)
def sort_by_magnitude(statistic, order, heights):
    """Rank the positive voxels, then the negative ones, each from the largest magnitude down.

    Parameters
    ----------
    statistic : (V,) float64 ndarray
        Finite.
    order : (V,) int32 ndarray
        Filled with the voxels; those that are 0 are left out.
    heights : (V,) float64 ndarray
        Filled with their magnitudes.

    Returns
    -------
    n_positive, n_ranked : int
        Count of the positive, and of all ranked voxels.

    Examples
    --------
    >>> order, heights = np.empty(4, dtype=np.int32), np.empty(4)
    >>> sort_by_magnitude(np.array([-2.0, 1.0, 0.0, 3.0]), order, heights), order[:3]
    ((2, 3), array([3, 1, 0], dtype=int32))
    """
    largest = 0.0
    for value in statistic:
        largest = max(largest, abs(value))
    scale = (BUCKETS - 1) / max(largest, 1e-300)
    starts = np.zeros(2 * BUCKETS + 1, dtype=np.int32)
    for value in statistic:
        if value != 0.0:
            starts[_bucket(value, scale) + 1] += 1
    even = starts.max() <= FULL_BUCKET
    starts[:] = np.cumsum(starts)
    n_positive, n_ranked = starts[BUCKETS], starts[2 * BUCKETS]
    if even:
        _distribute(statistic, scale, starts, order, heights)
        _insert(order[:n_positive], heights[:n_positive])
        _insert(order[n_positive:n_ranked], heights[n_positive:n_ranked])
    else:
        _by_digits(statistic, n_positive, n_ranked, order, heights)
    return n_positive, n_ranked


@njit(cache=True, nogil=True)
def _bucket(value, scale):
    """Count buckets from the largest magnitude down, the positive half first."""
    below = BUCKETS - 1 - int(abs(value) * scale)
    return below if value > 0 else BUCKETS + below


@njit(cache=True, nogil=True)
def _distribute(statistic, scale, starts, order, heights):
    for voxel in range(statistic.size):
        value = statistic[voxel]
        if value != 0.0:
            bucket = _bucket(value, scale)
            order[starts[bucket]], heights[starts[bucket]] = voxel, abs(value)
            starts[bucket] += 1


@njit(cache=True, nogil=True)
def _insert(order, heights):
    """Finish a nearly sorted order by insertion."""
    for index in range(1, order.size):
        height, voxel, place = heights[index], order[index], index
        while place > 0 and heights[place - 1] < height:
            heights[place], order[place] = heights[place - 1], order[place - 1]
            place -= 1
        heights[place], order[place] = height, voxel


@njit(cache=True, nogil=True)
def _by_digits(statistic, n_positive, n_ranked, order, heights):
    """Rank values that are too uneven for buckets: negative floats count their bits downwards."""
    bits = statistic.view(np.int64)
    ascending = _argsort((bits ^ ((bits >> 63) | np.int64(-(2**63)))).view(np.uint64))
    order[:n_positive] = ascending[statistic.size - n_positive :][::-1]
    order[n_positive:n_ranked] = ascending[: n_ranked - n_positive]
    for index in range(n_ranked):
        heights[index] = abs(statistic[order[index]])


@njit(cache=True, nogil=True)
def _argsort(keys):
    """Radix sort from the least digit up: linear in the voxels, where a comparison sort is not."""
    last = np.uint64(2**DIGIT_BITS - 1)
    counts = np.zeros((DIGITS, 2**DIGIT_BITS), dtype=np.int32)
    for key in keys:
        for digit in range(DIGITS):
            counts[digit, (key >> np.uint64(digit * DIGIT_BITS)) & last] += 1
    order = np.arange(keys.size).astype(np.int32)
    sorted_order = np.empty_like(order)
    for digit in range(DIGITS):
        position = np.cumsum(counts[digit]) - counts[digit]
        for index in order:
            value = (keys[index] >> np.uint64(digit * DIGIT_BITS)) & last
            sorted_order[position[value]] = index
            position[value] += 1
        order, sorted_order = sorted_order, order
    return order
