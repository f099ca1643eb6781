import networkx as nx
import numpy as np
import pytest
from numba import njit

from bids_app.graph.bits import beyond, count_in_sets, empty_bits, pack, set_edge, transpose
from bids_app.graph.intrinsics import (
    WORDS,
    above,
    add_chosen,
    add_common_to_four,
    count_common,
    have_common,
    lowest_bit,
    no_products,
    no_sums,
    plus_chosen,
    plus_products,
    popcount,
    row_part,
    start_common,
    total,
    total_product,
)

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("word", [1, 2**63, 0b1011000, 2**64 - 1])
def test_words(word):
    count, lowest = njit(lambda word: (popcount(word), lowest_bit(word)))(np.uint64(word))
    assert count == word.bit_count()
    assert lowest == (word & -word).bit_length() - 1


@pytest.mark.parametrize(("row", "column"), [(0, 64), (63, 0), (64, 0), (10, 0), (70, 64)])
def test_bits_beyond_the_diagonal(row, column):
    kept = int(beyond(np.uint64(2**64 - 1), row, column))
    assert [bit for bit in range(64) if kept >> bit & 1] == [bit for bit in range(64) if column + bit > row]


def test_transposed_square():
    square = RNG.random((64, 64)) < 0.3
    words = np.packbits(square, axis=1, bitorder="little").view(np.uint64).ravel()
    transpose(words)
    back = np.unpackbits(words[:, np.newaxis].view(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(back, square.T)


@pytest.fixture
def words():
    """Eight rows of 64 words."""
    return RNG.integers(0, 2**63, (8, WORDS), dtype=np.uint64) & RNG.integers(0, 2**63, (8, WORDS), dtype=np.uint64)


def counted(words):
    return sum(int(word).bit_count() for word in words)


def test_common_bits(words):
    one, four = njit(lambda flat, offset: count_common(row_part(flat, 0), flat, offset)), np.full(6, 10, np.int32)
    expected = [counted(words[0] & row) for row in words]
    assert [one(words.ravel(), place * WORDS) for place in range(8)] == expected
    offsets = 2 * WORDS, 3 * WORDS, 5 * WORDS, 7 * WORDS
    njit(lambda flat, counts: add_common_to_four(row_part(flat, 0), flat, offsets, counts, 1))(words.ravel(), four)
    np.testing.assert_array_equal(four, [10, *(10 + expected[place] for place in (2, 3, 5, 7)), 10])


@pytest.mark.parametrize("place", [0, 7, 8, 63])
def test_whether_there_is_a_common_bit(place):
    words = np.zeros((3, WORDS), np.uint64)
    words[0], words[1, place] = 2**64 - 1, 1 << 17
    start, anywhere = (
        njit(lambda flat, offset, kind=kind: kind(row_part(flat, 0), flat, offset))
        for kind in (start_common, have_common)
    )
    assert (start(words.ravel(), WORDS), start(words.ravel(), 2 * WORDS)) == (place < 8, False)
    assert (anywhere(words.ravel(), WORDS), anywhere(words.ravel(), 2 * WORDS)) == (True, False)


def test_comparison_with_a_bound_is_strict():
    values = RNG.random(100).astype(np.float32)
    bound = values[40]
    word = int(njit(lambda values, bound: above(values, 10, bound))(values, bound))
    assert [bool(word >> bit & 1) for bit in range(64)] == list(values[10:74] > bound)


def test_chosen_values_are_added():
    values, sums = RNG.random(70).astype(np.float32), np.ones(64)
    chosen = RNG.random(64) < 0.5
    word = np.packbits(chosen, bitorder="little").view(np.uint64)[0]
    all_of_them = njit(lambda word, values, sums: add_chosen(word, values, 6, sums, 0))(word, values, sums)
    np.testing.assert_allclose(sums, 1 + np.where(chosen, values[6:].astype(float), 0), rtol=0, atol=2.0**-33)
    assert all_of_them == pytest.approx(values[6:][chosen].sum(dtype=float), abs=64 * 2.0**-33)
    doubles = njit(lambda word, values: total(plus_chosen(plus_chosen(no_sums(), word, values, 6), word, values, 6)))
    assert doubles(word, values.astype(float)) == pytest.approx(2 * values[6:][chosen].sum(dtype=float), rel=1e-14)


def test_products():
    values = RNG.random(64).astype(np.float32)

    @njit
    def product(values):
        return total_product(plus_products(plus_products(no_products(), values, 0, 32), values, 16, 48))

    assert product(values) == pytest.approx(values[:32] @ values[32:], rel=1e-6)


@pytest.mark.parametrize("n_nodes", [1, 64, 65, 130, 4097])
def test_edges_one_by_one_are_the_packed_graph(n_nodes):
    graph = nx.gnm_random_graph(n_nodes, min(3 * n_nodes, n_nodes * (n_nodes - 1) // 2), seed=1)
    bits = empty_bits(n_nodes)
    for row, column in graph.edges:
        set_edge(bits, row, column)
    np.testing.assert_array_equal(bits, pack(nx.to_numpy_array(graph, dtype=bool), n_nodes))


def test_neighbours_in_sets():
    dense = nx.to_numpy_array(nx.gnp_random_graph(130, 0.2, seed=2))
    sets = RNG.random((3, 130)) < 0.4
    counts = np.zeros((130, 3), np.int64)
    count_in_sets(pack(dense > 0, 130), pack(sets, 130), counts)
    np.testing.assert_array_equal(counts, dense @ sets.T)
