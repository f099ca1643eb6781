"""Shortest paths, by breadth-first search on bits from 64 nodes at a time."""

from functools import partial

import numpy as np
from numba import njit

from bids_app.graph.edges import bands
from bids_app.graph.intrinsics import CHUNK, WORD, WORDS, have_common, lowest_bit, popcount, row_part, start_common

SOURCES = 64
STRETCH = 16  # words of nodes that are examined together: 1,024 rows' part of a chunk, 512 KB, stays in L2


def sum_paths(bits, *, n_threads=1):
    """Sum the lengths of the shortest paths from each node to all that it reaches.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    n_threads : int

    Returns
    -------
    (3, N) float64 ndarray
        The sum of the lengths in edges, the sum of their inverses, and the number of nodes reached but itself.

    Notes
    -----
    A level of the search goes either way (Beamer et al. 2012, doi:10.1109/SC.2012.50): from the frontier down, all
    rows of its nodes are joined by OR; from the nodes not yet reached up, each is tested for a neighbour in the
    frontier and left at the first. What is expected to read less is done. Every node is reached once, at its
    distance, so the result depends on neither choice, threads nor order.
    """
    density = _n_bits(bits) / max(bits.shape[1], 1) ** 2
    totals = np.zeros((3, bits.shape[1]))
    starts = range(0, bits.shape[1], SOURCES)
    for start, part in zip(starts, bands(partial(_path_band, bits, density), starts, n_threads), strict=True):
        totals[:, start : start + part.shape[1]] = part
    return totals


@njit(cache=True, nogil=True)
def _n_bits(bits):
    count = 0
    for word in bits.ravel():
        count += popcount(word)
    return count


@njit(cache=True, nogil=True)
def _path_band(bits, density, start):
    n_nodes = bits.shape[1]
    n_sources = min(SOURCES, n_nodes - start)
    totals = np.zeros((3, n_sources))
    frontier = bits[:, start : start + n_sources].copy()
    reached = frontier.copy()
    for source in range(n_sources):
        node = start + source
        reached[node // CHUNK, source, node % CHUNK // WORD] |= np.uint64(1) << np.uint64(node % WORD)
    n_frontier = np.zeros(n_sources, np.int64)
    _add_level(frontier, 1, n_frontier, totals)
    length = 1
    while n_frontier.any():
        fresh = np.zeros_like(frontier)
        upwards = np.zeros(n_sources, np.bool_)
        for source in range(n_sources):
            n_left = n_nodes - 1 - totals[2, source]
            upwards[source] = _is_upwards(n_frontier[source], n_left, n_nodes, density)
        _go_down(bits, frontier, upwards, fresh)
        _go_up(bits, frontier, upwards, reached, fresh)
        _keep_new(fresh, reached)
        length += 1
        frontier = fresh
        _add_level(frontier, length, n_frontier, totals)
    return totals


@njit(cache=True, nogil=True)
def _is_upwards(n_frontier, n_left, n_nodes, density):
    """Tell which way reads less, were the edges spread evenly: a test meets a neighbour with some chance per chunk."""
    n_chunks = -(-n_nodes // CHUNK)
    chance = 1 - np.exp(-CHUNK * density * n_frontier / n_nodes)
    tests = min(n_chunks, 1 / chance) if chance > 0 else n_chunks
    return n_left * tests < n_frontier * n_chunks


@njit(cache=True, nogil=True)
def _add_level(frontier, length, n_frontier, totals):
    for source in range(len(n_frontier)):
        count = 0
        for chunk in range(frontier.shape[0]):
            for word in frontier[chunk, source]:
                count += popcount(word)
        n_frontier[source] = count
        totals[0, source] += count * length
        totals[1, source] += count / length
        totals[2, source] += count


@njit(cache=True, nogil=True)
def _go_down(bits, frontier, upwards, fresh):
    for chunk in range(bits.shape[0]):
        for source in range(len(upwards)):
            if not upwards[source]:
                _join_rows(bits[chunk], frontier[:, source], fresh[chunk, source])


@njit(cache=True, nogil=True)
def _join_rows(rows, members, joined):
    """Join the rows of the members of a set by OR."""
    for part in range(members.shape[0]):
        for place in range(WORDS):
            word = members[part, place]
            while word:
                row = rows[part * CHUNK + place * WORD + lowest_bit(word)]
                word &= word - np.uint64(1)
                for position in range(WORDS):
                    joined[position] |= row[position]


@njit(cache=True, nogil=True)
def _go_up(bits, frontier, upwards, reached, fresh):
    n_chunks, n_nodes = bits.shape[:2]
    n_words = -(-n_nodes // WORD)
    for chunk in range(n_chunks):
        for first in range(0, n_words, STRETCH):
            for source in range(len(upwards)):
                if upwards[source]:
                    _test_rows(bits[chunk], frontier[chunk, source], (first, min(first + STRETCH, n_words)),
                               reached[:, source], fresh[:, source])  # fmt: skip


@njit(cache=True, nogil=True)
def _test_rows(rows, frontier, words, reached, fresh):
    """Mark the nodes of a stretch, not reached before, that have a neighbour in one chunk of the frontier."""
    part, flat, n_nodes = row_part(frontier, 0), rows.ravel(), len(rows)
    for word in range(words[0], words[1]):
        chunk, place = word // WORDS, word % WORDS
        left = ~(reached[chunk, place] | fresh[chunk, place])
        if n_nodes - word * WORD < WORD:
            left &= ~np.uint64(0) >> np.uint64(WORD - (n_nodes - word * WORD))
        found = np.uint64(0)
        while left:
            bit = lowest_bit(left)
            left &= left - np.uint64(1)
            offset = (word * WORD + bit) * WORDS
            if start_common(part, flat, offset) or have_common(part, flat, offset):
                found |= np.uint64(1) << np.uint64(bit)
        fresh[chunk, place] |= found


@njit(cache=True, nogil=True)
def _keep_new(fresh, reached):
    for chunk in range(fresh.shape[0]):
        for source in range(fresh.shape[1]):
            for place in range(WORDS):
                fresh[chunk, source, place] &= ~reached[chunk, source, place]
                reached[chunk, source, place] |= fresh[chunk, source, place]
