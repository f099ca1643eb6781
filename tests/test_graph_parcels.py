from itertools import combinations

import bct
import networkx as nx
import numpy as np
import pytest

from bids_app.graph import MEASURES, correlation_matrix, global_measures, nodal_measures

THRESHOLD = 0.2


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
    measures = nodal_measures(matrix, THRESHOLD)
    np.testing.assert_array_equal(measures["degree"], [graph.degree[node] for node in graph])
    np.testing.assert_allclose(measures["strength"], [graph.degree(weight="weight")[node] for node in graph])


def test_binary_clustering(matrix, graph):
    clustering = nodal_measures(matrix, THRESHOLD)["clustering"]
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
    np.testing.assert_allclose(nodal_measures(matrix, THRESHOLD)["clustering-weighted"], expected, atol=1e-14)


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
    for name, values in nodal_measures(holed, THRESHOLD).items():
        assert np.isnan(values[3])
        np.testing.assert_array_equal(np.delete(values, 3), nodal_measures(matrix, THRESHOLD)[name])
    assert global_measures(holed, THRESHOLD) == global_measures(matrix, THRESHOLD)


def test_global_measures(matrix, graph):
    measures = global_measures(matrix, THRESHOLD)
    assert measures == pytest.approx(
        {
            "n_nodes": 40,
            "n_edges": graph.number_of_edges(),
            "density": nx.density(graph),
            "mean_degree": 2 * graph.number_of_edges() / 40,
            "mean_strength": 2 * graph.size(weight="weight") / 40,
            "mean_clustering": nx.average_clustering(graph),
            "mean_clustering_weighted": nodal_measures(matrix, THRESHOLD)["clustering-weighted"].mean(),
            "n_components": nx.number_connected_components(graph),
        }
    )


def test_components_of_a_disconnected_graph():
    blocks = np.kron(np.eye(3), np.full((4, 4), 0.5))
    measures = global_measures(blocks)
    assert (measures["n_components"], measures["mean_clustering"], measures["n_edges"]) == (3, 1, 18)


@pytest.mark.parametrize("matrix", [np.empty((0, 0)), np.full((2, 2), np.nan)])
def test_no_parcel_with_data(matrix):
    assert set(global_measures(matrix).values()) == {0}
    assert all(np.isnan(values).all() for values in nodal_measures(matrix).values())


def test_errors(matrix):
    with pytest.raises(ValueError, match="threshold must be"):
        nodal_measures(matrix, 1.5)
    with pytest.raises(ValueError, match="unknown metrics"):
        nodal_measures(matrix, metrics=["hubness"])
    with pytest.raises(ValueError, match="2 parcels have NaN"):
        nodal_measures([[1, np.nan], [np.nan, 1]])


def test_the_table_of_measures_is_complete(matrix):
    assert list(nodal_measures(matrix)) == list(MEASURES)
    for name, measure in MEASURES.items():
        assert measure.name == name
        assert measure.range[0] == 0
        assert measure.description.endswith(".")
        assert "doi:" in measure.reference
