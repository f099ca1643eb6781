"""Measures of whole parcel graphs, against other libraries, closed forms, and every graph of given degrees."""

from collections import Counter
from itertools import combinations

import bct
import igraph
import networkx as nx
import numpy as np
import pytest

from bids_app.graph import GLOBALS, EdgeRule, Nulls, correlation_matrix, global_measures
from bids_app.graph.bitrows import pack, rewire
from bids_app.graph.wholegraph import null_graphs

RULE = EdgeRule("r", 0.2)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(2)
    return correlation_matrix(rng.normal(size=(70, 4)) @ rng.normal(size=(4, 80)) + rng.normal(size=(70, 80)))


@pytest.fixture(scope="module")
def graph(matrix):
    return nx.from_numpy_array((matrix > 0.2) & ~np.eye(70, dtype=bool))


@pytest.fixture(scope="module")
def whole(matrix):
    return global_measures(matrix, RULE, nulls=Nulls(50, seed=1))


def of_graph(graph, **options):
    return global_measures(nx.to_numpy_array(graph) * 0.5, RULE, **options)


def test_all_are_there_in_the_order_of_the_table(whole):
    assert list(whole.measures) == list(GLOBALS)
    assert all(np.isfinite(value) for value in whole.measures.values())


def test_equal_to_networkx(graph, whole, matrix):
    expected = {
        "density": nx.density(graph),
        "clustering": nx.average_clustering(graph),
        "transitivity": nx.transitivity(graph),
        "global-efficiency": nx.global_efficiency(graph),
        "path-length": 1 / nx.global_efficiency(graph),
        "local-efficiency": nx.local_efficiency(graph),
        "assortativity": nx.degree_assortativity_coefficient(graph),
        "mean-strength": np.where(matrix > 0.2, matrix - np.eye(70), 0).sum() / 70,
    }
    assert {name: whole.measures[name] for name in expected} == pytest.approx(expected)
    assert whole.facts["n_components"] == nx.number_connected_components(graph)
    assert whole.facts["n_edges"] == graph.number_of_edges()
    connected = graph.subgraph(max(nx.connected_components(graph), key=len))
    relabelled = nx.convert_node_labels_to_integers(connected)
    assert of_graph(relabelled, nulls=Nulls(0)).measures["path-length-mean"] == pytest.approx(
        nx.average_shortest_path_length(connected)
    )


def test_equal_to_bctpy(graph, whole):
    adjacency = nx.to_numpy_array(graph)
    assert whole.measures["transitivity"] == pytest.approx(bct.transitivity_bu(adjacency))
    assert whole.measures["assortativity"] == pytest.approx(bct.assortativity_bin(adjacency))
    length, *_ = bct.charpath(bct.distance_bin(adjacency), include_infinite=False)
    assert whole.measures["path-length-mean"] == pytest.approx(length)
    degree = adjacency.sum(axis=0)
    level = int(np.floor(degree.mean() + degree.std()))  # the first degree that is not a hub's
    assert whole.measures["rich-club"] == pytest.approx(bct.rich_club_bu(adjacency)[0][level - 1])
    assert whole.measures["rich-club"] == pytest.approx(nx.rich_club_coefficient(graph, normalized=False)[level])


def test_modularity_is_as_large_as_others_find(graph, whole):
    best = max(igraph.Graph.from_networkx(graph).community_leiden("modularity", n_iterations=-1).q for _ in range(10))
    assert best - 0.01 < whole.measures["modularity"] <= best + 0.01
    rings = nx.ring_of_cliques(6, 5)
    known = of_graph(rings, nulls=Nulls(0))
    cliques = [range(5 * k, 5 * k + 5) for k in range(6)]
    assert known.facts["n_modules"] == 6
    assert known.measures["modularity"] == pytest.approx(nx.community.modularity(rings, cliques))


def test_the_same_seed_gives_the_same_and_another_one_nearly(matrix, whole):
    again = global_measures(matrix, RULE, nulls=Nulls(50, seed=1))
    other = global_measures(matrix, RULE, nulls=Nulls(50, seed=2))
    assert again == whole
    assert other.measures["gamma"] != whole.measures["gamma"]
    assert other.measures["gamma"] == pytest.approx(whole.measures["gamma"], rel=0.03)


def test_small_world_against_networkx_null_graphs(graph, whole):
    """Their swaps keep the degrees too: the means must agree to what chance allows."""
    clustering, efficiency = [], []
    for seed in range(20):
        null = graph.copy()
        nx.double_edge_swap(null, 5 * null.number_of_edges(), max_tries=10**7, seed=seed)
        clustering.append(nx.average_clustering(null))
        efficiency.append(nx.global_efficiency(null))
    gamma = whole.measures["clustering"] / np.mean(clustering)
    lambda_ = whole.measures["path-length"] / np.mean(1 / np.array(efficiency))
    assert whole.measures["gamma"] == pytest.approx(gamma, rel=0.03)
    assert whole.measures["lambda"] == pytest.approx(lambda_, rel=0.01)
    assert whole.measures["sigma"] == pytest.approx(whole.measures["gamma"] / whole.measures["lambda"])
    assert whole.measures["gamma"] > 1.05


def test_a_small_world_is_one_and_a_random_graph_is_none():
    small = of_graph(nx.connected_watts_strogatz_graph(200, 10, 0.05, seed=0)).measures
    assert small["gamma"] > 5
    assert small["lambda"] < 2
    assert small["sigma"] > 3
    random = of_graph(nx.gnm_random_graph(200, 1000, seed=0)).measures
    assert random["sigma"] == pytest.approx(1, abs=0.08)
    assert random["rich-club-normalized"] == pytest.approx(1, abs=0.1)


def test_null_graphs_keep_every_degree_and_are_simple(graph):
    adjacency = nx.to_numpy_array(graph)
    seen = set()
    for null in null_graphs(adjacency, Nulls(5)):
        np.testing.assert_array_equal(null.sum(axis=0), adjacency.sum(axis=0))
        np.testing.assert_array_equal(null, null.T)
        assert not np.diag(null).any()
        seen.add(null.tobytes())
    assert len(seen) == 5


def test_every_graph_of_the_degrees_is_as_likely():
    """All graphs of 6 nodes with degrees 3 2 2 2 2 1, counted by hand of the computer; a chi-square at p 0.001."""
    pairs, wanted = list(combinations(range(6), 2)), [3, 2, 2, 2, 2, 1]
    possible = []
    for edges in combinations(pairs, 6):
        degree = Counter(end for edge in edges for end in edge)
        if [degree[node] for node in range(6)] == wanted:
            possible.append(frozenset(edges))
    start = np.zeros((6, 6), dtype=bool)
    for one, other in possible[0]:
        start[one, other] = start[other, one] = True
    generator, n_draws = np.random.default_rng(0), 200 * len(possible)
    found = Counter(frozenset(map(tuple, np.argwhere(np.triu(rewire(start, generator))))) for _ in range(n_draws))
    counts = np.array([found[graph] for graph in possible])
    assert counts.sum() == n_draws  # none that is not possible
    chi_square = (np.square(counts - 200) / 200).sum()
    df = len(possible) - 1
    assert chi_square < df + 3.3 * np.sqrt(2 * df)


CLOSED_FORMS = {
    "complete": (nx.complete_graph(7), {"density": 1, "transitivity": 1, "path-length": 1, "local-efficiency": 1}),
    "star": (nx.star_graph(4), {"assortativity": -1, "clustering": 0, "path-length-mean": 1.6, "rich-club": np.nan}),
    "ring": (nx.cycle_graph(6), {"assortativity": np.nan, "path-length-mean": 1.8, "local-efficiency": 0}),
    "two cliques": (
        nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4)),
        {"modularity": 0.5, "path-length-mean": 1, "path-length": 7 / 3, "global-efficiency": 3 / 7},
    ),
    "no edge": (
        nx.empty_graph(5),
        {"density": 0, "path-length": np.nan, "global-efficiency": 0, "modularity": np.nan, "gamma": np.nan},
    ),
    "one node": (nx.empty_graph(1), {"density": 0, "local-efficiency": 0, "path-length-mean": np.nan}),
}


@pytest.mark.parametrize(("wanted", "expected"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_closed_forms(wanted, expected):
    found = of_graph(wanted, nulls=Nulls(3)).measures
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, nan_ok=True), name


def test_without_null_graphs_only_what_needs_them_is_undefined(matrix, whole):
    found = global_measures(matrix, RULE, nulls=Nulls(0)).measures
    undefined = [name for name, value in found.items() if np.isnan(value)]
    assert undefined == ["rich-club-normalized", "gamma", "lambda", "sigma"]
    assert all(found[name] == whole.measures[name] for name in found if name not in undefined)


def test_parcels_without_data_are_not_nodes(matrix, whole):
    holed = np.insert(np.insert(matrix, 3, np.nan, axis=0), 3, np.nan, axis=1)
    assert global_measures(holed, RULE, nulls=Nulls(50, seed=1)) == whole
    with pytest.raises(ValueError, match="2 parcels have NaN"):
        global_measures([[1, np.nan], [np.nan, 1]])


@pytest.mark.parametrize("nothing", [np.empty((0, 0)), np.full((2, 2), np.nan)])
def test_no_parcel_with_data(nothing):
    assert global_measures(nothing).facts["n_nodes"] == 0


@pytest.mark.parametrize("n_nodes", [3, 63, 64, 65, 130])
def test_bits_of_any_count_of_nodes(n_nodes):
    graph = nx.gnm_random_graph(n_nodes, 2 * n_nodes, seed=n_nodes)
    found = of_graph(graph, nulls=Nulls(0)).measures
    assert found["global-efficiency"] == pytest.approx(nx.global_efficiency(graph))
    assert found["local-efficiency"] == pytest.approx(nx.local_efficiency(graph))
    assert pack(nx.to_numpy_array(graph)).shape == (n_nodes, -(-n_nodes // 64))
