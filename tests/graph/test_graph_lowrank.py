"""Measures of all correlations against the dense N x N algebra."""

import numpy as np
import pytest

from bids_app.graph import MEASURES, EdgeRule, Means, nodal_measures, voxel_graph

FREE = [name for name, measure in MEASURES.items() if not measure.has_edges]


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(4)
    return rng.normal(size=(500, 6)) @ rng.normal(size=(6, 40)) + rng.normal(size=(500, 40))


@pytest.fixture(scope="module")
def maps(series):
    return voxel_graph(series, metrics=FREE).maps


def test_dense_algebra(series, maps):
    r = np.corrcoef(series)
    expected = nodal_measures(r, EdgeRule("r", 0.25), FREE)
    assert list(maps) == FREE
    for name, values in maps.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-9, err_msg=name)


def test_eigenvector_of_all_correlations(series, maps):
    vectors = np.linalg.eigh((1 + np.corrcoef(series)) / 2)[1]
    np.testing.assert_allclose(maps["eigenvector-full"], np.abs(vectors[:, -1]), atol=1e-10)


def test_no_pass_over_the_pairs_where_the_series_suffice(series, maps, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a pass over the pairs")

    monkeypatch.setattr("bids_app.graph.lowrank.products", refuse)
    some = [name for name in FREE if name != "clustering-signed"]
    for name, values in voxel_graph(series, metrics=some).maps.items():
        np.testing.assert_array_equal(values, maps[name])


def test_threshold_does_not_matter(series, maps):
    for name, values in voxel_graph(series, EdgeRule("density", 0.01), FREE).maps.items():
        np.testing.assert_array_equal(values, maps[name])


@pytest.mark.parametrize("n_threads", [1, 3])
def test_thread_count_does_not_change_a_bit(series, maps, n_threads):
    for name, values in voxel_graph(series, metrics=FREE, means=Means(n_threads, block=64)).maps.items():
        np.testing.assert_allclose(values, maps[name], rtol=1e-6)
        again = voxel_graph(series, metrics=FREE, means=Means(2, block=64)).maps[name]
        np.testing.assert_array_equal(values, again)


def test_permuting_the_voxels_permutes_the_maps(series, maps):
    order = np.random.default_rng(1).permutation(len(series))
    for name, values in voxel_graph(series[order], metrics=FREE).maps.items():
        np.testing.assert_allclose(values, maps[name][order], rtol=1e-6, err_msg=name)


def test_two_opposed_nodes_and_one():
    pair = voxel_graph([[1.0, 2, 3, 4], [4, 3, 2, 1]], metrics=FREE).maps
    np.testing.assert_allclose(pair["global-correlation"], [-1, -1])
    np.testing.assert_allclose(pair["strength-signed"], [-1, -1])
    np.testing.assert_array_equal(pair["clustering-signed"], [0, 0])
    np.testing.assert_array_equal(pair["clustering-zhang"], [0, 0])
    assert all(values.size == 0 for values in voxel_graph(np.empty((0, 9)), metrics=FREE).maps.values())
    one = voxel_graph([[1.0, 2, 3, 5]], metrics=FREE).maps
    assert {name: values.tolist() for name, values in one.items()} == {name: [0.0] for name in FREE}
