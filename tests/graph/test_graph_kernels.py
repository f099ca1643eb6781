"""The kernels on graphs of bits, against networkx, igraph and dense algebra."""

import igraph
import networkx as nx
import numpy as np
import pytest

from bids_app.graph.bits import empty_bits, pack
from bids_app.graph.cores import components, core_numbers
from bids_app.graph.correlation import unit_rows
from bids_app.graph.density import cut_around, histogram, strongest
from bids_app.graph.edges import PAIR, Cut, Nodes, Sums, join_pairs, sum_edges
from bids_app.graph.onnela import sum_cube_roots
from bids_app.graph.paths import sum_paths
from bids_app.graph.spectrum import eigenvector_centrality
from bids_app.graph.triangles import list_edges, sum_triangles, weights

GRAPHS = {
    "one node": nx.empty_graph(1),
    "pair": nx.path_graph(2),
    "empty": nx.empty_graph(70),
    "complete": nx.complete_graph(70),
    "star": nx.star_graph(69),
    "ring": nx.cycle_graph(65),
    "long path": nx.path_graph(130),
    "disconnected": nx.disjoint_union_all([nx.complete_graph(5), nx.path_graph(9), nx.star_graph(80)]),
    "isolated nodes": nx.disjoint_union(nx.gnp_random_graph(60, 0.1, seed=1), nx.empty_graph(10)),
    "sparse": nx.gnp_random_graph(300, 0.01, seed=2),
    "dense": nx.gnp_random_graph(200, 0.5, seed=3),
    "small world": nx.connected_watts_strogatz_graph(500, 6, 0.05, seed=4),
    "hubs": nx.barabasi_albert_graph(400, 3, seed=5),
    **{f"random {n}": nx.gnp_random_graph(n, 0.2, seed=n) for n in (63, 64, 65)},
}


@pytest.fixture(params=GRAPHS.values(), ids=GRAPHS)
def graph(request):
    return request.param


@pytest.fixture
def bits(graph):
    return pack(nx.to_numpy_array(graph, dtype=bool), len(graph))


def test_edges_are_listed_once(graph, bits):
    rows, columns = list_edges(bits, (0, 0), (576, 576))
    assert sorted(zip(rows, columns, strict=True)) == sorted(tuple(sorted(edge)) for edge in graph.edges)


def test_tiles_partition_the_edges(graph, bits):
    corners = [(row, column) for row in range(0, len(graph), 64) for column in range(row, len(graph), 128)]
    listed = [list_edges(bits, corner, (64, 128)) for corner in corners]
    assert sum(rows.size for rows, _ in listed) == graph.number_of_edges()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_triangles(graph, bits, n_threads):
    common, *weighted = sum_triangles(bits, np.empty((len(graph), 0), np.float32), n_threads=n_threads)
    np.testing.assert_array_equal(common, [2 * count for count in nx.triangles(graph).values()])
    assert not np.any(weighted)


def test_weighted_triangles(graph, bits):
    unit = np.random.default_rng(0).random((len(graph), 48)).astype(np.float32)
    dense = nx.to_numpy_array(graph)
    w = dense * (unit.astype(float) @ unit.T)
    for panel in (None, 1):
        common, strength, weighted = sum_triangles(bits, unit, panel=panel)
        np.testing.assert_array_equal(common, (dense * (dense @ dense)).sum(axis=1))
        np.testing.assert_allclose(strength, w.sum(axis=1), rtol=1e-6)
        np.testing.assert_allclose(weighted, (w * (dense @ dense)).sum(axis=1), rtol=1e-6)


def test_panels_of_chunks_do_not_matter():
    graph = nx.gnm_random_graph(9000, 200_000, seed=8)
    bits = empty_bits(9000)
    pairs = np.array([(*edge, 1) for edge in graph.edges], PAIR)
    join_pairs(pairs, (False, np.float32(-1), np.zeros((1, 3), np.float32)), bits, np.zeros((4, 9000)))
    unit = np.random.default_rng(0).random((9000, 16)).astype(np.float32)
    whole = sum_triangles(bits, unit, n_threads=2)
    np.testing.assert_array_equal(whole[0], [2 * count for count in nx.triangles(graph).values()])
    for panel in (1, 2):
        np.testing.assert_array_equal(sum_triangles(bits, unit, panel=panel), whole)


def test_the_order_of_nodes_changes_no_sum(weighted):
    bits, unit, dense = weighted
    order = np.random.default_rng(3).permutation(len(dense))
    again = unit.copy()
    again[: len(order)] = unit[order]
    found = sum_triangles(pack((dense != 0)[np.ix_(order, order)], len(order)), again)
    np.testing.assert_array_equal(found, sum_triangles(bits, unit, n_threads=2)[:, order])


@pytest.mark.parametrize("stripe", [64, 128, 1024])
def test_stripes_partition_the_edges(graph, bits, stripe):
    rows, columns = list_edges(bits, (0, 0), (576, 576), stripe)
    assert sorted(zip(rows, columns, strict=True)) == sorted(tuple(sorted(edge)) for edge in graph.edges)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_paths(graph, bits, n_threads):
    lengths = [dict(found) for _, found in nx.all_pairs_shortest_path_length(graph)]
    expected = [
        [sum(found.values()), sum(1 / length for length in found.values() if length), len(found) - 1]
        for found in lengths
    ]
    np.testing.assert_allclose(sum_paths(bits, n_threads=n_threads).T, expected, rtol=1e-12)


def test_paths_of_igraph_over_several_chunks():
    graph = nx.connected_watts_strogatz_graph(5000, 8, 0.02, seed=4)
    bits = empty_bits(5000)
    pairs = np.array([(*edge, 1) for edge in graph.edges], PAIR)
    join_pairs(pairs, (False, np.float32(-1), np.zeros((1, 3), np.float32)), bits, np.zeros((4, 5000)))
    some = list(range(0, 5000, 97))
    lengths = np.array(igraph.Graph.from_networkx(graph).distances(source=some))
    np.testing.assert_array_equal(sum_paths(bits, n_threads=2)[0][some], lengths.sum(axis=1))


def test_cores(graph, bits):
    degree = np.array([graph.degree[node] for node in graph])
    np.testing.assert_array_equal(core_numbers(bits, degree), list(nx.core_number(graph).values()))


def test_components(graph, bits):
    np.testing.assert_array_equal(components(bits), igraph.Graph.from_networkx(graph).connected_components().membership)


def test_eigenvectors(graph, bits):
    dense = nx.to_numpy_array(graph)
    vector = eigenvector_centrality(bits, dense.sum(axis=1))
    if not dense.any():
        np.testing.assert_array_equal(vector, 0)
        return
    largest = np.linalg.eigvalsh(dense)[-1]
    assert np.linalg.norm(vector) == pytest.approx(1)
    np.testing.assert_allclose(dense @ vector, largest * vector, atol=1e-6 * largest)
    if nx.is_connected(graph):
        expected = np.array(igraph.Graph.from_networkx(graph).eigenvector_centrality())
        np.testing.assert_allclose(vector / vector.max(), expected, atol=1e-6)


def nodes_of(series, coordinates=None):
    coordinates = np.zeros((len(series), 3), np.float32) if coordinates is None else np.float32(coordinates)
    return Nodes(series, *unit_rows(series, (64, 16)), coordinates)


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(7)
    return rng.normal(size=(700, 8)) @ rng.normal(size=(8, 50)) + 2 * rng.normal(size=(700, 50))


@pytest.fixture(scope="module")
def matrix(series):
    upper = np.triu(np.corrcoef(series), 1)
    return upper + upper.T


@pytest.fixture(scope="module")
def weighted(series, matrix):
    """A graph with weights: bits, unit rows, and the dense weights."""
    joined = matrix > 0.3
    return pack(joined, len(series)), nodes_of(series).unit, matrix * joined


def test_weights_of_edges(weighted):
    bits, unit, dense = weighted
    rows, columns = list_edges(bits, (0, 0), (704, 704))
    np.testing.assert_allclose(weights(unit, rows, columns), dense[rows, columns], atol=3e-7)


def test_weighted_eigenvector(weighted):
    bits, unit, dense = weighted
    values, vectors = np.linalg.eigh(dense)
    vector = eigenvector_centrality(bits, dense.sum(axis=1), unit, n_threads=2)
    np.testing.assert_allclose(vector, np.abs(vectors[:, -1]), atol=1e-6)
    assert values[-1] > values[-2]


@pytest.mark.parametrize("panel", [128, 1024])
def test_onnela_sums(weighted, panel):
    bits, unit, dense = weighted
    roots = np.cbrt(dense)
    np.testing.assert_allclose(
        sum_cube_roots(unit, bits, panel=panel), (roots * (roots @ roots)).sum(axis=1), rtol=1e-5, atol=1e-6
    )


def test_one_pass_for_several_cuts(series, matrix):
    rng = np.random.default_rng(1)
    nodes = nodes_of(series, rng.normal(size=(700, 3)))
    near = np.linalg.norm(nodes.coordinates[:, None] - nodes.coordinates, axis=2) <= 1.5
    thresholds = (0.1, 0.5)
    graphs = [empty_bits(700) for _ in thresholds]
    cuts = [Cut(value - nodes.margin, value + nodes.margin, value, True, 1.5) for value in thresholds]
    for value, bits, sums in zip(thresholds, graphs, sum_edges(nodes, cuts, graphs, n_threads=2), strict=True):
        joined = matrix > value
        np.testing.assert_array_equal(bits, pack(joined, 700))
        np.testing.assert_array_equal(sums.totals[0], joined.sum(axis=1))
        np.testing.assert_allclose(sums.totals[1], (matrix * joined).sum(axis=1), rtol=1e-6)
        np.testing.assert_allclose(sums.totals[2], np.arctanh(matrix * joined).sum(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(sums.totals[3], (joined & near).sum(axis=1))


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 1])
def test_a_cut_leaves_little_open_and_nothing_out(series, matrix, share):
    nodes, n_edges = nodes_of(series), round(share * 700 * 699 / 2)
    counts = histogram(nodes, block=128, n_threads=2)
    values = np.sort(matrix[np.triu_indices(700, 1)])[::-1]
    assert counts.sum() == (values > 0).sum()
    lower, upper = cut_around(counts, n_edges, nodes.margin)
    weakest = values[min(n_edges, (values > 0).sum()) - 1]
    assert lower < weakest < upper
    assert ((values > lower) & (values < upper)).mean() < 0.01


def test_ties_at_the_edge_of_a_density_are_broken_by_position():
    pairs = np.array([(1, 4, 0.5), (0, 3, 0.5), (0, 2, 0.5), (2, 3, 0.6), (1, 2, -0.1)], PAIR)
    sums = Sums(np.array([[1.0, 1, 0, 0, 0]]), pairs)  # one edge is settled
    chosen = strongest(sums, 3, Cut(0.4, 0.7, None))
    assert [(pair["row"], pair["column"]) for pair in chosen] == [(2, 3), (0, 2)]
    assert len(strongest(sums, 100, Cut(0.4, 0.7, None))) == 4, "a negative correlation is no edge"
