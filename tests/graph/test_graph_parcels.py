from itertools import combinations

import bct
import igraph
import networkx as nx
import numpy as np
import pytest

from bids_app.graph import DEFAULT_METRICS, MEASURES, EdgeRule, correlation_matrix, nodal_measures

THRESHOLD = 0.2
RULE = EdgeRule("r", THRESHOLD)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(2)
    return correlation_matrix(rng.normal(size=(40, 4)) @ rng.normal(size=(4, 80)) + rng.normal(size=(40, 80)))


@pytest.fixture(scope="module")
def graph(matrix):
    """The same graph as networkx has it."""
    edges = [(i, j, matrix[i, j]) for i, j in combinations(range(40), 2) if matrix[i, j] > THRESHOLD]
    graph = nx.empty_graph(40)
    graph.add_weighted_edges_from(edges)
    return graph


def test_degree_and_strength(matrix, graph):
    measures = nodal_measures(matrix, RULE)
    np.testing.assert_array_equal(measures["degree"], [graph.degree[node] for node in graph])
    np.testing.assert_allclose(measures["strength"], [graph.degree(weight="weight")[node] for node in graph])


def test_binary_clustering(matrix, graph):
    clustering = nodal_measures(matrix, RULE)["clustering"]
    np.testing.assert_allclose(clustering, list(nx.clustering(graph).values()), atol=1e-14)
    np.testing.assert_allclose(clustering, bct.clustering_coef_bu(nx.to_numpy_array(graph, weight=None)))


def test_weighted_clustering_by_barrat_definition(matrix, graph):
    expected = np.zeros(40)
    for node in graph:
        joined = [pair for pair in combinations(graph[node], 2) if graph.has_edge(*pair)]
        weights = [graph[node][one]["weight"] + graph[node][other]["weight"] for one, other in joined]
        if graph.degree[node] > 1:
            expected[node] = sum(weights) / (graph.degree(weight="weight")[node] * (graph.degree[node] - 1))
    assert expected.std() > 0.01
    np.testing.assert_allclose(nodal_measures(matrix, RULE)["clustering-weighted"], expected, atol=1e-14)


def test_weights_tilt_the_weighted_coefficient():
    matrix = np.eye(4)
    matrix[0, 1:] = matrix[1:, 0] = 0.9, 0.5, 0.6
    matrix[1, 2] = matrix[2, 1] = 0.3
    measures = nodal_measures(matrix)
    np.testing.assert_allclose(measures["clustering"], [1 / 3, 1, 1, 0])
    np.testing.assert_allclose(measures["clustering-weighted"], [0.35, 1, 1, 0])


def test_a_tie_and_a_negative_correlation_are_no_edges():
    matrix = [[1, 0.25, -0.9], [0.25, 1, 0.26], [-0.9, 0.26, 1]]
    np.testing.assert_array_equal(nodal_measures(matrix)["degree"], [0, 1, 1])


def test_parcels_without_data_are_not_nodes(matrix):
    holed = np.insert(np.insert(matrix, 3, np.nan, axis=0), 3, np.nan, axis=1)
    for name, values in nodal_measures(holed, RULE).items():
        assert np.isnan(values[3])
        np.testing.assert_array_equal(np.delete(values, 3), nodal_measures(matrix, RULE)[name])


@pytest.mark.parametrize("matrix", [np.empty((0, 0)), np.full((2, 2), np.nan)])
def test_no_parcel_with_data(matrix):
    assert all(np.isnan(values).all() for values in nodal_measures(matrix).values())


def test_errors(matrix):
    with pytest.raises(ValueError, match="participation cannot be computed without modules"):
        nodal_measures(matrix, metrics=["participation"])
    with pytest.raises(ValueError, match="unknown metrics"):
        nodal_measures(matrix, metrics=["hubness"])
    with pytest.raises(ValueError, match="modules are of 3 parcels, the matrix is of 40"):
        nodal_measures(matrix, metrics=["participation"], modules=["a", "b", "c"])
    with pytest.raises(ValueError, match="2 parcels have NaN"):
        nodal_measures([[1, np.nan], [np.nan, 1]])


def test_the_table_of_measures_is_complete(matrix):
    places, modules = np.zeros((40, 3)), ["a", None] * 20
    values = nodal_measures(matrix, RULE, list(MEASURES), coordinates=places, modules=modules)
    assert list(values) == list(MEASURES)
    assert set(DEFAULT_METRICS) < set(MEASURES)
    for name, measure in MEASURES.items():
        assert measure.name == name
        assert measure.description.endswith(".")
        assert "doi:" in measure.reference


@pytest.fixture(scope="module")
def modules():
    return np.random.default_rng(5).integers(0, 4, 40)


@pytest.fixture(scope="module")
def values(matrix, modules):
    places = np.random.default_rng(6).uniform(-60, 60, (40, 3))
    return nodal_measures(matrix, RULE, list(MEASURES), coordinates=places, modules=[f"m{one}" for one in modules])


def test_weighted_measures_of_the_toolbox(matrix, values):
    off = matrix * ~np.eye(40, dtype=bool)
    weights = np.where(off > THRESHOLD, off, 0)
    np.testing.assert_allclose(values["clustering-onnela"], bct.clustering_coef_wu(weights), rtol=1e-12)
    np.testing.assert_allclose(values["clustering-signed"], bct.clustering_coef_wu_sign(off, "costantini"), rtol=1e-9)
    similarity = (1 + off) / 2 * ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(
        values["clustering-zhang"], bct.clustering_coef_wu_sign(similarity, "zhang")[0], rtol=1e-9
    )
    np.testing.assert_allclose(
        values["eigenvector-weighted"], bct.eigenvector_centrality_und(weights).ravel(), rtol=1e-6
    )


def test_modules_of_the_toolbox(graph, modules, values):
    adjacency = nx.to_numpy_array(graph, weight=None)
    np.testing.assert_allclose(values["participation"], bct.participation_coef(adjacency, modules + 1), atol=1e-12)
    np.testing.assert_allclose(values["module-degree"], bct.module_degree_zscore(adjacency, modules + 1), atol=1e-12)


def test_paths_cores_and_components_of_igraph(graph, values):
    other = igraph.Graph.from_networkx(graph)
    lengths = np.array(other.distances(), dtype=float)
    others = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(values["efficiency"], (1 / lengths.clip(1) * others).sum(axis=1) / 39)
    np.testing.assert_allclose(values["path-length"] * values["efficiency"], 1)
    reached = np.isfinite(lengths) & others
    np.testing.assert_allclose(
        values["path-length-mean"], np.where(reached, lengths, 0).sum(axis=1) / reached.sum(axis=1)
    )
    np.testing.assert_array_equal(values["core-number"], other.coreness())
    np.testing.assert_allclose(
        values["eigenvector"] / values["eigenvector"].max(), other.eigenvector_centrality(), atol=1e-8
    )
    sizes = other.connected_components().sizes()
    np.testing.assert_array_equal(np.sort(np.unique(values["component-size"]))[::-1], sorted(set(sizes))[::-1])


def test_local_efficiency_and_betweenness(graph, values):
    adjacency = nx.to_numpy_array(graph, weight=None)
    np.testing.assert_allclose(values["local-efficiency"], bct.efficiency_bin(adjacency, local=True), atol=1e-12)
    by_node = [nx.global_efficiency(graph.subgraph(graph[node])) for node in graph]
    np.testing.assert_allclose(values["local-efficiency"], by_node, atol=1e-12)
    np.testing.assert_allclose(values["betweenness"], list(nx.betweenness_centrality(graph).values()), atol=1e-12)
    assert np.ptp(values["betweenness"]) > 0.01


def test_short_and_long_edges_make_the_degree(values):
    np.testing.assert_array_equal(values["degree-short"] + values["degree-long"], values["degree"])
    assert 0 < values["degree-short"].sum() < values["degree"].sum()


CLOSED_FORMS = {
    "complete": (nx.complete_graph(8), {"efficiency": 1, "path-length": 1, "core-number": 7, "eigenvector": 8**-0.5}),
    "ring": (nx.cycle_graph(5), {"path-length-mean": 1.5, "efficiency": 0.75, "core-number": 2, "component-size": 5}),
    "star": (
        nx.star_graph(4),
        {"eigenvector": [0.5**0.5, *[8**-0.5] * 4], "path-length-mean": [1, *[1.75] * 4], "core-number": 1},
    ),
    "two components": (
        nx.disjoint_union(nx.path_graph(2), nx.complete_graph(3)),
        {
            "component": [2, 2, 1, 1, 1],
            "component-size": [2, 2, 3, 3, 3],
            "efficiency": [0.25, 0.25, 0.5, 0.5, 0.5],
            "path-length": [4, 4, 2, 2, 2],
            "path-length-mean": 1,
            "eigenvector": [0, 0, *[3**-0.5] * 3],
        },
    ),
    "path": (nx.path_graph(5), {"betweenness": [0, 1 / 2, 2 / 3, 1 / 2, 0], "local-efficiency": 0}),
    "hub": (nx.star_graph(5), {"betweenness": [1, *[0] * 5], "local-efficiency": 0}),
    "wheel": (nx.wheel_graph(5), {"local-efficiency": [5 / 6, *[5 / 6] * 4]}),
    "no edge": (
        nx.empty_graph(3),
        {"eigenvector": 0, "path-length": np.nan, "path-length-mean": np.nan, "efficiency": 0, "component": [1, 2, 3]},
    ),
    "one node": (
        nx.empty_graph(1),
        {"efficiency": 0, "core-number": 0, "global-correlation": 0, "clustering-zhang": 0},
    ),
}


@pytest.mark.parametrize(("wanted", "expected"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_closed_forms(wanted, expected):
    for name, value in expected.items():
        (found,) = nodal_measures(nx.to_numpy_array(wanted) * 0.5, RULE, [name]).values()
        np.testing.assert_allclose(found, np.broadcast_to(value, len(found)), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_density_of_parcels(matrix, density):
    rule = EdgeRule("density", density)
    strongest = np.sort(matrix[np.triu_indices(40, 1)])[::-1][: rule.n_edges(40)]
    strongest = strongest[strongest > 0]
    measures = nodal_measures(matrix, rule, ["degree", "strength"])
    assert measures["degree"].sum() == 2 * len(strongest)
    assert measures["strength"].sum() == pytest.approx(2 * strongest.sum())


def test_parcels_outside_the_partition(matrix):
    modules = ["a"] * 20 + ["b"] * 10 + [None, np.nan] * 5
    values = nodal_measures(matrix, RULE, ["participation", "module-degree"], modules=modules)
    for found in values.values():
        np.testing.assert_array_equal(np.isnan(found), [False] * 30 + [True] * 10)
    inside = nodal_measures(matrix[:30, :30], RULE, ["participation"], modules=modules[:30])
    np.testing.assert_allclose(values["participation"][:30], inside["participation"])
