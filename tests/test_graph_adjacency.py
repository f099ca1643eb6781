import networkx as nx
import numpy as np
import pytest
from numba import njit

from bids_app.graph.adjacency import (
    CHUNK,
    add_triangles,
    empty_adjacency,
    list_edges,
    lowest_bit,
    mark_edges,
    popcount,
)


def pack(dense):
    """Bits of a dense adjacency, by numpy."""
    padded = np.zeros((len(dense), -(-len(dense) // CHUNK) * CHUNK), dtype=np.uint8)
    padded[:, : len(dense)] = dense
    words = np.packbits(padded, axis=1, bitorder="little").view("<u8")
    return np.ascontiguousarray(words.reshape(len(dense), -1, 64).swapaxes(0, 1))


@pytest.fixture(params=[1, 2, 63, 64, 65, 130])
def dense(request):
    return nx.to_numpy_array(nx.gnp_random_graph(request.param, 0.4, seed=request.param))


def marked(dense):
    adjacency, totals = empty_adjacency(len(dense)), np.zeros((2, len(dense)))
    limits = np.float32(0.1), np.float64(0.2), np.float32(0.3)
    block, unit = np.float32(dense / 2), np.ones((len(dense), 1))
    mark_edges(block, (0, 0), unit, limits, adjacency, totals)
    return adjacency, totals


def test_bits_degree_and_strength_of_a_block(dense):
    adjacency, (degree, strength) = marked(dense)
    np.testing.assert_array_equal(adjacency, pack(dense))
    np.testing.assert_array_equal(degree, dense.sum(axis=1))
    np.testing.assert_array_equal(strength, dense.sum(axis=1) / 2)


def test_edges_are_listed_once_by_row(dense):
    rows, columns = list_edges(pack(dense), (0, 0), (192, 192))
    np.testing.assert_array_equal([rows, columns], np.nonzero(np.triu(dense)))


def test_tiles_partition_the_edges(dense):
    corners = [(row, column) for row in range(0, len(dense), 64) for column in range(row, len(dense), 64)]
    listed = np.hstack([list_edges(pack(dense), corner, (64, 64)) for corner in corners])
    assert sorted(map(tuple, listed.T)) == list(zip(*np.nonzero(np.triu(dense)), strict=True))


def test_triangle_sums(dense):
    totals = np.zeros((3, len(dense)))
    unit = np.sqrt(np.arange(1.0, len(dense) + 1))[:, np.newaxis]
    add_triangles(pack(dense), *list_edges(pack(dense), (0, 0), (192, 192)), unit, totals)
    weights, common = dense * (unit @ unit.T), dense @ dense
    np.testing.assert_array_equal(totals[0], (dense * common).sum(axis=1))
    np.testing.assert_allclose(totals[1], weights.sum(axis=1))
    np.testing.assert_allclose(totals[2], (weights * common).sum(axis=1))


def test_no_series_no_weights(dense):
    totals = np.zeros((3, len(dense)))
    add_triangles(pack(dense), *list_edges(pack(dense), (0, 0), (192, 192)), np.empty((len(dense), 0)), totals)
    assert totals[0].sum() == 6 * sum(nx.triangles(nx.from_numpy_array(dense)).values()) / 3
    assert not totals[1:].any()


@pytest.mark.parametrize(("product", "n_edges"), [(0.2, 0), (0.25, 1)])
def test_entries_between_the_limits_are_decided_by_the_series(product, n_edges):
    totals = np.zeros((2, 2))
    limits = np.float32(0.1), np.float64(0.2), np.float32(0.3)
    unit = np.array([[1.0], [product]])
    mark_edges(np.full((2, 2), 0.25, np.float32), (0, 0), unit, limits, empty_adjacency(0), totals)
    assert totals[0].sum() == 2 * n_edges


@pytest.mark.parametrize("word", [1, 2**63, 0b1011000, 2**64 - 1])
def test_bit_intrinsics(word):
    count, lowest = njit(lambda word: (popcount(word), lowest_bit(word)))(np.uint64(word))
    assert count == word.bit_count()
    assert lowest == (word & -word).bit_length() - 1
