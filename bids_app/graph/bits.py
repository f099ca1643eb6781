"""A graph as bits: one per ordered pair of nodes, N * N / 8 bytes.

The bits are stored as (C, N, 64) uint64: chunk c holds columns 4096 c to 4096 c + 4095 of every row,
so that the part of a thousand rows which one sweep reads is contiguous and stays in the L2 cache.
"""

import math

import numpy as np
from numba import njit

from bids_app.graph.intrinsics import CHUNK, WORD, WORDS, count_common, row_part

LINE = 64  # bytes of a line of the cache


def n_chunks(n_nodes):
    """Return how many chunks the columns of a graph take."""
    return -(-n_nodes // CHUNK)


def aligned_zeros(shape, dtype):
    """Return zeros that begin on a line of the cache, so that no register is filled from two lines.

    Examples
    --------
    >>> zeros = aligned_zeros((3, 5), np.float32)
    >>> zeros.shape, zeros.dtype.name, zeros.ctypes.data % 64
    ((3, 5), 'float32', 0)
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    first = -room.ctypes.data % LINE
    return room[first : first + size].view(dtype).reshape(shape)


def empty_bits(n_nodes, allocate=aligned_zeros):
    """Return a graph of `n_nodes` nodes without edges, (C, N, 64) uint64.

    Parameters
    ----------
    n_nodes : int
    allocate : callable
        Makes an array of zeros from a shape and a data type; one that maps a file keeps the graph on disk.
    """
    return allocate((n_chunks(n_nodes), n_nodes, WORDS), np.uint64)


def bytes_of_bits(n_nodes):
    """Return the size of a graph of `n_nodes` nodes.

    Examples
    --------
    >>> bytes_of_bits(64_292) / 1e9  # N N / 8, the columns rounded up to a whole chunk
    0.526680064
    """
    return n_chunks(n_nodes) * n_nodes * WORDS * 8


@njit(cache=True, nogil=True)
def set_edge(bits, row, column):
    """Set the two bits of an edge."""
    bits[column // CHUNK, row, column % CHUNK // WORD] |= np.uint64(1) << np.uint64(column % WORD)
    bits[row // CHUNK, column, row % CHUNK // WORD] |= np.uint64(1) << np.uint64(row % WORD)


@njit(cache=True, nogil=True)
def beyond(word, row, column):
    """Keep the bits of a word, whose first bit is `column`, above the diagonal."""
    if column > row:
        return word
    if column + WORD - 1 <= row:
        return np.uint64(0)
    return word & (~np.uint64(0) << np.uint64(row - column + 1))


@njit(cache=True, nogil=True)
def transpose(words):
    """Transpose a square of 64 x 64 bits, one word a row, in place, by halves (Warren, Hacker's Delight, 7-3)."""
    width, mask = 32, np.uint64(0x00000000FFFFFFFF)
    while width:
        row = 0
        while row < WORD:
            moved = ((words[row] >> np.uint64(width)) ^ words[row + width]) & mask
            words[row] ^= moved << np.uint64(width)
            words[row + width] ^= moved
            row = (row + width + 1) & ~width
        width >>= 1
        mask ^= mask << np.uint64(width)


def pack(members, n_nodes):
    """Pack sets of nodes as if each were a row of a graph.

    Parameters
    ----------
    members : (M, N) bool ndarray

    Returns
    -------
    (C, M, 64) uint64 ndarray
    """
    padded = np.zeros((len(members), n_chunks(n_nodes) * CHUNK), dtype=bool)
    padded[:, :n_nodes] = members
    words = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
    return np.ascontiguousarray(words.reshape(len(members), n_chunks(n_nodes), WORDS).swapaxes(0, 1))


@njit(cache=True, nogil=True)
def count_in_sets(bits, sets, counts):
    """Count the neighbours of every node in each of M sets.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    sets : (C, M, 64) uint64 ndarray
        From `pack`.
    counts : (N, M) int64 ndarray
        Added to.
    """
    n_nodes, n_sets = bits.shape[1], sets.shape[1]
    flat, flat_sets = bits.ravel(), sets.ravel()
    for chunk in range(bits.shape[0]):
        for node in range(n_nodes):
            part = row_part(flat, (chunk * n_nodes + node) * WORDS)
            for member in range(n_sets):
                counts[node, member] += count_common(part, flat_sets, (chunk * n_sets + member) * WORDS)
