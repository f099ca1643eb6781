"""Volumes that another tool left out or filled in are no data."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import MNI, SMALL, SmallTrial, bold_data, brain, save_bold
from hypothesis import given
from hypothesis import strategies as st

from bids_app.bids.runs import find_inputs
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError
from bids_app.participant.received import read_received

FLAGGED = np.zeros(60, dtype=int)
FLAGGED[10:18] = 1


def table(path, values, column="framewise_displacement"):
    pd.DataFrame({column: values}).to_csv(path, sep="\t", index=False)
    return path


@pytest.mark.parametrize(("n", "kept", "text"), [(60, 52, "left out here"), (52, 52, "left out by it")])
def test_images_of_full_length_and_shortened_ones(tmp_path, n, kept, text):
    motion = np.where(FLAGGED, 0.9, np.linspace(0.1, 0.2, 60))
    files = table(tmp_path / "x_motion.tsv", motion), table(tmp_path / "x_outliers.tsv", FLAGGED)
    found = read_received("x", n, *files)
    assert found.kept.sum() == kept
    assert text in found.censoring
    np.testing.assert_allclose(found.displacement[found.kept], motion[FLAGGED == 0])


@pytest.mark.parametrize("n", [61, 59, 51, 53, 8])
def test_lengths_that_fit_neither_are_refused(tmp_path, n):
    with pytest.raises(DataError, match=rf"{n} volumes; x_outliers.tsv has 60 rows, 8 of them flagged"):
        read_received("x", n, None, table(tmp_path / "x_outliers.tsv", FLAGGED))


def test_nothing_known_leaves_all(tmp_path):
    found = read_received("x", 7)
    assert found.kept.all()
    assert np.isnan(found.displacement).all()
    assert found.censoring == "no volume was left out here"


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_what_is_kept_are_the_volumes_without_a_flag(flags):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = table(Path(folder) / "x_outliers.tsv", np.array(flags, dtype=int), "outliers")
        assert read_received("x", len(flags), None, path).kept.tolist() == [not flag for flag in flags]


def xcpd_run(trial, n_volumes=60, seed=1, hashed=None, **entities):
    """Write a cleaned image of full length, flagged volumes filled in, with its tables."""
    entities = {"sub": "01", "ses": "1", "task": "rest"} | entities
    data = bold_data(seed, n_volumes) * brain()[..., None]
    bold = trial.name("bold", ".nii.gz", entities | {"space": MNI, "desc": "denoised"})
    if hashed:
        bold = bold.with_name(bold.name.replace("_space", f"_hash-{hashed}_space"))
    save_bold(bold, data.astype(np.float32))
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text('{"RepetitionTime": 2.0}')
    flags = np.resize(FLAGGED, n_volumes)
    table(trial.name("motion", ".tsv", entities), np.where(flags, 0.9, 0.1))
    filtered = trial.name("motion", ".tsv", entities | {"desc": "filtered"})
    table(filtered, np.where(flags, 0.4, 0.05))
    table(trial.name("outliers", ".tsv", entities), flags)
    return bold


@pytest.fixture
def xcpd(tmp_path):
    trial = SmallTrial(tmp_path / "bids", tmp_path / "bids" / "derivatives" / "xcp_d")
    trial.describe(trial.bids, "raw")
    trial.describe(trial.fmriprep, "derivative", GeneratedBy=[{"Name": "xcp_d", "Version": "26.1.1"}])
    return trial


def test_flags_are_applied_to_images_of_full_length(xcpd, app, tmp_path):
    xcpd_run(xcpd)
    assert app(xcpd.bids, tmp_path / "out", "participant", *SMALL).code == 0  # the folder is found by its name
    (path,) = (tmp_path / "out").rglob("*desc-r025_boldmap.json")
    facts = json.loads(path.read_text())
    assert (facts["NumberOfVolumes"], facts["NumberOfVolumesKept"]) == (60, 52)
    assert facts["Censoring"] == "volumes that the other tool flagged were left out here"
    assert facts["MeanFramewiseDisplacement"] == pytest.approx((52 * 0.1 + 8 * 0.9) / 60)  # unfiltered
    assert facts["FramewiseDisplacementThreshold"] == "off"


def runs_of(bids):
    return find_inputs(parse([str(bids), str(bids.parent / "out"), "participant"])).runs


def test_single_runs_and_their_concatenation_are_not_both_counted(xcpd, caplog):
    for run in ("1", "2"):
        xcpd_run(xcpd, run=run)
    xcpd_run(xcpd, 120)
    assert [run.entities.get("run") for run in runs_of(xcpd.bids)] == ["1", "2"]


def test_a_concatenation_alone_is_taken(xcpd):
    xcpd_run(xcpd, 120)
    assert len(runs_of(xcpd.bids)) == 1


def test_a_hash_that_all_share_is_left_out_of_names(xcpd):
    xcpd_run(xcpd, hashed="abc123")
    (run,) = runs_of(xcpd.bids)
    assert "hash" not in run.entities
    assert "abc123" not in run.entities.get("desc", "")
    assert run.outliers is not None


def test_two_hashes_are_a_question(xcpd):
    from bids_app.errors import UsageError

    for one in ("abc", "def"):
        xcpd_run(xcpd, hashed=one)
    with pytest.raises(UsageError, match="several settings are there, hash abc, def"):
        runs_of(xcpd.bids)
