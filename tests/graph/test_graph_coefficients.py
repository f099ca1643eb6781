"""The small functions alone; against other implementations they are tested where they are used."""

from itertools import combinations

import bct
import networkx as nx
import numpy as np
import pytest

from bids_app.graph import coefficients


def test_weights_of_one_give_the_binary_coefficient():
    degree, common = np.array([0, 1, 2, 3, 9]), np.array([0, 0, 2, 2, 30])
    binary = coefficients.binary_clustering(degree, common)
    np.testing.assert_allclose(binary, [0, 0, 1, 1 / 3, 30 / 72])
    np.testing.assert_array_equal(coefficients.weighted_clustering(degree, degree, common), binary)
    np.testing.assert_array_equal(coefficients.onnela_clustering(degree, common), binary)


@pytest.mark.parametrize("weight", [1.0, -1.0, 0.3, -0.3])
def test_equal_weights_have_the_weight_for_product_clustering(weight):
    triangles, magnitudes, squares = np.full((3, 7), [[6 * 5 * weight**3], [6 * abs(weight)], [6 * weight**2]])
    np.testing.assert_allclose(coefficients.product_clustering(triangles, magnitudes, squares), weight)


def test_product_clustering_where_no_pair_of_weights_is():
    noise = np.array([1e-16, -1e-16, 0])
    np.testing.assert_array_equal(coefficients.product_clustering(noise, np.ones(3), 1 - noise), 0)
    np.testing.assert_array_equal(coefficients.product_clustering(np.ones(2), np.ones(2), np.zeros(2)), 0)


def test_path_lengths_of_a_star():
    """From the hub one step to each of 5 leaves, from a leaf one step to the hub and two to 4 leaves."""
    inverse, lengths, reached = np.array([5, 3.0]), np.array([5, 9]), np.array([5, 5])
    np.testing.assert_allclose(coefficients.efficiency(inverse, 6), [1, 3 / 5])
    np.testing.assert_allclose(coefficients.path_length(inverse, 6), [1, 5 / 3])
    np.testing.assert_allclose(coefficients.path_length_mean(lengths, reached), [1, 9 / 5])


@pytest.mark.parametrize("n_nodes", [1, 2])
def test_a_node_without_neighbours_has_no_path(n_nodes):
    nothing = np.zeros(n_nodes)
    np.testing.assert_array_equal(coefficients.efficiency(nothing, n_nodes), 0)
    assert np.isnan(coefficients.path_length(nothing, n_nodes)).all()
    assert np.isnan(coefficients.path_length_mean(nothing, nothing)).all()


@pytest.fixture(scope="module")
def partitioned():
    """Adjacency of 60 nodes, the module of each of four, and its edges to each module."""
    adjacency = nx.to_numpy_array(nx.gnp_random_graph(60, 0.15, seed=3))
    adjacency[7] = adjacency[:, 7] = 0
    modules = np.random.default_rng(3).integers(0, 4, 60)
    return adjacency, modules, adjacency @ np.eye(4)[modules]


def test_participation_of_the_connectivity_toolbox(partitioned):
    adjacency, modules, counts = partitioned
    ours = coefficients.participation(counts, np.ones(60, bool))
    assert ours[7] == 0
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(ours, bct.participation_coef(adjacency, modules), atol=1e-14)


def test_participation_is_largest_where_edges_are_spread_evenly():
    values = coefficients.participation(np.array([[3, 3, 3], [9, 0, 0], [7, 1, 1]]), np.ones(3, bool))
    np.testing.assert_allclose(values, [1 - 1 / 3, 0, 1 - 51 / 81])


def test_module_degree_of_the_connectivity_toolbox(partitioned):
    adjacency, modules, counts = partitioned
    expected = bct.module_degree_zscore(adjacency, modules)
    np.testing.assert_allclose(coefficients.module_degree(counts, modules), expected, atol=1e-14)


def test_module_degree_without_spread_and_outside():
    """A module whose nodes have the same, one of a single node, a node outside, and a module without a node."""
    counts = np.array([[2, 0, 1], [2, 5, 1], [1, 7, 1], [9, 9, 9]])
    np.testing.assert_array_equal(coefficients.module_degree(counts, np.array([0, 0, 1, -1])), [0, 0, 0, np.nan])
    empty = np.zeros((3, 0))
    assert np.isnan(coefficients.module_degree(empty, np.full(3, -1))).all()
    assert np.isnan(coefficients.participation(empty, np.zeros(3, bool))).all()


def test_components_are_ranked_by_size_then_first_node():
    ranks, sizes = coefficients.ranked_components(np.array([9, 3, 3, 5, 0, 0, 9, 0]))
    np.testing.assert_array_equal(ranks, [2, 3, 3, 4, 1, 1, 2, 1])
    np.testing.assert_array_equal(sizes, [2, 2, 2, 1, 3, 3, 2, 3])


def test_component_ranks_do_not_depend_on_the_labels():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 6, 40)
    ranks, sizes = coefficients.ranked_components(labels)
    renamed = coefficients.ranked_components(rng.permutation(100)[labels])
    np.testing.assert_array_equal(ranks, renamed[0])
    for one, other in combinations(range(40), 2):
        assert (ranks[one] == ranks[other]) == (labels[one] == labels[other])
        assert ranks[one] <= ranks[other] or sizes[one] <= sizes[other]
    assert all(len(part) == 0 for part in coefficients.ranked_components(np.array([], dtype=int)))
