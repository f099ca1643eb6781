import numpy as np
import pytest
from matlab import smooth_series

from bids_app.errors import DataError
from bids_app.importing.array import Content
from bids_app.importing.meaning import judge

R = np.corrcoef(smooth_series(0).T)
with np.errstate(divide="ignore"):
    Z = np.arctanh(np.where(R > 1 - 1e-12, 1, R))


def content(values, words="", **more):
    return Content(np.asarray(values, dtype=float), "x.mat: v", words, **more)


def with_diagonal(values, diagonal):
    return np.where(np.eye(len(values), dtype=bool), diagonal, values)


@pytest.mark.parametrize(
    ("values", "words", "scale", "why"),
    [
        (R, "", None, "its diagonal is 1"),
        (Z, "roicorrelationfisherzsub01", None, "artanh"),  # DPABI: 0.5 log((1 + 1) / (1 - 1))
        (Z, "", None, "artanh"),
        (with_diagonal(Z, np.nan), "connfisherz", None, "its name says so"),  # CONN
        (with_diagonal(Z, np.arctanh(1 - 1e-16)), "", None, "artanh"),  # GRETNA keeps r below 1
        (with_diagonal(R, 0), "", "r", "as is said"),
        (with_diagonal(Z, 0), "", "z", "as is said"),
    ],
)
def test_r_and_z_by_evidence(values, words, scale, why):
    found = judge(content(values, words), scale=scale)
    np.testing.assert_allclose(found.values, R, rtol=0, atol=1e-14)
    assert found.stat == "pearsoncorrelation"
    assert why in found.said[-1]


def test_z_above_one_shows_itself_on_a_blank_diagonal():
    strong = np.full((3, 3), 1.4)
    found = judge(content(with_diagonal(strong, 0)))
    assert "above 1" in found.said[-1]
    assert found.values[0, 1] == pytest.approx(np.tanh(1.4), abs=1e-15)


def test_what_the_evidence_leaves_open_is_asked_for():
    for words in ("", "matrix"):
        with pytest.raises(DataError, match=r"nothing says whether it holds r or Fisher's z\. Say r, z"):
            judge(content(with_diagonal(Z, 0) / 2, words))
    with pytest.raises(DataError, match="nothing says whether"):
        judge(content(R, "fisherz"))  # the name and the diagonal contradict each other
    with pytest.raises(DataError, match="neither r nor Fisher's z; a covariance"):
        judge(content(np.cov(smooth_series(0).T * 3)))
    with pytest.raises(DataError, match="said to be r, and holds"):
        judge(content(with_diagonal(np.full((3, 3), 1.4), 0)), scale="r")


@pytest.mark.parametrize("scale", ["spearman", "partial"])
def test_other_correlations_are_kept_apart(scale):
    assert judge(content(R), scale=scale).stat == f"{scale}correlation"


def test_series_that_are_as_many_as_volumes_are_asked_for():
    square = smooth_series(0, 20, 20)
    with pytest.raises(DataError, match="20 x 20 and not symmetric: as many volumes as regions"):
        judge(content(square))
    np.testing.assert_array_equal(judge(content(square), "series").values, square)
    np.testing.assert_array_equal(judge(content(square), "transposed").values, square.T)
    with pytest.raises(DataError, match="not square and symmetric"):
        judge(content(square), "matrix")


def test_which_way_round():
    series = smooth_series(0, 60, 7)
    names = list("abcdefg")
    with pytest.raises(DataError, match="nothing says whether rows or columns are volumes"):
        judge(content(series))
    for turned in (series, series.T):
        np.testing.assert_array_equal(judge(content(turned, names=names)).values, series)
    np.testing.assert_array_equal(judge(content(series, "roisignals01")).values, series)
    assert judge(content(series, "roisignals01")).names[:2] == ["region1", "region2"]
    with pytest.raises(DataError, match="has 7 regions, and there are 2 names"):
        judge(content(series, "roisignals01"), names=["a", "b"])


def test_regions_without_a_signal_are_named():
    series = smooth_series(0, 60, 4)
    series[:, 1], series[:, 2] = np.nan, 5
    found = judge(content(series, names=list("abcd")))
    assert np.isnan(found.values[:, 1:3]).all()
    assert found.said[-2:] == (
        "x.mat: v: regions without a value: b.",
        "x.mat: v: regions that are constant, without a signal: c.",
    )
    series[3, 0] = np.nan
    with pytest.raises(DataError, match="values are missing at 1 volume of a"):
        judge(content(series, names=list("abcd")))


def test_what_counts_the_volumes_is_no_region():
    series = smooth_series(0, 60, 4)
    series[:, 0] = 0.72 * np.arange(60)
    with pytest.raises(DataError, match="a rises by steps of one size, as an index or a time does"):
        judge(content(series, names=list("abcd")))


@pytest.mark.parametrize("empty", [np.nan, 0.0])  # as DPABI and GRETNA leave them
def test_regions_without_a_correlation_are_named(empty):
    matrix = R.copy()
    matrix[2], matrix[:, 2] = empty, empty
    found = judge(content(matrix))
    assert np.isnan(found.values[2]).all()
    np.testing.assert_allclose(np.delete(np.delete(found.values, 2, 0), 2, 1), np.delete(np.delete(R, 2, 0), 2, 1))
    assert found.said[-1] == "x.mat: v: regions without a correlation: region3."
    matrix = R.copy()
    matrix[0, 1] = matrix[1, 0] = np.nan
    with pytest.raises(DataError, match="1 correlations are missing of regions that have others"):
        judge(content(matrix))


def test_names_that_are_the_same_are_told_apart():
    assert judge(content(R, names=["a", "a", *"bcdef"])).names[:3] == ["a 1", "a 2", "b"]
