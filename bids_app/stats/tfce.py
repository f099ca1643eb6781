"""Threshold-free cluster enhancement, integrated exactly.

Everything compiled is in one file: a change elsewhere would not renew what is cached of it.
"""

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

# 6 digits of 11 bits hold a 64-bit key; two hold a magnitude of so many bits, with its sign.
DIGITS, DIGIT_BITS, MAGNITUDE_BITS = 6, 11, 20
LAST_DIGIT, LARGEST_KEY = 2**DIGIT_BITS - 1, 2**MAGNITUDE_BITS - 1
# Moves per voxel beyond which values are too uneven for keys of so few bits.
MOST_MOVES = 8


def tfce(statistic: npt.ArrayLike, neighbours: np.ndarray, E: float = 0.5, H: float = 2.0) -> np.ndarray:
    r"""Signed threshold-free cluster enhancement without a step size.

    .. math:: \mathrm{TFCE}(v) = \operatorname{sign}(s_v) \int_0^{|s_v|} e_v(h)^E \, h^H \, dh

    with :math:`e_v(h)` the count of voxels in the component of :math:`v` among the voxels of its sign with
    :math:`|s| \ge h`.

    Parameters
    ----------
    statistic : (V,) or (B, V) array-like of float
        One map or several. Finite; positive and negative voxels never support each other.
    neighbours : (V, K) int32 ndarray
        Neighbours of each voxel, -1 for none, each pair listed from both sides.
    E, H : float, optional
        Exponents of extent (voxels) and height.

    Returns
    -------
    float64 ndarray of the shape of ``statistic``
        With its signs.

    Raises
    ------
    ValueError
        If a value is not finite or the shapes differ.

    Notes
    -----
    The extent changes only where voxels appear, so the integral is a finite sum over the tree of components:
    voxels are joined from the highest down, and each component adds
    :math:`e^E (h_{birth}^{H+1} - h_{merge}^{H+1}) / (H + 1)` to the voxels in it. The time goes into waiting for
    memory and for branches that cannot be foretold: so neighbours are looked up in the order of the voxels, joined
    in the order of their ranks, and several maps share their workspace. Voxels bear the number of a component as it was
    when they joined; what became of it is in a list as short as there are peaks, where it is found in one step.

    References
    ----------
    Smith & Nichols (2009), doi:10.1016/j.neuroimage.2008.03.061. Exact forms:
    arXiv:2603.03004, arXiv:2603.11344.

    Examples
    --------
    Three voxels in a row, 1 2 1: sqrt(3) / 3 for all, and (2^3 - 1^3) / 3 more for the middle one.

    >>> row = np.array([[-1, 1], [0, 2], [1, -1]], dtype=np.int32)
    >>> tfce([1.0, 2.0, 1.0], row).round(3)
    array([0.577, 2.911, 0.577])
    """
    statistic = np.ascontiguousarray(statistic, dtype=np.float64)
    if statistic.shape[-1:] != neighbours.shape[:1] or not np.isfinite(statistic).all():
        raise ValueError(f"statistic must be finite, one per row of neighbours: {statistic.shape}, {neighbours.shape}")
    enhanced = np.zeros_like(statistic)
    shape = (-1, len(neighbours))
    _enhance_maps(statistic.reshape(shape), np.ascontiguousarray(neighbours), (E, H), enhanced.reshape(shape))
    return enhanced


def tfnbs(statistic: npt.ArrayLike, pairs: np.ndarray, E: float = 0.4, H: float = 3.0) -> np.ndarray:
    r"""Threshold-free network-based statistic: `tfce` of connections, which are neighbours if they share a node [1]_.

    Parameters
    ----------
    statistic : (V,) or (B, V) array-like of float
        One value per connection, of one graph or of several. Finite; the signs never support each other.
    pairs : (V, 2) int32 ndarray
        The two nodes of each connection, counted from 0.
    E, H : float, optional
        Exponents of extent (connections in the component) and height, by default those of [2]_.

    Returns
    -------
    float64 ndarray of the shape of ``statistic``
        With its signs.

    Raises
    ------
    ValueError
        If a value is not finite or the shapes differ.

    References
    ----------
    .. [1] Baggio et al. 2018, doi:10.1002/hbm.24007
    .. [2] Vinokur, Zalesky, Raffelt, Smith & Connelly 2015, Proc. OHBM 4144

    Examples
    --------
    Two connections of 1 and 2 share a node: 2^0.4 / 4 for both, and (2^4 - 1) / 4 more for the second.

    >>> tfnbs([1.0, 2.0], np.array([[0, 1], [1, 2]], dtype=np.int32)).round(3)
    array([0.33, 4.08])
    """
    statistic = np.ascontiguousarray(statistic, dtype=np.float64)
    if statistic.shape[-1:] != pairs.shape[:1] or not np.isfinite(statistic).all():
        raise ValueError(f"statistic must be finite, one per pair: {statistic.shape}, {pairs.shape}")
    enhanced = np.zeros_like(statistic)
    shape = (-1, len(pairs))
    _enhance_connections(statistic.reshape(shape), np.ascontiguousarray(pairs), (E, H), enhanced.reshape(shape))
    return enhanced


@njit(cache=True, nogil=True)
def _enhance_connections(
    statistics: np.ndarray, pairs: np.ndarray, exponents: tuple[float, float], enhanced: np.ndarray
) -> None:
    count = len(pairs)
    order, heights, keyed = np.empty(count, np.int32), np.empty(count), np.empty((2, count), np.int64)
    components = np.empty((5, pairs.max() + 1 if count else 0), np.uint32)
    joined = np.empty((2, count), np.int32)
    for index in range(len(statistics)):
        n_positive, n_ranked = _rank(statistics[index], order, heights, keyed)
        for sign in (1.0, -1.0):
            first, last = (0, n_positive) if sign > 0 else (n_positive, n_ranked)
            _join_connections(pairs, order[first:last], components, joined)
            values = _integrate(heights[first:last], joined[0], joined[1], exponents)
            for position in range(last - first):
                enhanced[index, order[first + position]] = sign * values[position]


@njit(cache=True, nogil=True)
def _join_connections(pairs: np.ndarray, order: np.ndarray, components: np.ndarray, joined: np.ndarray) -> None:
    """Join the nodes of the connections in order; each gets its lower one, and its component's size when it joined."""
    now, size, lowest = components[0], components[3], components[4]
    below, extents = joined
    for node in range(len(now)):
        _begin(node, components)
        size[node] = 0
    for own in range(len(order)):
        below[own] = -1
        one, other = now[pairs[order[own], 0]], now[pairs[order[own], 1]]
        for node in (one, other):
            if size[node] > 0:
                below[lowest[node]] = own
        if one != other:
            one = _merged(one, other, components)
        size[one] += np.uint32(1)
        lowest[one], extents[own] = own, size[one]


@njit(cache=True, nogil=True)
def _enhance_maps(
    statistics: np.ndarray, neighbours: np.ndarray, exponents: tuple[float, float], enhanced: np.ndarray
) -> None:
    count, most = neighbours.shape
    order, heights, keyed = np.empty(count, np.int32), np.empty(count), np.empty((2, count), np.int64)
    # The last element is where a neighbour of -1 leads to.
    rank = np.empty(count + 1, np.int32)
    before, found = np.empty(count * most + 1, np.uint32), np.empty(count, np.int32)
    label, components, joined = (
        np.empty(count, np.uint32),
        np.empty((5, count), np.uint32),
        np.empty((2, count), np.int32),
    )
    for index in range(len(statistics)):
        n_positive, n_ranked = _rank(statistics[index], order, heights, keyed)
        rank[:] = count
        for position in range(n_ranked):
            rank[order[position]] = position
        _list_before(rank, n_positive, neighbours, before, found)
        for sign in (1.0, -1.0):
            first, last = (0, n_positive) if sign > 0 else (n_positive, n_ranked)
            _join(before[first * most :], found[first:last], most, (label, components), joined)
            values = _integrate(heights[first:last], joined[0], joined[1], exponents)
            for position in range(last - first):
                enhanced[index, order[first + position]] = sign * values[position]


@njit(cache=True, nogil=True)
def _list_before(
    rank: np.ndarray, n_positive: int, neighbours: np.ndarray, before: np.ndarray, found: np.ndarray
) -> None:
    """List, for each rank, the neighbours of its sign that come before it, as ranks among its sign."""
    count, most = neighbours.shape
    flat, source = neighbours.ravel(), np.uint64(0)
    for voxel in range(count):
        own = rank[voxel]
        if own == count:
            source += np.uint64(most)
            continue
        first = np.uint32(n_positive if own >= n_positive else 0)
        start = place = np.uint64(own) * np.uint64(most)
        # Without a branch. A neighbour of the other sign is a negative difference: as unsigned, larger than all.
        for _ in range(most):
            other = np.uint32(rank[min(np.uint64(np.uint32(flat[source])), np.uint64(count))]) - first
            before[place] = other
            place += np.uint64(other < np.uint32(own) - first)
            source += np.uint64(1)
        found[own] = place - start


@njit(cache=True, nogil=True)
def _join(
    before: np.ndarray, found: np.ndarray, most: int, labelled: tuple[np.ndarray, np.ndarray], joined: np.ndarray
) -> None:
    """Join the ranks in order; each gets its lower one, and its component's size when it joined."""
    label, components = labelled
    now, size, lowest = components[0], components[3], components[4]
    below, extents = joined
    peak: Any = np.uint32(0)
    for own in range(len(found)):
        below[own] = -1
        first = np.uint64(own) * np.uint64(most)
        beyond = first + np.uint64(found[own])
        if first == beyond:
            one = peak
            _begin(one, components)
            peak += np.uint32(1)
        else:
            one = now[label[before[first]]]
            below[lowest[one]] = own
            # Most touch one component only: that is found out without a branch for each neighbour.
            least = largest = one
            for place in range(first + np.uint64(1), beyond):
                other = now[label[before[place]]]
                least, largest = min(least, other), max(largest, other)
            if least != largest:
                for place in range(first + np.uint64(1), beyond):
                    other = now[label[before[place]]]
                    if other != one:
                        below[lowest[other]] = own
                        one = _merged(one, other, components)
            size[one] += np.uint32(1)
        label[own], lowest[one], extents[own] = one, np.uint32(own), size[one]


@njit(cache=True, nogil=True)
def _begin(one: Any, components: np.ndarray) -> None:
    """Begin a component of one member, which bears its number."""
    now, following, last, size = components[0], components[1], components[2], components[3]
    now[one] = following[one] = last[one] = one
    size[one] = 1


@njit(cache=True, nogil=True)
def _merged(one: Any, other: Any, components: np.ndarray) -> Any:
    """Merge two components under the number of the larger, which is returned: so that few numbers change."""
    now, following, last, size = components[0], components[1], components[2], components[3]
    if size[other] > size[one]:
        one, other = other, one
    member = other
    now[member] = one
    while member != last[other]:
        member = following[member]
        now[member] = one
    following[last[one]], last[one] = other, last[other]
    size[one] += size[other]
    return one


@njit(cache=True, nogil=True)
def _integrate(
    heights: np.ndarray, below: np.ndarray, extents: np.ndarray, exponents: tuple[float, float]
) -> np.ndarray:
    """Sum what the components hold, from the lowest voxels up; the heights become the values."""
    E, H = exponents
    powers = heights * heights * heights / 3.0 if H == 2.0 else heights ** (H + 1.0) / (H + 1.0)
    for own in range(heights.size):
        heights[own] = sqrt(extents[own]) if E == 0.5 else float(extents[own]) ** E
    for own in range(heights.size - 1, -1, -1):
        lower = below[own]
        if lower < 0:
            heights[own] *= powers[own]
        else:
            heights[own] = heights[lower] + heights[own] * (powers[own] - powers[lower])
    return heights


@njit(cache=True, nogil=True)
def _rank(statistic: np.ndarray, order: np.ndarray, heights: np.ndarray, keyed: np.ndarray) -> tuple[int, int]:
    """Rank the positive voxels, then the negative ones, each from the largest magnitude down; zeros have no rank.

    Fills ``order`` (V,) with the voxels and ``heights`` (V,) with their magnitudes; returns the counts of the positive
    and of all ranked voxels. They are sorted by keys of two digits, then by insertion where keys are alike: linear in
    the voxels, where a comparison sort is not.
    """
    keys, spare = keyed
    starts = _key(statistic, keys)
    one_sign = 2 ** (MAGNITUDE_BITS - DIGIT_BITS)
    n_positive, n_ranked = starts[1, one_sign], starts[1, 2 * one_sign]
    for key in keys:
        digit = (key >> 32) & LAST_DIGIT
        spare[starts[0, digit]] = key
        starts[0, digit] += 1
    for key in spare:
        digit = key >> (32 + DIGIT_BITS)
        keys[starts[1, digit]] = key
        starts[1, digit] += 1
    for position in range(n_ranked):
        order[position] = np.int32(keys[position])
        heights[position] = abs(statistic[order[position]])
    if not _insert(keys[:n_ranked], order, heights):
        _by_digits(statistic, n_positive, n_ranked, order, heights)
    return n_positive, n_ranked


@njit(cache=True, nogil=True)
def _insert(keys: np.ndarray, order: np.ndarray, heights: np.ndarray) -> bool:
    """Finish an order by insertion among those whose keys are alike; give up if that takes too many moves."""
    left = MOST_MOVES * keys.size
    for index in range(1, keys.size):
        if keys[index - 1] >> 32 == keys[index] >> 32 and heights[index - 1] < heights[index]:
            height, voxel, place = heights[index], order[index], index
            while place > 0 and keys[place - 1] >> 32 == keys[index] >> 32 and heights[place - 1] < height:
                heights[place], order[place] = heights[place - 1], order[place - 1]
                place -= 1
            heights[place], order[place] = height, voxel
            left -= index - place
            if left < 0:
                return False
    return True


@njit(cache=True, nogil=True)
def _key(statistic: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Fill in what is sorted: above 32 bits the magnitude, counted down, below them the voxel; zeros come last.

    Returns where each digit of the magnitudes begins in the order, (2, 2048), the lower one first.
    """
    largest = 0.0
    for value in statistic:
        largest = max(largest, abs(value))
    scale = LARGEST_KEY / max(largest, 1e-300)
    starts = np.zeros((2, LAST_DIGIT + 1), dtype=np.int32)
    for voxel in range(statistic.size):
        value = statistic[voxel]
        part = np.int64(value <= 0.0) + np.int64(value == 0.0)
        key = (part << MAGNITUDE_BITS) + LARGEST_KEY - np.int64(abs(value) * scale)
        keys[voxel] = (key << 32) + voxel
        starts[0, key & LAST_DIGIT] += 1
        starts[1, key >> DIGIT_BITS] += 1
    for digit in range(2):
        before = 0
        for value in range(LAST_DIGIT + 1):
            before, starts[digit, value] = before + starts[digit, value], before
    return starts


@njit(cache=True, nogil=True)
def _by_digits(statistic: np.ndarray, n_positive: int, n_ranked: int, order: np.ndarray, heights: np.ndarray) -> None:
    """Rank values that are too uneven for short keys: negative floats count their bits downwards."""
    bits = statistic.view(np.int64)
    ascending = _argsort((bits ^ ((bits >> 63) | np.int64(-(2**63)))).view(np.uint64))
    order[:n_positive] = ascending[statistic.size - n_positive :][::-1]
    order[n_positive:n_ranked] = ascending[: n_ranked - n_positive]
    for index in range(n_ranked):
        heights[index] = abs(statistic[order[index]])


@njit(cache=True, nogil=True)
def _argsort(keys: np.ndarray) -> np.ndarray:
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
