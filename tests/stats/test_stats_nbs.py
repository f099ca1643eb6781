"""Network-based statistics, against bctpy, and against clusters of the graph whose nodes are the connections."""

import bct
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from stating import hypothesis

from bids_app import stats
from bids_app.stats.tfce import tfce

N_NODES = 12
PAIRS = np.stack(np.triu_indices(N_NODES, 1), axis=1).astype(np.int32)


def line_neighbours(pairs):
    """Say which connections share a node, as the voxel kernels want it."""
    graph = nx.line_graph(nx.Graph([tuple(map(int, pair)) for pair in pairs]))
    position = {tuple(sorted(map(int, pair))): row for row, pair in enumerate(pairs)}
    near = [sorted(position[tuple(sorted(other))] for other in graph[node]) for node in position]
    neighbours = np.full((len(pairs), max(map(len, near))), -1, dtype=np.int32)
    for row, others in enumerate(near):
        neighbours[row, : len(others)] = others
    return neighbours


NEIGHBOURS = line_neighbours(PAIRS)


def symmetric(values, n_nodes=N_NODES):
    matrix = np.zeros((n_nodes, n_nodes))
    matrix[tuple(PAIRS.T)] = values
    return matrix + matrix.T


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 1.0]), st.sampled_from([(0.4, 3.0), (0.5, 2.0), (1.0, 1.0)]))
def test_tfnbs_is_tfce_of_the_graph_of_connections(seed, decimals, exponents):
    z = np.random.default_rng(seed).normal(size=len(PAIRS)) * 2
    z = np.round(z, 1) if decimals else z  # with ties and zeros
    np.testing.assert_allclose(stats.tfnbs(z, PAIRS, *exponents), tfce(z, NEIGHBOURS, *exponents), atol=1e-10)


def test_tfnbs_by_small_steps_of_the_definition():
    z, E, H = np.random.default_rng(3).normal(size=len(PAIRS)) * 2, 0.4, 3.0
    step, expected = 0.001, np.zeros(len(PAIRS))
    for sign in (1, -1):
        for height in np.arange(step / 2, np.abs(z).max(), step):
            graph = nx.Graph([tuple(pair) for pair in PAIRS[sign * z >= height]])
            for nodes in nx.connected_components(graph):
                size = graph.subgraph(nodes).number_of_edges()
                within = (sign * z >= height) & np.isin(PAIRS[:, 0], list(nodes))
                expected[within] += sign * size**E * height**H * step
    np.testing.assert_allclose(stats.tfnbs(z, PAIRS), expected, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("mass", [False, True])
@pytest.mark.parametrize("threshold", [0.5, 1.5, 3.0, 9.0])
def test_components_are_clusters_of_the_graph_of_connections(mass, threshold):
    for seed in range(20):
        z = np.random.default_rng(seed).normal(size=len(PAIRS)) * 2
        expected = stats.cluster_statistic(z, NEIGHBOURS, threshold, mass=mass)
        np.testing.assert_allclose(stats.component_statistic(z, PAIRS, threshold, mass=mass), expected)


def test_maps_of_a_batch_are_those_of_each():
    z = np.random.default_rng(0).normal(size=(4, len(PAIRS)))
    np.testing.assert_array_equal(stats.tfnbs(z, PAIRS), [stats.tfnbs(one, PAIRS) for one in z])


def test_numbering_of_the_nodes_does_not_matter():
    z = np.random.default_rng(1).normal(size=len(PAIRS)) * 2
    renamed = np.random.default_rng(2).permutation(N_NODES).astype(np.int32)[PAIRS]
    np.testing.assert_allclose(stats.tfnbs(z, renamed), stats.tfnbs(z, PAIRS))
    np.testing.assert_array_equal(stats.component_statistic(z, renamed, 1.0), stats.component_statistic(z, PAIRS, 1.0))


def test_errors():
    with pytest.raises(ValueError, match="must be finite"):
        stats.tfnbs(np.full(len(PAIRS), np.nan), PAIRS)
    with pytest.raises(ValueError, match="must be finite, one per pair"):
        stats.tfnbs(np.zeros(3), PAIRS)
    with pytest.raises(ValueError, match="must be positive"):
        stats.component_statistic(np.zeros(len(PAIRS)), PAIRS, 0)
    with pytest.raises(ValueError, match="or the pairs of nodes"):
        stats.Inference("tfce")
    assert stats.Inference(pairs=PAIRS).statistic == "tfce"


def trial(effect, seed=0, n_per_arm=20):
    """Connections of two arms; those of the first four nodes among each other differ."""
    values = np.random.default_rng(seed).normal(size=(2 * n_per_arm, len(PAIRS)))
    arm = np.repeat([1, 0], n_per_arm)
    values[:n_per_arm, (PAIRS < 4).all(axis=1)] += effect
    return values, arm


@pytest.mark.slow
def test_nbs_of_two_samples_equals_bctpy():
    """Components, their sizes and their p: the same t, so that the threshold is the same in z."""
    values, arm = trial(1.2)
    t_threshold, k = 2.5, 1000
    z_threshold = scipy_stats.norm.isf(scipy_stats.t.sf(t_threshold, df=38))
    matrices = np.stack([symmetric(one) for one in values], axis=-1)
    p_theirs, components, null = bct.nbs_bct(
        matrices[..., arm == 1], matrices[..., arm == 0], t_threshold, k=k, tail="both", seed=0
    )
    draws = stats.allocations(arm, n_draws=k, seed=1)
    inference = stats.Inference("extent", pairs=PAIRS, threshold=z_threshold)
    found = stats.compare(hypothesis("post", values, None, np.ones((40, 1)), arm=arm), draws, inference)
    theirs = components[tuple(PAIRS.T)]
    positive = found.effect.t > 0  # bctpy joins both signs; here the effect is of one
    for label in range(1, int(components.max()) + 1):
        own = (theirs == label) & positive
        if own.sum() > 1:
            assert len(set(found.statistic[own])) == 1
    largest = np.bincount(theirs.astype(int))[1:].max()
    assert np.abs(found.statistic).max() == pytest.approx(largest, abs=1)
    assert found.p_fwe[(PAIRS < 4).all(axis=1)].max() <= 0.01
    assert p_theirs.min() <= 0.01
    # The largest component of each draw: theirs of both signs at once, so a little larger.
    assert abs(np.mean(found.max_statistics[1:]) - null.mean()) < 0.5 * null.mean()


@pytest.mark.parametrize("statistic", ["tfce", "extent", "mass", "voxel"])
def test_the_connections_that_differ_are_found_as_one_component(statistic):
    values, arm = trial(2.0, seed=1)
    inference = stats.Inference(statistic, pairs=PAIRS)
    tested = hypothesis("post", values, None, np.ones((40, 1)), arm=arm)
    found = stats.compare(tested, stats.allocations(arm, n_draws=500), inference)
    (component, *others) = stats.find_components(found.p_fwe, found.statistic, PAIRS)
    assert component.sign == 1
    assert set(component.nodes) >= set(np.flatnonzero((PAIRS < 4).all(axis=1)))
    assert len(component.nodes) <= 8
    assert not others


@pytest.mark.slow
@pytest.mark.parametrize("statistic", ["tfce", "extent"])
def test_no_component_is_found_too_often_where_there_is_none(statistic):
    """In 200 null trials at the level 0.1, 20 false positives are expected; 33 or more have a chance of 0.3 %."""
    n_found = 0
    for seed in range(200):
        values, arm = trial(0.0, seed=seed, n_per_arm=8)
        tested = hypothesis("post", values, None, np.ones((16, 1)), arm=arm)
        inference = stats.Inference(statistic, pairs=PAIRS, threshold=2.3)
        n_found += stats.compare(tested, stats.allocations(arm, n_draws=199, seed=seed), inference).p_fwe.min() <= 0.1
    assert 7 <= n_found <= 33


def test_components_of_either_sign_are_apart():
    pairs = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    found = stats.find_components(np.array([0.01, 0.02, 0.01, 0.2]), np.array([3.0, 2.0, -4.0, 5.0]), pairs)
    assert [(one.nodes.tolist(), one.peak, one.sign) for one in found] == [([0, 1], 0, 1), ([2], 2, -1)]
    assert stats.find_components(np.ones(4), np.ones(4), pairs) == []
