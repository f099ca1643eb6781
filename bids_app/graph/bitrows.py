"""A graph of hundreds of nodes as rows of bits, and what shortest paths in it say.

Everything compiled of small graphs is in this file: a change elsewhere would not renew what is cached of it.
"""

import numpy as np
from numba import njit

from bids_app.graph.intrinsics import WORD, lowest_bit, popcount

ATTEMPTS_PER_EDGE = 20


def pack(adjacency):
    """Pack an adjacency matrix into bits.

    Parameters
    ----------
    adjacency : (P, P) array-like
        Not 0 where there is an edge; symmetric, diagonal 0.

    Returns
    -------
    (P, W) uint64 ndarray
        Bit j % 64 of word j // 64 of row i is set if i and j are joined.

    Examples
    --------
    >>> pack([[0, 1, 0], [1, 0, 1], [0, 1, 0]]).ravel()
    array([2, 5, 2], dtype=uint64)
    """
    joined = np.asarray(adjacency) != 0
    padded = np.zeros((len(joined), -(-len(joined) // WORD) * WORD), dtype=bool)
    padded[:, : len(joined)] = joined
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def local_efficiencies(rows):
    """Efficiency of the graph of each node's neighbours, the node removed [1]_.

    Parameters
    ----------
    rows : (P, W) uint64 ndarray
        From `pack`.

    Returns
    -------
    (P,) float64 ndarray
        In [0, 1]; 0 below two neighbours.

    References
    ----------
    .. [1] Latora & Marchiori 2001, doi:10.1103/PhysRevLett.87.198701

    Examples
    --------
    The two neighbours of the middle of a path are not joined; those of a triangle's corners are.

    >>> local_efficiencies(pack([[0, 1, 0], [1, 0, 1], [0, 1, 0]])), local_efficiencies(pack(1 - np.eye(3)))
    (array([0., 0., 0.]), array([1., 1., 1.]))
    """
    return _local_efficiencies(rows)


def betweenness(rows):
    """Share of the shortest paths between all pairs of other nodes that run through each node [1]_, by Brandes [2]_.

    Parameters
    ----------
    rows : (P, W) uint64 ndarray
        From `pack`.

    Returns
    -------
    (P,) float64 ndarray
        In [0, 1]: several shortest paths of a pair share it evenly; 0 where there are less than three nodes.

    References
    ----------
    .. [1] Freeman 1977, doi:10.2307/3033543
    .. [2] Brandes 2001, doi:10.1080/0022250X.2001.9990249

    Examples
    --------
    >>> betweenness(pack([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
    array([0., 1., 0.])
    """
    n_pairs = (len(rows) - 1) * (len(rows) - 2)
    return _dependencies(rows) / n_pairs if n_pairs > 0 else np.zeros(len(rows))


def path_sums(rows):
    """Sum the lengths of the shortest paths from each node, their inverses, and the nodes reached.

    Parameters
    ----------
    rows : (P, W) uint64 ndarray
        From `pack`.

    Returns
    -------
    (3, P) float64 ndarray
        As `paths.sum_paths`.

    Examples
    --------
    >>> path_sums(pack([[0, 1, 0], [1, 0, 1], [0, 1, 0]])).tolist()
    [[3.0, 2.0, 3.0], [1.5, 2.0, 1.5], [2.0, 2.0, 2.0]]
    """
    return _path_sums(rows)


def triangle_counts(rows):
    """Count the triangles through each node.

    Parameters
    ----------
    rows : (P, W) uint64 ndarray
        From `pack`.

    Returns
    -------
    (P,) int64 ndarray

    Examples
    --------
    >>> triangle_counts(pack(1 - np.eye(4)))
    array([3, 3, 3, 3])
    """
    return _triangle_counts(rows)


def rewire(adjacency, generator):
    """Rewire a graph by swapping the ends of pairs of edges: every node keeps its degree [1]_.

    Twenty swaps per edge are tried; one that would join a node to itself, or two nodes twice, is not made but counts,
    so that all graphs of these degrees become equally likely.

    Parameters
    ----------
    adjacency : (P, P) array-like
        Not 0 where there is an edge; symmetric, diagonal 0.
    generator : numpy.random.Generator

    Returns
    -------
    (P, P) bool ndarray

    References
    ----------
    .. [1] Maslov & Sneppen 2002, doi:10.1126/science.1065103

    Examples
    --------
    >>> rewire(np.kron(np.eye(2), [[0, 1], [1, 0]]), np.random.default_rng(0)).sum(axis=0)
    array([1, 1, 1, 1])
    """
    rewired = np.asarray(adjacency) != 0
    ends = np.argwhere(np.triu(rewired, 1))
    if len(ends) > 1:
        _swap(rewired, ends, generator.integers(0, len(ends), (ATTEMPTS_PER_EDGE * len(ends), 2), dtype=np.int32))
    return rewired


@njit(cache=True, nogil=True)
def _swap(joined, ends, picks):
    """Try the swaps of the edges picked, in turn in the two ways there are; each undoes itself, so none is favoured."""
    for attempt in range(len(picks)):
        one, other = picks[attempt]
        (a, b), (c, d) = ends[one], ends[other]
        crosswise = attempt % 2 == 1
        new = (a, c, b, d) if crosswise else (a, d, c, b)
        if new[0] == new[1] or new[2] == new[3] or joined[new[0], new[1]] or joined[new[2], new[3]]:
            continue
        joined[a, b] = joined[b, a] = joined[c, d] = joined[d, c] = False
        joined[new[0], new[1]] = joined[new[1], new[0]] = joined[new[2], new[3]] = joined[new[3], new[2]] = True
        ends[one, 0], ends[one, 1], ends[other, 0], ends[other, 1] = new


@njit(cache=True, nogil=True)
def _set(words, bit):
    words[bit // WORD] |= np.uint64(1) << np.uint64(bit % WORD)


@njit(cache=True, nogil=True)
def _count(words):
    count = 0
    for word in words:
        count += popcount(word)
    return count


@njit(cache=True, nogil=True)
def _spread(rows, within, frontier, fresh):
    """Fill ``fresh`` with what the frontier's nodes are joined to ``within``, and take it out of ``within``."""
    fresh[:] = 0
    for place in range(len(frontier)):
        word = frontier[place]
        while word:
            row = rows[place * WORD + lowest_bit(word)]
            word &= word - np.uint64(1)
            for position in range(len(fresh)):
                fresh[position] |= row[position]
    for position in range(len(fresh)):
        fresh[position] &= within[position]
        within[position] &= ~fresh[position]


@njit(cache=True, nogil=True)
def _path_sums(rows):
    n_nodes, n_words = rows.shape
    sums = np.zeros((3, n_nodes))
    everyone = np.zeros(n_words, np.uint64)
    for node in range(n_nodes):
        _set(everyone, node)
    for source in range(n_nodes):
        _sums_from(rows, everyone, source, sums[:, source])
    return sums


@njit(cache=True, nogil=True)
def _sums_from(rows, members, source, sums):
    """Add up the paths from a source to what it reaches among the members."""
    left, frontier, fresh = members.copy(), np.zeros_like(members), np.zeros_like(members)
    left[source // WORD] &= ~(np.uint64(1) << np.uint64(source % WORD))
    _set(frontier, source)
    length = 0
    while True:
        _spread(rows, left, frontier, fresh)
        count = _count(fresh)
        if count == 0:
            return
        length += 1
        sums[0] += count * length
        sums[1] += count / length
        sums[2] += count
        frontier, fresh = fresh, frontier


@njit(cache=True, nogil=True)
def _local_efficiencies(rows):
    n_nodes = len(rows)
    efficiencies, sums = np.zeros(n_nodes), np.zeros(3)
    for node in range(n_nodes):
        degree = _count(rows[node])
        if degree < 2:
            continue
        sums[:] = 0
        for other in range(n_nodes):
            if rows[node, other // WORD] >> np.uint64(other % WORD) & np.uint64(1):
                _sums_from(rows, rows[node], other, sums)
        efficiencies[node] = sums[1] / (degree * (degree - 1))
    return efficiencies


@njit(cache=True, nogil=True)
def _neighbour_lists(rows):
    """List the neighbours of each node, (P, P) of which the first so many count, and say how many they are."""
    n_nodes = len(rows)
    lists, degrees = np.empty((n_nodes, n_nodes), np.int32), np.zeros(n_nodes, np.int64)
    for node in range(n_nodes):
        for place in range(rows.shape[1]):
            word = rows[node, place]
            while word:
                lists[node, degrees[node]] = place * WORD + lowest_bit(word)
                degrees[node] += 1
                word &= word - np.uint64(1)
    return lists, degrees


@njit(cache=True, nogil=True)
def _dependencies(rows):
    """Sum over the sources what each node carries of the paths from it (Brandes)."""
    n_nodes, (lists, degrees) = len(rows), _neighbour_lists(rows)
    carried, order = np.zeros(n_nodes), np.empty(n_nodes, np.int64)
    for source in range(n_nodes):
        length, n_paths, share = np.full(n_nodes, -1), np.zeros(n_nodes), np.zeros(n_nodes)
        length[source], n_paths[source], order[0] = 0, 1.0, source
        done, found = 0, 1
        while done < found:
            node = order[done]
            done += 1
            for other in lists[node, : degrees[node]]:
                if length[other] < 0:
                    length[other] = length[node] + 1
                    order[found] = other
                    found += 1
                if length[other] == length[node] + 1:
                    n_paths[other] += n_paths[node]
        for place in range(found - 1, 0, -1):
            node = order[place]
            for other in lists[node, : degrees[node]]:
                if length[other] == length[node] - 1:
                    share[other] += n_paths[other] / n_paths[node] * (1 + share[node])
            carried[node] += share[node]
    return carried


@njit(cache=True, nogil=True)
def _triangle_counts(rows):
    n_nodes, n_words = rows.shape
    counts = np.zeros(n_nodes, np.int64)
    for node in range(n_nodes):
        for place in range(n_words):
            word = rows[node, place]
            while word:
                other = rows[place * WORD + lowest_bit(word)]
                word &= word - np.uint64(1)
                for position in range(n_words):
                    counts[node] += popcount(rows[node, position] & other[position])
    return counts // 2
