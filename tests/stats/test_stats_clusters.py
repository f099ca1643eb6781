import numpy as np
import pytest
from scipy import ndimage

from bids_app.stats import cluster_statistic, find_clusters, neighbours


def test_clusters_equal_labelled_components_of_each_sign():
    generator = np.random.default_rng(9)
    mask = generator.random((8, 7, 6)) < 0.9
    statistic, p_fwe = generator.standard_normal(mask.sum()), 0.2 * generator.random(mask.sum())
    clusters = find_clusters(p_fwe, statistic, neighbours(mask, 18))
    found = {(cluster.sign, tuple(cluster.nodes.tolist())) for cluster in clusters}
    expected, volume = set(), np.zeros(mask.shape)
    volume[mask] = np.where(p_fwe <= 0.05, np.sign(statistic), 0)
    for sign in (1, -1):
        labels, count = ndimage.label(volume == sign, ndimage.generate_binary_structure(3, 2))
        for label in range(1, count + 1):
            expected.add((sign, tuple(np.flatnonzero(labels[mask] == label).tolist())))
    assert found == expected
    assert len(clusters) > 10


def test_clusters_go_by_p_value_then_size_and_know_their_peak():
    row = np.array([[i - 1, i + 1 if i < 8 else -1] for i in range(9)], dtype=np.int32)
    statistic = np.array([5.0, 4.0, 0.0, -3.0, -6.0, -2.0, 0.0, 9.0, -9.5])
    p_fwe = np.array([0.02, 0.03, 1.0, 0.04, 0.02, 0.05, 1.0, 0.01, 0.051])
    clusters = find_clusters(p_fwe, statistic, row)
    assert [cluster.nodes.tolist() for cluster in clusters] == [[7], [3, 4, 5], [0, 1]]
    assert [(cluster.peak, cluster.sign) for cluster in clusters] == [(7, 1), (4, -1), (0, 1)]


def test_nothing_significant_gives_no_cluster():
    assert find_clusters(np.ones(8), np.ones(8), neighbours(np.ones((2, 2, 2), dtype=bool))) == []


def test_voxels_without_p_are_in_no_cluster():
    row = np.array([[-1, 1], [0, 2], [1, -1]], dtype=np.int32)
    clusters = find_clusters(np.array([0.01, np.nan, 0.01]), np.array([2.0, np.nan, 3.0]), row)
    assert [cluster.nodes.tolist() for cluster in clusters] == [[0], [2]]


@pytest.mark.parametrize(("connectivity", "rank"), [(6, 1), (18, 2), (26, 3)])
@pytest.mark.parametrize("mass", [False, True])
def test_extent_and_mass_equal_those_of_labelled_components(connectivity, rank, mass):
    generator = np.random.default_rng(connectivity)
    mask = generator.random((9, 8, 7)) < 0.9
    volume = np.where(mask, 3 * ndimage.gaussian_filter(generator.standard_normal(mask.shape), 0.8), 0)
    expected = np.zeros(mask.shape)
    for sign in (1, -1):
        labels, count = ndimage.label(sign * volume >= 0.8, ndimage.generate_binary_structure(3, rank))
        weights = np.abs(volume) if mass else np.ones(mask.shape)
        sizes = np.append(0, ndimage.sum_labels(weights, labels, np.arange(1, count + 1)))
        expected += sign * sizes[labels]
        assert count > 1
    found = cluster_statistic(volume[mask], neighbours(mask, connectivity), 0.8, mass=mass)
    np.testing.assert_allclose(found, expected[mask], rtol=1e-12)


def test_cluster_forming_threshold_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        cluster_statistic(np.zeros(8), neighbours(np.ones((2, 2, 2), dtype=bool)), 0.0)
