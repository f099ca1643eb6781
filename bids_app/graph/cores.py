"""Connected components and k-cores, by walking along the bits."""

import numpy as np
from numba import njit

from bids_app.graph.intrinsics import CHUNK, WORD, WORDS, lowest_bit


@njit(cache=True, nogil=True)
def components(bits):
    """Label the connected components.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray

    Returns
    -------
    (N,) int64 ndarray
        From 0, in the order of each component's first node.
    """
    n_chunks, n_nodes = bits.shape[:2]
    labels, waiting = np.full(n_nodes, -1), np.empty(n_nodes, np.int64)
    unseen = np.full((n_chunks, WORDS), ~np.uint64(0))
    n_components = 0
    for first in range(n_nodes):
        if labels[first] >= 0:
            continue
        labels[first], waiting[0], n_waiting = n_components, first, 1
        unseen[first // CHUNK, first % CHUNK // WORD] &= ~(np.uint64(1) << np.uint64(first % WORD))
        while n_waiting:
            n_waiting -= 1
            node = waiting[n_waiting]
            for chunk in range(n_chunks):
                for place in range(WORDS):
                    word = bits[chunk, node, place] & unseen[chunk, place]
                    unseen[chunk, place] ^= word
                    while word:
                        other = chunk * CHUNK + place * WORD + lowest_bit(word)
                        word &= word - np.uint64(1)
                        labels[other] = n_components
                        waiting[n_waiting] = other
                        n_waiting += 1
        n_components += 1
    return labels


@njit(cache=True, nogil=True)
def core_numbers(bits, degree):
    """Remove the node of least degree again and again; its degree then is its core number [1]_.

    Parameters
    ----------
    bits : (C, N, 64) uint64 ndarray
    degree : (N,) int64 ndarray

    Returns
    -------
    (N,) int64 ndarray

    References
    ----------
    .. [1] Batagelj & Zaversnik 2003, arXiv:cs/0310049
    """
    left = degree.copy()
    order = np.argsort(left, kind="mergesort")
    place_of = np.empty_like(order)
    place_of[order] = np.arange(len(order))
    starts = np.zeros(len(order) + 1, np.int64)  # where the nodes of each degree begin in the order
    for value in left:
        starts[value + 1] += 1
    starts = np.cumsum(starts)
    for node in order:  # what is moved in the order lies behind this node
        for chunk in range(bits.shape[0]):
            for place in range(WORDS):
                word = bits[chunk, node, place]
                while word:
                    other = chunk * CHUNK + place * WORD + lowest_bit(word)
                    word &= word - np.uint64(1)
                    if left[other] > left[node]:
                        _move_down(other, left, order, place_of, starts)
    return left


@njit(cache=True, nogil=True)
def _move_down(node, left, order, place_of, starts):
    """Lessen a node's degree, and swap it with the first of its degree, which starts one later now."""
    here, there = place_of[node], starts[left[node]]
    other = order[there]
    order[here], order[there] = other, node
    place_of[other], place_of[node] = here, there
    starts[left[node]] += 1
    left[node] -= 1
