import json
import math
import shutil
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn import signal
from scipy.signal import butter, detrend, sosfiltfilt

from bids_app.bids.runs import BoldRun
from bids_app.errors import DataError, MissingInputError
from bids_app.participant.confounds import Confounds, read_confounds
from bids_app.participant.denoise import clean, clean_run
from bids_app.settings.settings import Signal
from bids_app.space.grid import Grid

TR = 2.0
BAND = (0.01, 0.1)
BOLD_NAME = "sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
NILEARN = Path("fmriprep_confounds/nilearn/nilearn/interfaces/fmriprep/data")
TABLES = {
    "fMRIPrep 21": NILEARN / "test-v21_desc-confounds_timeseries.tsv",
    "fMRIPrep 1": NILEARN / "test_desc-confounds_regressors.tsv",
}


def noise(n_nodes, n_volumes, seed=0):
    return np.float32(1000 + np.random.default_rng(seed).normal(0, 10, (n_nodes, n_volumes)))


def confounds(n_volumes, n_regressors=4, n_dummy=0, censored=(), seed=1):
    values = np.random.default_rng(seed).normal(5, 2, (n_volumes, n_regressors)).cumsum(axis=0)
    kept = np.ones(n_volumes, dtype=bool)
    kept[:n_dummy] = kept[list(censored)] = False
    table = pd.DataFrame(values, columns=[f"c{index}" for index in range(n_regressors)])
    return Confounds(table, np.full(n_volumes, np.nan), n_dummy, kept)


def filtered(columns):
    """Detrend and band-pass, with scipy alone; columns are (T, K)."""
    limits = np.array(BAND) * 2 * TR
    sos = butter(5, limits, btype="band", output="sos")
    return sosfiltfilt(sos, detrend(columns, axis=0), axis=0)


def by_hand(series, regressors):
    """Regress filtered confounds out of filtered series, with numpy's least squares."""
    data, design = filtered(series.T.astype(float)), filtered(regressors.to_numpy())
    design = design - design.mean(axis=0)
    return (data - design @ np.linalg.lstsq(design, data, rcond=None)[0]).T


def sine(frequency, n_volumes):
    return np.sin(2 * np.pi * frequency * TR * np.arange(n_volumes) + 0.4)


def put_table(folder, source, target="timeseries"):
    """Copy a table and its sidecar beside the name of a BOLD image; return both paths."""
    kind = source.stem.rpartition("_")[2]
    table = folder / f"sub-01_task-rest_desc-confounds_{kind}.tsv"
    shutil.copy(source, table)
    shutil.copy(source.with_suffix(".json"), table.with_suffix(".json"))
    return folder / BOLD_NAME, table


@pytest.fixture
def fmriprep_21(shared_data, tmp_path):
    return put_table(tmp_path, shared_data / TABLES["fMRIPrep 21"])


def test_clean_equals_filter_and_least_squares_by_hand():
    series, given = noise(7, 180), confounds(180)
    np.testing.assert_allclose(clean(series, given, TR, BAND), by_hand(series, given.regressors), atol=2e-5)


def test_clean_without_band_is_least_squares_on_trend_and_confounds():
    series, given = noise(5, 120), confounds(120, censored=(30, 31, 77))
    kept = given.kept
    design = detrend(given.regressors.to_numpy()[kept], axis=0)
    data = detrend(series[:, kept].T.astype(float), axis=0)
    expected = data - design @ np.linalg.lstsq(design, data, rcond=None)[0]
    np.testing.assert_allclose(clean(series, given, TR, None), expected.T, atol=2e-5)


@pytest.mark.parametrize("censored", [(), (40, 41, 90), (148, 149), (0, 1)])
def test_clean_equals_nilearn(censored):
    series, given = noise(11, 150), confounds(150, censored=censored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = signal.clean(
            series.T.astype(float),
            confounds=given.regressors.to_numpy(),
            sample_mask=np.flatnonzero(given.kept),
            low_pass=BAND[1],
            high_pass=BAND[0],
            t_r=TR,
            standardize=None,
            standardize_confounds=True,
        ).T
    np.testing.assert_allclose(clean(series, given, TR, BAND), expected, atol=1e-5)


def test_no_node_depends_on_how_many_others_there_are():
    """More nodes than are cleaned at once: each is what it is alone."""
    series, given = noise(20_000, 40), confounds(40, censored=(11, 12))
    together, some = clean(series, given, TR, BAND), [0, 1, 8191, 8192, 16_383, 16_384, 19_999]
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together[some], clean(series[some], given, TR, BAND), atol=1e-5)
    np.testing.assert_array_equal(clean(series, given, TR, BAND, n_threads=3), together)


@pytest.mark.parametrize("band", [BAND, (0, 0.1), None])
@pytest.mark.parametrize("censored", [(20, 21, 60), (147, 148, 149), (0, 1, 2), (0, 75, 149), (30, 119)])
def test_censored_volume_has_no_influence(censored, band):
    series, given = noise(4, 150), confounds(150, censored=censored)
    spiked = series.copy()
    spiked[:, list(censored)] += np.float32([[1e5], [-1e5], [3e4], [77]])  # (30, 119) mirror each other
    table = given.regressors.copy()
    table.loc[list(censored)] = 1e6
    altered = Confounds(table, given.framewise_displacement, 0, given.kept)
    result = clean(series, given, TR, band)
    assert result.shape == (4, 150 - len(censored))
    np.testing.assert_array_equal(clean(spiked, given, TR, band), result)
    np.testing.assert_array_equal(clean(series, altered, TR, band), result)


def test_dummy_volumes_are_as_if_never_scanned():
    series, given = noise(4, 150), confounds(150, n_dummy=6, censored=(80,))
    spiked = series.copy()
    spiked[:, :6] *= 3
    later = Confounds(given.regressors[6:].reset_index(drop=True), np.full(144, np.nan), 0, given.kept[6:])
    result = clean(series, given, TR, BAND)
    np.testing.assert_array_equal(clean(spiked, given, TR, BAND), result)
    np.testing.assert_array_equal(clean(series[:, 6:], later, TR, BAND), result)


def test_long_censored_end_does_not_blow_up():
    """A spline that ran on beyond the last kept volume would grow and leak through the filter."""
    series = noise(20, 200)
    given = confounds(200, 0, censored=range(180, 200))
    short = Confounds(pd.DataFrame(index=range(180)), np.full(180, np.nan), 0, np.ones(180, dtype=bool))
    np.testing.assert_allclose(clean(series, given, TR, BAND), clean(series[:, :180], short, TR, BAND), atol=1e-5)


def test_pure_confound_is_removed_to_rounding():
    given = confounds(200, 3)
    mixed = given.regressors.to_numpy() @ np.array([[1.0], [-2.0], [0.5]])
    series = np.float32(np.vstack([mixed.T, noise(1, 200)]))
    before = clean(series, confounds(200, 0), TR, BAND)
    after = clean(series, given, TR, BAND)
    assert after[0].std(dtype=float) < 1e-5 * before[0].std()  # the series came in float32
    assert after[1].std() > 0.5 * before[1].std()


@pytest.mark.parametrize(("frequency", "passes"), [(0.05, True), (0.03, True), (0.2, False), (0.001, False)])
def test_frequency_response(frequency, passes):
    n_volumes = 600
    wave = sine(frequency, n_volumes)
    series = np.float32(500 + 10 * np.vstack([wave, wave]))
    middle = clean(series, confounds(n_volumes, 0), TR, BAND)[0, 200:-200]
    if passes:
        np.testing.assert_allclose(middle, 10 * wave[200:-200], atol=0.1)
    else:
        assert np.abs(middle).max() < 0.1


def test_nodes_without_signal_stay_without():
    series, given = noise(5, 120), confounds(120, censored=(10, 50))
    series[1] = np.nan
    series[3, given.kept] = 400  # varies in censored volumes only
    result = clean(series, given, TR, BAND)
    np.testing.assert_array_equal(np.isnan(result).all(axis=1), [False, True, False, True, False])
    np.testing.assert_array_equal(np.isnan(result).any(axis=1), [False, True, False, True, False])
    rest = clean(series[[0, 2, 4]], given, TR, BAND)
    np.testing.assert_allclose(result[[0, 2, 4]], rest, atol=1e-5)


def test_clean_refuses_too_few_volumes():
    with pytest.raises(DataError, match="all 50 volumes are censored"):
        clean(noise(2, 50), confounds(50, censored=range(50)), TR, BAND)
    with pytest.raises(DataError, match="13 of 50 volumes are kept, too few for 4 confounds"):
        clean(noise(2, 50), confounds(50, censored=range(13, 50)), TR, BAND)


@pytest.mark.parametrize("version", TABLES)
@pytest.mark.parametrize(
    ("strategy", "n_columns"),
    [("friston24", 26), ("24p", 24), ("36p", 36), ("simple", 8), ("acompcor", 29), ("none", 0)],
)
def test_strategies_on_real_confounds(shared_data, tmp_path, version, strategy, n_columns):
    bold, table = put_table(tmp_path, shared_data / TABLES[version])
    given = read_confounds(bold, table, 30, Signal(denoise=strategy))
    raw = pd.read_csv(table, sep="\t", na_values="n/a")
    assert given.regressors.shape == (30, n_columns)
    assert not given.regressors.isna().any(axis=None)
    for name, values in given.regressors.items():
        known = raw[name].notna()
        np.testing.assert_allclose(values[known], raw[name][known], rtol=1e-12)
    motion = [name for name in given.regressors if name.startswith(("trans_", "rot_"))]
    assert len(motion) == {"simple": 6, "none": 0}.get(strategy, 24)
    for tissue in ("csf", "white_matter", "global_signal"):
        expected = {"36p": 4, "friston24": 1, "simple": 1}.get(strategy, 0) * (
            tissue != "global_signal" or strategy == "36p"
        )
        assert sum(name.startswith(tissue) for name in given.regressors) == expected


@pytest.mark.parametrize("version", TABLES)
def test_acompcor_takes_cosines_only_without_band_pass(shared_data, tmp_path, version):
    bold, table = put_table(tmp_path, shared_data / TABLES[version])
    raw = list(pd.read_csv(table, sep="\t"))
    motion, cosines = ([name for name in raw if name.startswith(of)] for of in (("trans_", "rot_"), "cosine"))
    assert cosines
    for band in (BAND, (0, 0.1), None):
        names = list(read_confounds(bold, table, 30, Signal(denoise="acompcor", bandpass=band)).regressors)
        others = [name for name in names if not name.startswith("a_comp_cor")]
        assert sorted(others) == sorted([*motion, *(cosines if band != BAND else [])])
        assert len(names) - len(others) == 5


def test_compcor_takes_the_first_components_of_the_combined_mask(shared_data, tmp_path):
    bold, table = put_table(tmp_path, shared_data / TABLES["fMRIPrep 1"])
    described = json.loads(table.with_suffix(".json").read_text())
    combined = [name for name, facts in described.items() if facts.get("Mask") == "combined" and "a_comp" in name]
    given = read_confounds(bold, table, 30, Signal(denoise="acompcor"))
    chosen = [name for name in given.regressors if name.startswith("a_comp_cor")]
    assert sorted(chosen) == sorted(combined)[:5]


def test_dummy_scans_as_found_or_as_told(fmriprep_21):
    found = read_confounds(*fmriprep_21, 30, Signal(fd_threshold=1e6))
    assert (found.n_dummy, found.kept.sum()) == (3, 27)
    assert not found.kept[:3].any()
    for told in (0, 5):
        given = read_confounds(*fmriprep_21, 30, Signal(fd_threshold=1e6, dummy_scans=told))
        assert (given.n_dummy, given.kept.sum()) == (told, 30 - told)


def test_volumes_above_the_threshold_are_censored(fmriprep_21):
    displacement = pd.read_csv(fmriprep_21[1], sep="\t", na_values="n/a")["framewise_displacement"].to_numpy()
    threshold = float(np.nanmedian(displacement))
    given = read_confounds(*fmriprep_21, 30, Signal(fd_threshold=threshold, dummy_scans=0))
    np.testing.assert_array_equal(given.kept, [not moved > threshold for moved in displacement])
    assert given.kept[0], "the first volume has no displacement and is kept"
    assert given.kept[displacement == threshold].all(), "a volume at the threshold is kept"
    np.testing.assert_array_equal(given.framewise_displacement, displacement)


def test_confounds_that_cannot_be_used(fmriprep_21, tmp_path):
    bold, table = fmriprep_21
    with pytest.raises(MissingInputError, match="--denoise none"):
        read_confounds(bold, None, 30, Signal())
    with pytest.raises(DataError, match="30 rows, the BOLD image has 31 volumes"):
        read_confounds(bold, table, 31, Signal())
    whole = pd.read_csv(table, sep="\t", na_values="n/a")
    whole.drop(columns="csf").to_csv(table, sep="\t", na_rep="n/a", index=False)
    with pytest.raises(DataError, match="confounds of --denoise friston24 cannot be read"):
        read_confounds(bold, table, 30, Signal())
    whole.assign(csf=whole["csf"].mask(whole.index == 9)).to_csv(table, sep="\t", na_rep="n/a", index=False)
    with pytest.raises(DataError, match="values are missing in csf"):
        read_confounds(bold, table, 30, Signal())
    table.write_bytes(b"\x93NUMPY\x00\xff")
    with pytest.raises(DataError, match="cannot be read as a table"):
        read_confounds(bold, table, 30, Signal())
    table.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_confounds(bold, table, 30, Signal())


def test_no_table_is_needed_for_no_confounds():
    given = read_confounds(Path(BOLD_NAME), None, 40, Signal(denoise="none"))
    assert given.regressors.shape == (40, 0)
    assert given.kept.all()
    assert given.n_dummy == 0
    assert np.isnan(given.framewise_displacement).all()


def make_run(folder, n_volumes=100, repetition_time=TR, shape=(3, 4, 5)):
    """Write a tiny BOLD run with motion in three volumes; five voxels are outside its mask."""
    affine = np.diag([3.0, 3, 3, 1])
    values = noise(math.prod(shape), n_volumes).reshape(*shape, n_volumes)
    image = nib.Nifti1Image(values, affine)
    image.header.set_zooms((3, 3, 3, 2.5))
    nib.save(image, folder / BOLD_NAME)
    mask = np.ones(shape, dtype=np.uint8)
    mask[0, 0] = 0
    nib.save(nib.Nifti1Image(mask, affine), folder / "mask.nii.gz")
    displacement = np.full(n_volumes, 0.1)
    displacement[[0, 30, 31, 70]] = np.nan, 0.9, 0.6, 2.0
    table = pd.DataFrame({"framewise_displacement": displacement, "non_steady_state_outlier00": np.eye(n_volumes)[0]})
    table.to_csv(folder / "confounds.tsv", sep="\t", na_rep="n/a", index=False)
    run = BoldRun(
        {"sub": "01"},
        folder / BOLD_NAME,
        folder / "mask.nii.gz",
        folder / "confounds.tsv",
        repetition_time,
        (),
    )
    return run, Grid(np.ones(shape, dtype=bool), affine)


def test_facts_of_a_run(tmp_path):
    run, grid = make_run(tmp_path)
    scan = clean_run(run, grid, Signal(denoise="none"))
    assert scan.series.shape == (60, 96)
    volumes = scan.facts.volumes
    assert (volumes.total, volumes.dummy) == (100, 1)
    assert (volumes.censored, volumes.kept) == (3, 96)
    assert volumes.minutes_kept == pytest.approx(96 * 2 / 60)
    assert volumes.mean_displacement == pytest.approx((96 * 0.1 + 3.5) / 99)
    assert volumes.max_displacement == 2.0
    assert scan.facts.quality.coverage == pytest.approx(55 / 60)
    assert volumes.repetition_time == 2.0
    assert scan.facts.cleaning.confounds == []


def test_a_filter_needs_volumes_enough():
    rng = np.random.default_rng(0)
    for n_volumes in (33, 34):
        series = rng.normal(size=(3, n_volumes)).astype(np.float32)
        none = Confounds(pd.DataFrame(index=range(n_volumes)), np.zeros(n_volumes), 0, np.ones(n_volumes, dtype=bool))
        if n_volumes < 34:
            with pytest.raises(DataError, match=r"33 volumes are too few for a band-pass filter \(at least 34"):
                clean(series, none, TR, BAND)
        assert np.isfinite(clean(series, none, TR, BAND if n_volumes == 34 else None)).all()


def test_repetition_time_of_the_header_where_the_sidecar_has_none(tmp_path):
    run, grid = make_run(tmp_path, repetition_time=None)
    assert clean_run(run, grid, Signal(denoise="none")).facts.volumes.repetition_time == 2.5


@pytest.mark.parametrize("shape", [(3, 4, 5), (9, 10, 11)], ids=["few", "many"])
def test_carpet_is_an_even_sample_of_what_was_cleaned(tmp_path, shape):
    """Of few nodes all with a signal, of many some that lie equally far apart, from the first to the last."""
    run, grid = make_run(tmp_path, shape=shape)
    scan = clean_run(run, grid, Signal(denoise="none"))
    alive = np.flatnonzero(np.isfinite(scan.series[:, 0]))
    assert alive.size == math.prod(shape) - shape[2]
    rows = [int(np.flatnonzero((scan.series[alive] == row).all(axis=1))[0]) for row in scan.carpet["after"]]
    assert (rows[0], rows[-1]) == (0, alive.size - 1)
    assert len(rows) == alive.size or 100 < len(rows) < alive.size
    steps = np.diff(rows)
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= (shape != (3, 4, 5))
    assert scan.carpet["before"].shape == (len(rows), 100)
    raw = nib.load(run.bold).get_fdata().reshape(-1, 100)
    np.testing.assert_allclose(scan.carpet["before"], raw[alive][rows], rtol=1e-6)
