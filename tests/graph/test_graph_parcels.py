import networkx as nx
import numpy as np
import pytest

from bids_app.graph import EdgeRule, correlation_matrix, nodal_measures

THRESHOLD = 0.2
RULE = EdgeRule("r", THRESHOLD)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(2)
    return correlation_matrix(rng.normal(size=(40, 4)) @ rng.normal(size=(4, 80)) + rng.normal(size=(40, 80)))


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
