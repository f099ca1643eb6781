"""The table of confounds, column by column, against nilearn, scipy, statsmodels and the definitions."""

import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import make_first_level_design_matrix
from scipy.fft import dct
from statsmodels.regression.linear_model import yule_walker

from bids_app.preproc.confounds import components, cosines, count_dummy_scans, dvars, make_confounds, outliers

REPETITION_TIME = 2.0
N_VOLUMES = 141


def brain(seed=0, n_volumes=N_VOLUMES, n_voxels=60):
    """Return (T, V) series that fluctuate slowly about a level."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 3, (n_volumes, n_voxels))
    steps[1:] += 0.5 * steps[:-1]
    return (rng.uniform(700, 1300, n_voxels) + steps).astype(np.float32)


def masks(n_voxels=60):
    parts = {name: np.zeros(n_voxels, dtype=bool) for name in ("CSF", "WM")}
    parts["CSF"][:9], parts["WM"][20:50] = True, True
    return {"brain": np.ones(n_voxels, dtype=bool), **parts, "combined": parts["CSF"] | parts["WM"]}


def motion(seed=1, n_volumes=N_VOLUMES):
    return np.random.default_rng(seed).normal(0, 0.02, (n_volumes, 6)).cumsum(axis=0) * [1, 1, 1, 0.02, 0.02, 0.02]


@pytest.fixture(scope="module")
def made():
    return make_confounds(brain(), motion(), masks(), repetition_time=REPETITION_TIME, n_dummy=3)


@pytest.mark.parametrize("seed", range(3))
def test_dvars_is_held_against_what_robust_spread_and_autocorrelation_let_expect(seed):
    """As Nichols defines it, with the Yule-Walker estimate of statsmodels."""
    series, mask = brain(seed), np.arange(60) % 4 > 0
    series[:, 5] = 900  # a voxel without a signal takes no part
    voxels = [column.astype(float) for column in series.T[mask] if np.ptp(column) > 0]
    changes = np.mean([np.diff(one) ** 2 for one in voxels], axis=0)
    spreads = [(np.quantile(one, 0.75) - np.quantile(one, 0.25)) / 1.349 for one in voxels]
    lasting = [yule_walker(one, order=1, method="mle", result_object=False)[0][0] for one in voxels]
    expected = np.mean([spread * np.sqrt(2 * (1 - r)) for spread, r in zip(spreads, lasting, strict=True)])
    found, standard = dvars(series, mask)
    assert np.isnan([found[0], standard[0]]).all()
    np.testing.assert_allclose(found[1:], np.sqrt(changes) * 1000 / np.median(series[:, mask]), rtol=1e-5)
    np.testing.assert_allclose(standard[1:], np.sqrt(changes) / expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.01, 7.0])
def test_dvars_does_not_depend_on_the_unit_of_the_scanner(scale):
    series, mask = brain().astype(float), np.ones(60, dtype=bool)
    np.testing.assert_allclose(dvars(series * scale, mask), dvars(series, mask), rtol=1e-6)


def test_dvars_of_white_noise_is_about_one():
    series = 1000 + np.random.default_rng(0).normal(0, 5, (400, 500))
    assert np.nanmean(dvars(series, np.ones(500, dtype=bool))[1]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("series", [np.full((9, 4), 500.0), np.zeros((9, 4)), np.zeros((9, 0))])
def test_dvars_of_nothing_that_changes_is_zero(series):
    for found in dvars(series, np.ones(series.shape[1], dtype=bool)):
        assert np.isnan(found[0])
        assert not found[1:].any()


@pytest.mark.parametrize(("n_volumes", "seconds"), [(128, 2.0), (200, 0.72), (97, 3.0), (64, 1.0), (30, 2.0)])
def test_cosines_are_the_slow_ones_of_the_discrete_cosine_transform(n_volumes, seconds):
    every = dct(np.eye(n_volumes), norm="ortho", axis=0)
    frequencies = np.arange(n_volumes) / (2 * n_volumes * seconds)
    slow = every[(frequencies > 0) & (frequencies <= 1 / 128)]
    np.testing.assert_allclose(cosines(n_volumes, seconds), slow.T, atol=1e-12)


def test_cosines_span_the_drift_that_nilearn_removes():
    times = REPETITION_TIME * np.arange(N_VOLUMES)
    theirs = make_first_level_design_matrix(times, drift_model="cosine", high_pass=1 / 128).drop(columns="constant")
    ours = cosines(N_VOLUMES, REPETITION_TIME)
    assert ours.shape == theirs.shape
    fitted = ours @ np.linalg.lstsq(ours, theirs.to_numpy(), rcond=None)[0]
    np.testing.assert_allclose(fitted, theirs, atol=1e-10)


def test_signals_are_means_and_what_is_derived_of_them(made):
    table, _ = made
    series, inside = pd.DataFrame(brain().astype(float)), masks()
    base = {
        "global_signal": series.mean(axis=1),
        "csf": series.loc[:, inside["CSF"]].mean(axis=1),
        "white_matter": series.loc[:, inside["WM"]].mean(axis=1),
        "csf_wm": series.loc[:, inside["CSF"] | inside["WM"]].mean(axis=1),
        **dict(zip(("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"), motion().T, strict=True)),
    }
    for name, values in base.items():
        change = pd.Series(values).diff()
        np.testing.assert_allclose(table[name], values, rtol=1e-6)
        np.testing.assert_allclose(table[f"{name}_derivative1"], change, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(table[f"{name}_power2"], np.square(values), rtol=1e-6)
        np.testing.assert_allclose(table[f"{name}_derivative1_power2"], change**2, rtol=1e-5, atol=1e-9)
    missing = table.columns[table.isna().any()]
    assert table[missing].notna().iloc[1:].all(axis=None)
    assert set(missing) == {*(name for name in table if "derivative1" in name), "dvars", "std_dvars", *FD}


FD = ("framewise_displacement",)


@pytest.mark.parametrize(("name", "prefix"), [("combined", "a_comp_cor"), ("CSF", "c_comp_cor"), ("WM", "w_comp_cor")])
def test_components_are_those_of_a_singular_value_decomposition(made, name, prefix):
    table, described = made
    n_dummy, tissue = 3, brain()[3:, masks()[name]].astype(float)
    drift = cosines(N_VOLUMES, REPETITION_TIME)[n_dummy:]
    design = np.column_stack([np.ones(len(tissue)), drift])
    left = tissue - design @ np.linalg.pinv(design) @ tissue
    vectors, values, _ = np.linalg.svd(left / left.std(axis=0), full_matrices=False)
    share = values**2 / (values**2).sum()
    own = [column for column in table if column.startswith(prefix)]
    assert own == sorted(own)
    assert share[: len(own)].sum() >= 0.5 > share[: len(own) - 1].sum()
    for index, column in enumerate(own):
        assert not table[column][:n_dummy].any()
        assert abs(table[column][n_dummy:] @ vectors[:, index]) == pytest.approx(1)
        facts = described[column]
        assert (facts["Mask"], facts["Retained"]) == (name, True)
        assert facts["SingularValue"] == pytest.approx(values[index])
        assert facts["VarianceExplained"] == pytest.approx(share[index])
        assert facts["CumulativeVarianceExplained"] == pytest.approx(share[: index + 1].sum())


def test_components_do_not_depend_on_units_drift_or_the_order_of_voxels():
    tissue, rng = brain().astype(float), np.random.default_rng(3)
    drift = cosines(N_VOLUMES, REPETITION_TIME)
    other = tissue * rng.uniform(0.1, 9, 60) + drift @ rng.normal(0, 50, (drift.shape[1], 60)) + rng.normal(0, 99, 60)
    other = other[:, rng.permutation(60)]
    some, again = (components(one, drift, 0, name="WM", prefix="w")[0] for one in (tissue, other))
    assert list(some) == list(again)
    for name, vector in some.items():
        np.testing.assert_allclose(again[name], vector, atol=1e-6)
        assert vector[np.abs(vector).argmax()] > 0
        np.testing.assert_allclose(drift.T @ vector, 0, atol=1e-8)
        assert vector.sum() == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("tissue", [np.full((40, 5), 7.0), np.zeros((40, 0))])
def test_a_tissue_without_a_signal_breaks_nothing(tissue):
    columns, described = components(tissue, cosines(40, 2.0), 2, name="CSF", prefix="c")
    assert set(columns) == set(described)
    assert all(np.isfinite(vector).all() for vector in columns.values())


def test_each_outlier_has_a_column_of_one_one():
    displacement = np.array([np.nan, 0.1, 0.5, 0.51, 0.2, 3.0])
    standard = np.array([np.nan, 1.5, 1.0, 1.0, 1.51, 9.0])
    found = pd.DataFrame(outliers(displacement, standard, n_dummy=2))
    assert [name.rstrip("0123456789") for name in found] == ["non_steady_state_outlier"] * 2 + ["motion_outlier"] * 3
    assert found.sum().tolist() == [1] * 5
    assert found.to_numpy().argmax(axis=0).tolist() == [0, 1, 3, 4, 5]


def test_the_order_of_voxels_changes_nothing(made):
    order = np.random.default_rng(5).permutation(60)
    mixed = {name: mask[order] for name, mask in masks().items()}
    again, _ = make_confounds(brain()[:, order], motion(), mixed, repetition_time=REPETITION_TIME, n_dummy=3)
    pd.testing.assert_frame_equal(again, made[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_dummy_scans_are_counted_by_the_modified_z_of_the_first_fifty(seed):
    rng = np.random.default_rng(seed)
    signal = 100 + rng.normal(0, 1, rng.integers(20, 90))
    decaying = rng.integers(0, 5)
    signal[:decaying] += np.linspace(900, 40, decaying)
    first = pd.Series(signal).head(50)
    away = (first - first.median()).abs()
    outlying = (0.6745 * away / away.median() > 3.5).tolist()
    expected = outlying.index(False)
    assert count_dummy_scans(signal) == expected >= decaying
    assert count_dummy_scans(list(3 * signal + 7)) == expected
    assert count_dummy_scans(np.r_[signal[:50], rng.normal(0, 1e6, 30)]) == count_dummy_scans(signal[:50])


@pytest.mark.parametrize("signal", [[5.0] * 9, [5.0], [9.0, 5, 5, 5, 5]])
def test_a_signal_without_spread_has_no_dummy_scans(signal):
    assert count_dummy_scans(signal) == 0


@pytest.mark.parametrize(("away", "n_dummy"), [(5.1, 0), (5.3, 1)])
def test_the_bound_of_a_dummy_scan_is_a_modified_z_of_three_and_a_half(away, n_dummy):
    signal = np.r_[100 + away, 100, 100, 99, 101, 99, 101, 99, 101]  # the deviations have the median 1
    assert count_dummy_scans(signal) == n_dummy
