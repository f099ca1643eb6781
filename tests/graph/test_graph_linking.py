"""Which correlations become edges."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from nilearn.connectome import ConnectivityMeasure
from scipy.stats import spearmanr
from sklearn.covariance import EmpiricalCovariance, LedoitWolf

from bids_app.graph import MATRICES, EdgeRule, Linking, correlation_matrix, nodal_measures, parcel_matrix
from bids_app.graph.linking import edge_weights, fisher

N = 30
SERIES = np.random.default_rng(4).normal(size=(N, 3)) @ np.random.default_rng(5).normal(size=(3, 60))
SERIES = SERIES + 2 * np.random.default_rng(6).normal(size=(N, 60))
R = correlation_matrix(SERIES) - np.eye(N)
RULES = [EdgeRule("r", 0.2), EdgeRule("r", 0.6), EdgeRule("density", 0.05), EdgeRule("density", 0.3)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.label)
def test_dropped_negatives_are_no_edges_and_magnitudes_are_edges_of_either_sign(rule):
    dropped, absolute, kept = (edge_weights(R, rule, Linking(how)) for how in ("drop", "absolute", "keep"))
    assert (dropped >= 0).all()
    np.testing.assert_array_equal(absolute, np.abs(kept))
    np.testing.assert_array_equal(kept[kept != 0], R[kept != 0])
    if rule.kind == "r":
        np.testing.assert_array_equal(dropped != 0, rule.value < R)
        np.testing.assert_array_equal(kept != 0, np.abs(R) > rule.value)
    else:
        assert np.count_nonzero(np.triu(kept)) == rule.n_edges(N)
        assert np.abs(R)[kept != 0].min() >= np.abs(R)[(kept == 0) & ~np.eye(N, dtype=bool)].max()


def test_signed_weights_count_with_their_sign():
    measures = nodal_measures(R, RULES[0], ["degree", "strength", "clustering-onnela"], linking=Linking("keep"))
    weights = np.where(np.abs(R) > 0.2, R, 0)
    np.testing.assert_allclose(measures["strength"], weights.sum(axis=1))
    np.testing.assert_array_equal(measures["degree"], (weights != 0).sum(axis=1))
    roots = np.cbrt(weights)
    k = measures["degree"]
    np.testing.assert_allclose(measures["clustering-onnela"], np.diag(roots @ roots @ roots) / (k * (k - 1)))
    with pytest.raises(ValueError, match="clustering-weighted cannot be computed with negative weights"):
        nodal_measures(R, linking=Linking("keep"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.label)
@pytest.mark.parametrize("negative", ["drop", "absolute"])
def test_the_backbone_is_the_maximum_spanning_tree(rule, negative):
    size = R if negative == "drop" else np.abs(R)
    tree = nx.maximum_spanning_tree(nx.from_numpy_array(size))
    weights = edge_weights(R, rule, Linking(negative, backbone=True))
    for one, other in tree.edges:
        assert weights[one, other] == max(size[one, other], 0)
    without = edge_weights(R, rule, Linking(negative))
    assert (weights != 0).sum() == max((without != 0).sum(), 2 * (N - 1)) if rule.kind == "density" else True
    if rule.kind == "r":
        assert (weights[without != 0] == without[without != 0]).all()
    if (size[tuple(np.array(tree.edges).T)] > 0).all():
        assert nx.is_connected(nx.from_numpy_array(weights))


def test_fisher_weights_leave_the_edges_as_they_are():
    plain, transformed = (edge_weights(R, RULES[0], Linking(fisher=how)) for how in (False, True))
    np.testing.assert_allclose(transformed, np.arctanh(plain))
    measures = [nodal_measures(R, RULES[0], ["strength-fisher"], linking=Linking(fisher=how)) for how in (False, True)]
    np.testing.assert_allclose(measures[0]["strength-fisher"], measures[1]["strength-fisher"])
    assert np.isfinite(fisher(np.array([1.0, -1.0]))).all()


def test_labels_tell_the_choices_apart():
    labels = [Linking(negative, tree).label for negative in ("drop", "absolute", "keep") for tree in (False, True)]
    assert labels == ["", "tree", "absolute", "absoluteTree", "signed", "signedTree"]
    with pytest.raises(ValueError, match="negative must be one of drop, absolute, keep"):
        Linking("ignore")


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, (8, 8), elements=st.sampled_from([-0.5, -0.2, 0.0, 0.2, 0.5])),
    st.sampled_from(["drop", "absolute", "keep"]),
    st.booleans(),
    st.sampled_from([EdgeRule("density", 0.25), EdgeRule("r", 0.3), EdgeRule("density", 1.0)]),
)
def test_whatever_the_matrix_the_weights_are_symmetric_and_ties_are_settled(values, negative, backbone, rule):
    r = np.triu(values, 1)
    r = r + r.T
    weights = edge_weights(r, rule, Linking(negative, backbone))
    np.testing.assert_array_equal(weights, weights.T)
    assert not np.diag(weights).any()
    if rule.kind == "density":
        assert np.count_nonzero(np.triu(weights)) <= max(rule.n_edges(8), 7 * backbone)
    if backbone and negative != "drop":
        n_apart = nx.number_connected_components(nx.from_numpy_array(r != 0))
        assert nx.number_connected_components(nx.from_numpy_array(weights != 0)) == n_apart


def test_spearman_is_scipys():
    np.testing.assert_allclose(parcel_matrix(SERIES, "spearman"), spearmanr(SERIES.T).statistic, atol=1e-12)
    curved = SERIES.copy()
    curved[3] = np.exp(curved[3])
    np.testing.assert_allclose(parcel_matrix(curved, "spearman"), parcel_matrix(SERIES, "spearman"), atol=1e-12)


def test_partial_is_nilearns():
    scaled = (SERIES.T - SERIES.mean(axis=1)) / SERIES.std(axis=1)
    theirs = ConnectivityMeasure(LedoitWolf(), kind="partial correlation", standardize=False).fit_transform([scaled])[0]
    np.fill_diagonal(theirs, 1)
    np.testing.assert_allclose(parcel_matrix(SERIES, "partial"), theirs, atol=1e-9)


def test_partial_of_many_volumes_is_the_correlation_of_residuals():
    rng = np.random.default_rng(0)
    third = rng.normal(size=200_000)
    series = np.stack([third + rng.normal(size=third.size), third + rng.normal(size=third.size), third])
    matrix = parcel_matrix(series, "partial")
    assert correlation_matrix(series)[0, 1] == pytest.approx(0.5, abs=0.01)
    assert matrix[0, 1] == pytest.approx(0, abs=0.01)


def test_more_parcels_than_volumes():
    many = np.random.default_rng(1).normal(size=(80, 25))
    matrix = parcel_matrix(many, "partial")
    assert np.isfinite(matrix).all()
    assert np.abs(matrix - np.eye(80)).max() < 1


@pytest.mark.parametrize("kind", MATRICES)
def test_parcels_without_data_stay_without_and_do_not_change_the_others(kind):
    holed = np.insert(SERIES, 5, np.nan, axis=0)
    matrix = parcel_matrix(holed, kind)
    assert np.isnan(matrix[5]).all()
    assert np.isnan(matrix[:, 5]).all()
    np.testing.assert_allclose(
        np.delete(np.delete(matrix, 5, axis=0), 5, axis=1), parcel_matrix(SERIES, kind), atol=1e-12
    )
    assert np.isnan(parcel_matrix(np.full((2, 9), np.nan), kind)).all()


def test_fisher_matrix_is_nilearns_correlation_transformed():
    theirs = ConnectivityMeasure(EmpiricalCovariance(), kind="correlation").fit_transform([SERIES.T])[0]
    mine = parcel_matrix(SERIES, "fisher")
    off = ~np.eye(N, dtype=bool)
    np.testing.assert_allclose(mine[off], np.arctanh(theirs[off]), atol=1e-6)
    assert not np.diag(mine).any()
    with pytest.raises(ValueError, match="matrix must be one of"):
        parcel_matrix(SERIES, "cosine")
