"""Threshold-free cluster enhancement, integrated exactly.

Everything compiled is in one file: a change elsewhere would not renew what is cached of it.
"""

from math import sqrt

import numpy as np
import numpy.typing as npt
from numba import njit

# A fuller bucket takes longer to sort by insertion than the whole map by radix.
FULL_BUCKET = 64
# 6 digits of 11 bits hold a 64-bit key.
DIGITS, DIGIT_BITS = 6, 11


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
    in the order of their ranks, and several maps share their workspace.

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
    order, heights = np.empty(count, np.int32), np.empty(count)
    tree = np.empty((3, pairs.max() + 1 if count else 0), np.int32)
    joined = np.empty((2, count), np.int32)
    for index in range(len(statistics)):
        n_positive, n_ranked = _rank(statistics[index], order, heights)
        for sign in (1.0, -1.0):
            first, last = (0, n_positive) if sign > 0 else (n_positive, n_ranked)
            _join_connections(pairs, order[first:last], tree, joined)
            values = _integrate(heights[first:last], joined[0], joined[1], exponents)
            for position in range(last - first):
                enhanced[index, order[first + position]] = sign * values[position]


@njit(cache=True, nogil=True)
def _join_connections(pairs: np.ndarray, order: np.ndarray, tree: np.ndarray, joined: np.ndarray) -> None:
    """Join the nodes of the connections in order; each gets its lower one, and its component's size when it joined."""
    root, size, lowest = tree
    below, extents = joined
    for node in range(len(root)):
        root[node], size[node], lowest[node] = node, 0, -1
    for own in range(len(order)):
        below[own] = -1
        one, other = _find(root, pairs[order[own], 0]), _find(root, pairs[order[own], 1])
        for node in (one, other):
            if lowest[node] >= 0:
                below[lowest[node]] = own
        if one != other:
            if size[other] > size[one]:
                one, other = other, one
            root[other] = one
            size[one] += size[other]
        size[one] += 1
        lowest[one] = own
        extents[own] = size[one]


@njit(cache=True, nogil=True)
def _enhance_maps(
    statistics: np.ndarray, neighbours: np.ndarray, exponents: tuple[float, float], enhanced: np.ndarray
) -> None:
    count, most = neighbours.shape
    order, heights = np.empty(count, np.int32), np.empty(count)
    # The last element is where a neighbour of -1 leads to.
    rank = np.empty(count + 1, np.int32)
    before, found = np.empty(count * most + 1, np.int32), np.empty(count, np.int32)
    tree = np.empty((5, count), np.int32)
    for index in range(len(statistics)):
        n_positive, n_ranked = _rank(statistics[index], order, heights)
        rank[:] = count
        for position in range(n_ranked):
            rank[order[position]] = position
        _list_before(rank, n_positive, neighbours, before, found)
        for sign in (1.0, -1.0):
            first, last = (0, n_positive) if sign > 0 else (n_positive, n_ranked)
            below, extents = _join(before[first * most :], found[first:last], most, tree)
            values = _integrate(heights[first:last], below, extents, exponents)
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
def _join(before: np.ndarray, found: np.ndarray, most: int, tree: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join the ranks in order; return each one's lower one, and its component's size when it joined."""
    root, size, lowest, below, extents = tree[0], tree[1], tree[2], tree[3], tree[4]
    for own in range(len(found)):
        joined = root[own] = own
        size[own], below[own] = 1, -1
        for place in range(own * most, own * most + found[own]):
            other = _find(root, before[place])
            if other == joined:
                continue
            below[lowest[other]] = own
            # The larger component keeps its root, which keeps the paths short.
            if size[other] > size[joined]:
                other, joined = joined, other
            root[other] = joined
            size[joined] += size[other]
        lowest[joined] = own
        extents[own] = size[joined]
    return below, extents


@njit(cache=True, nogil=True)
def _find(root: np.ndarray, index: int) -> int:
    above = root[index]
    while above != root[above]:
        root[index] = root[above]
        index, above = above, root[above]
    return above


@njit(cache=True, nogil=True)
def _integrate(
    heights: np.ndarray, below: np.ndarray, extents: np.ndarray, exponents: tuple[float, float]
) -> np.ndarray:
    """Sum what the components hold, from the lowest voxels up; the heights become the values."""
    E, H = exponents
    powers = heights * heights * heights / 3.0 if H == 2.0 else heights ** (H + 1.0) / (H + 1.0)
    for own in range(heights.size - 1, -1, -1):
        extent = sqrt(extents[own]) if E == 0.5 else float(extents[own]) ** E
        lower = below[own]
        if lower < 0:
            heights[own] = extent * powers[own]
        else:
            heights[own] = heights[lower] + extent * (powers[own] - powers[lower])
    return heights


@njit(cache=True, nogil=True)
def _rank(statistic: np.ndarray, order: np.ndarray, heights: np.ndarray) -> tuple[int, int]:
    """Rank the positive voxels, then the negative ones, each from the largest magnitude down; zeros have no rank.

    Fills ``order`` (V,) with the voxels and ``heights`` (V,) with their magnitudes; returns the counts of the positive
    and of all ranked voxels. Buckets and insertion are linear in the voxels, where a comparison sort is not.
    """
    largest = 0.0
    for value in statistic:
        largest = max(largest, abs(value))
    n_buckets = statistic.size
    scale = (n_buckets - 1) / max(largest, 1e-300)
    starts = np.zeros(2 * n_buckets + 1, dtype=np.int32)
    for value in statistic:
        if value != 0.0:
            starts[_bucket(value, scale, n_buckets) + 1] += 1
    even = starts.max() <= FULL_BUCKET
    starts[:] = np.cumsum(starts)
    n_positive, n_ranked = starts[n_buckets], starts[2 * n_buckets]
    if even:
        _distribute(statistic, scale, starts, order, heights)
        _insert(order[:n_positive], heights[:n_positive])
        _insert(order[n_positive:n_ranked], heights[n_positive:n_ranked])
    else:
        _by_digits(statistic, n_positive, n_ranked, order, heights)
    return n_positive, n_ranked


@njit(cache=True, nogil=True)
def _bucket(value: float, scale: float, n_buckets: int) -> int:
    """Count buckets from the largest magnitude down, the positive half first."""
    below = n_buckets - 1 - int(abs(value) * scale)
    return below if value > 0 else n_buckets + below


@njit(cache=True, nogil=True)
def _distribute(
    statistic: np.ndarray, scale: float, starts: np.ndarray, order: np.ndarray, heights: np.ndarray
) -> None:
    n_buckets = statistic.size
    for voxel in range(statistic.size):
        value = statistic[voxel]
        if value != 0.0:
            bucket = _bucket(value, scale, n_buckets)
            order[starts[bucket]], heights[starts[bucket]] = voxel, abs(value)
            starts[bucket] += 1


@njit(cache=True, nogil=True)
def _insert(order: np.ndarray, heights: np.ndarray) -> None:
    """Finish a nearly sorted order by insertion."""
    for index in range(1, order.size):
        height, voxel, place = heights[index], order[index], index
        while place > 0 and heights[place - 1] < height:
            heights[place], order[place] = heights[place - 1], order[place - 1]
            place -= 1
        heights[place], order[place] = height, voxel


@njit(cache=True, nogil=True)
def _by_digits(statistic: np.ndarray, n_positive: int, n_ranked: int, order: np.ndarray, heights: np.ndarray) -> None:
    """Rank values that are too uneven for buckets: negative floats count their bits downwards."""
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
