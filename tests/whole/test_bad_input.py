"""What can be wrong with the input, and what the user is told: one message, the right exit code, no traceback."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import AFFINE, MNI, SMALL, brain, save_bold

from bids_app.bids.scans import index_scans

BOLD, MASK, CONFOUNDS = "*preproc_bold.nii.gz", "*brain_mask.nii.gz", "*confounds_timeseries.tsv"
GROUP = (*SMALL, "--n-permutations", "6")


def changed_table(change):
    """Return what rewrites the confounds table."""

    def spoil(trial):
        path = trial.file(CONFOUNDS)
        change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", na_rep="n/a", index=False)

    return spoil


def changed_voxels(change, pattern=BOLD):
    """Return what rewrites the voxels of an image."""

    def spoil(trial):
        path = trial.file(pattern)
        save_bold(path, change(nib.load(path).get_fdata(dtype=np.float32)))

    return spoil


def replaced(pattern, content):
    return lambda trial: trial.file(pattern).write_bytes(content)


def gone(pattern):
    return lambda trial: trial.file(pattern).unlink()


def cut(pattern):
    def spoil(trial):
        path = trial.file(pattern)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return spoil


def uncompressed_and_cut(pattern):
    def spoil(trial):
        path = trial.file(pattern)
        whole = gzip.decompress(path.read_bytes())
        path.with_suffix("").write_bytes(whole[: len(whole) // 2])
        path.unlink()

    return spoil


def annexed(pattern):
    """Return what leaves a link to content that was never fetched, as git-annex does."""

    def spoil(trial):
        path = trial.file(pattern)
        path.unlink()
        path.symlink_to("../../../../.git/annex/objects/XX/YY/MD5E-s99--0.nii.gz")

    return spoil


def on_another_grid(trial):
    path = trial.file(MASK)
    nib.save(nib.Nifti1Image(brain()[1:].astype(np.uint8), AFFINE), path)


def shifted(trial):
    moved = AFFINE.copy()
    moved[0, 3] += 7.5
    nib.save(nib.Nifti1Image(brain().astype(np.uint8), moved), trial.file(MASK))


def without_repetition_time(trial):
    trial.file("*preproc_bold.json").write_text("{}")
    image = nib.load(trial.file(BOLD))
    data = image.get_fdata(dtype=np.float32)
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_zooms((15, 15, 15, 0))
    nib.save(image, trial.file(BOLD))


SPOILED_SCANS = {
    "sidecar is no JSON": (replaced("*bold.json", b"{"), 65, ["preproc_bold.json: not valid JSON"]),
    "image is empty": (replaced(BOLD, b""), 65, ["preproc_bold.nii.gz is empty (0 bytes)"]),
    "image is cut in the middle": (cut(BOLD), 65, ["the BOLD image is truncated: volume", "of 60 cannot be read"]),
    "uncompressed image is cut": (uncompressed_and_cut(BOLD), 65, ["truncated: volume", "of 60 cannot be read"]),
    "image is no image": (replaced(BOLD, b"text"), 65, ["preproc_bold.nii.gz is no readable image"]),
    "image is 3D": (
        changed_voxels(lambda data: data[..., 0]),
        65,
        ["has shape (12, 14, 12); a 4D BOLD series is needed"],
    ),
    "image was never fetched": (annexed(BOLD), 66, ["is a link to content that is not on this machine", "datalad get"]),
    "mask is on another grid": (
        on_another_grid,
        65,
        ["on another grid than the BOLD image", "(11, 14, 12)", "(12, 14, 12)"],
    ),
    "mask is shifted": (shifted, 65, ["on another grid than the BOLD image", "origin (-75.0,", "(-82.5,"]),
    "mask is missing": (gone(MASK), 66, ["no brain mask beside the BOLD image", "desc-brain_mask"]),
    "mask is empty": (replaced(MASK, b""), 65, ["brain_mask.nii.gz is empty (0 bytes)"]),
    "mask is cut": (cut(MASK), 65, ["brain_mask.nii.gz is no readable image"]),
    "mask was never fetched": (annexed(MASK), 66, ["brain_mask.nii.gz", "link to content that is not on this machine"]),
    "mask has no voxel": (
        changed_voxels(np.zeros_like, MASK),
        65,
        ["none of the", "nodes of the analysis mask lies in the brain mask"],
    ),
    "confounds are too short": (
        changed_table(lambda table: table[:50]),
        65,
        ["has 50 rows, the BOLD image has 60 volumes"],
    ),
    "confounds are missing": (gone(CONFOUNDS), 66, ["no confounds table beside", "looked for", "--denoise none"]),
    "confounds were never fetched": (annexed(CONFOUNDS), 66, ["confounds_timeseries.tsv", "not on this machine"]),
    "confounds are no table": (replaced(CONFOUNDS, b"\x93NUMPY\x00\xff"), 65, ["cannot be read as a table"]),
    "confounds are empty": (replaced(CONFOUNDS, b""), 65, ["timeseries.tsv is empty (0 bytes)"]),
    "confounds lack a column": (
        changed_table(lambda table: table.drop(columns="csf")),
        65,
        ["--denoise simple", "csf"],
    ),
    "confounds have holes": (
        changed_table(lambda table: table.assign(csf=table["csf"].where(table.index != 30))),
        65,
        ["values are missing in csf"],
    ),
    "all volumes moved": (
        changed_table(lambda table: table.assign(framewise_displacement=9.0)),
        65,
        ["all 60 volumes are censored"],
    ),
    "most volumes moved": (
        changed_table(lambda table: table.assign(framewise_displacement=np.where(table.index < 15, 0.1, 9.0))),
        65,
        ["15 of 60 volumes are kept, too few for 8 confounds"],
    ),
    "image is not a number": (
        changed_voxels(lambda data: data * np.nan),
        65,
        ["no node of the analysis mask has a signal"],
    ),
    "image is constant": (changed_voxels(np.ones_like), 65, ["no node of the analysis mask has a signal that varies"]),
    "time is unknown": (without_repetition_time, 65, ["no repetition time in the sidecar nor in the header"]),
}


@pytest.mark.parametrize("case", list(SPOILED_SCANS))
def test_a_spoiled_scan_is_named_with_what_is_wrong(trial, app, whole_files, tmp_path, case):
    spoil, code, fragments = SPOILED_SCANS[case]
    spoil(trial)
    out = tmp_path / "out"
    outcome = app(trial.bids, out, "participant", *SMALL)
    assert outcome.code == code, outcome.said
    (scan,) = json.loads((out / "logs" / "status" / "sub-01.json").read_text())["Scans"]
    assert (scan["Scan"], scan["State"]) == ("sub-01 ses-1 task-rest", "failed")
    for fragment in fragments:
        assert fragment in outcome.said
        assert fragment in scan["Reason"]
    page = (out / "sub-01.html").read_text()
    assert "sub-01 ses-1 task-rest" in page
    assert all(fragment in page for fragment in fragments)
    assert "Traceback" not in outcome.said
    assert "an error of the app" not in outcome.said
    assert whole_files(out) == set()
    assert not list(out.glob("sub-*/**/func/*"))


def no_derivatives(trial):
    shutil.rmtree(trial.bids / "derivatives")


def two_unpreferred_spaces(trial):
    gone(BOLD)(trial)
    for space in ("T1w", "MNIPediatricAsym"):
        trial.add_run(space=space, hollow=True)


def only_t1w(trial):
    gone(BOLD)(trial)
    trial.add_run(space="T1w", hollow=True)


def nothing(trial):
    pass


REFUSED_CALLS = {
    "no derivatives": (
        no_derivatives,
        (),
        66,
        [
            "No preprocessed data",
            "bids/derivatives/fmriprep*",
            "DatasetType",
            "Run fMRIPrep first",
            "--derivatives PATH",
        ],
    ),
    "unknown participant": (nothing, ("--participant-label", "99"), 18, ["no participant 99", "there are 01"]),
    "unknown session": (nothing, ("--session-label", "99"), 18, ["no session 99", "there are 1"]),
    "unknown space": (nothing, ("--space", "T1w"), 18, ["--space T1w", f"there are {MNI}"]),
    "unknown task": (nothing, ("--task-id", "nback"), 18, ["--task-id nback", "there are rest"]),
    "two spaces": (
        two_unpreferred_spaces,
        (),
        64,
        ["Several values of space", "MNIPediatricAsym, T1w", "Choose with --space"],
    ),
    "no template space": (
        only_t1w,
        (),
        64,
        ["--mask gm is in template space, the data are in T1w", "give a mask image"],
    ),
    "threshold": (nothing, ("--threshold", "1.2"), 64, ["--threshold 1.2: must be at least 0 and below 1"]),
    "no such mask": (nothing, ("--mask", "no_mask.nii"), 66, ["--mask: ", "no_mask.nii does not exist"]),
    "no such atlas": (nothing, ("--atlas", "no_atlas.nii"), 66, ["--atlas: ", "no_atlas.nii does not exist"]),
    "mask is no image": (nothing, ("--mask", __file__), 65, [f"--mask {__file__}", "is no readable image"]),
    "description is no JSON": (
        lambda trial: (trial.fmriprep / "dataset_description.json").write_text("{"),
        (),
        65,
        ["fmriprep/dataset_description.json: not valid JSON"],
    ),
}


@pytest.mark.parametrize("case", list(REFUSED_CALLS))
def test_a_call_that_cannot_work_is_refused_before_any_scan_is_read(trial, app, whole_files, tmp_path, case):
    spoil, options, code, fragments = REFUSED_CALLS[case]
    spoil(trial)
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL, *options)
    assert outcome.code == code, outcome.said
    assert all(fragment in outcome.said for fragment in fragments), outcome.said
    assert outcome.said.count("\ntrialgraph: ") + outcome.said.startswith("trialgraph: ") == 1
    assert "Traceback" not in outcome.said
    assert whole_files(tmp_path / "out") == set()
    assert not list((tmp_path / "out").glob("sub-*"))


def test_the_output_is_not_put_among_the_input(trial, app):
    outcome = app(trial.bids, trial.bids / "out", "participant", *SMALL)
    assert outcome.code == 64
    assert "lies inside the BIDS folder" in outcome.said
    assert "derivatives/trialgraph" in outcome.said
    assert not (trial.bids / "out").exists()


@pytest.mark.parametrize("place", ["a file/out", "a file", "/proc/no/out"])
def test_an_output_that_cannot_be_made_is_named(trial, app, tmp_path, place):
    (tmp_path / "a file").touch()
    if place.startswith("/proc") and not Path("/proc/self").is_dir():
        pytest.skip("no /proc to try in vain to write to")
    outcome = app(trial.bids, tmp_path / place, "participant", *SMALL)
    assert outcome.code == 73
    assert f"The output folder {tmp_path / place} cannot be created" in outcome.said


def test_a_file_where_a_folder_of_results_belongs_is_named(trial, app, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub-01").touch()
    outcome = app(trial.bids, tmp_path / "out", "participant", *SMALL)
    assert outcome.code == 73, outcome.said
    assert "out/sub-01" in outcome.said
    assert "cannot be written" in outcome.said
    assert "Traceback" not in outcome.said


def test_voxels_without_a_number_or_a_signal_are_left_out_and_the_run_goes_on(trial, app, whole_files, tmp_path):
    def spoil(data):
        data[5, 6, 6, 30] = np.nan
        data[6, 6, 6] = 7
        return data

    changed_voxels(spoil)(trial)
    mask_path = tmp_path / "mask.nii.gz"
    nib.save(nib.Nifti1Image(brain().astype(np.uint8), AFFINE), mask_path)
    out = tmp_path / "out"
    outcome = app(trial.bids, out, "participant", *SMALL, "--voxel-size", "native", "--mask", mask_path)
    assert outcome.code == 0, outcome.said
    assert whole_files(out) == {"01"}
    (nodes,) = index_scans(out).of("mask", ".nii.gz", desc="nodes")
    present = nib.load(nodes.path).get_fdata() > 0
    nan, constant = (5, 6, 6), (6, 6, 6)
    lost = brain() & ~present
    assert lost[nan]
    assert lost[constant]
    assert not (present & ~brain()).any()
    assert np.abs(np.argwhere(lost) - nan).max() <= 1  # interpolation may take neighbours with it, but no others
    assert nodes.sidecar["Coverage"] == pytest.approx(present.sum() / brain().sum())
    (degree,) = index_scans(out).of("boldmap", ".nii.gz", stat="degree", desc="r025")
    np.testing.assert_array_equal(np.isfinite(nib.load(degree.path).get_fdata()), present)


def test_the_terminal_shows_no_traceback(trial, tmp_path):
    cut(BOLD)(trial)
    words = [sys.executable, Path(__file__).parents[2] / "run.py", trial.bids, tmp_path / "out", "participant"]
    words += [*SMALL, "--skip-bids-validation"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 65
    assert "the BOLD image is truncated" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) < 15


def test_an_uncompressed_image_is_as_good(empty_trial, app, whole_files, tmp_path):
    empty_trial.add_run(extension=".nii")
    outcome = app(empty_trial.bids, tmp_path / "out", "participant", *SMALL)
    assert outcome.code == 0, outcome.said
    assert whole_files(tmp_path / "out") == {"01"}


def test_one_bad_scan_stops_no_other(finished, whole_files):
    _, out, outcome = finished
    assert outcome.code == 65, outcome.said
    assert "11 of 12 scans finished" in outcome.said
    assert whole_files(out) == {"01", "02", "03", "04", "05", "06"}
    assert len(index_scans(out).of("boldmap", ".nii.gz", stat="degree", desc="r025")) == 11
    assert not list((out / "sub-06" / "ses-2").rglob("*"))
    status = json.loads((out / "logs" / "status" / "sub-06.json").read_text())
    assert [(scan["Session"], scan["State"]) for scan in status["Scans"]] == [("1", "done"), ("2", "failed")]
    assert "truncated" in status["Scans"][1]["Reason"]
    assert (out / "logs" / status["Scans"][1]["Log"]).is_file()
    assert "truncated" in (out / "sub-06.html").read_text()
    assert "truncated" not in (out / "sub-04.html").read_text()


@pytest.fixture
def trial_and_results(finished, tmp_path):
    """Return a copy of the raw dataset's tables and of the results, to be spoiled."""
    trial, out, _ = finished
    shutil.copytree(trial.bids, tmp_path / "bids", ignore=shutil.ignore_patterns("derivatives"))
    shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("work", "figures"))
    return type(trial)(tmp_path / "bids", trial.fmriprep), tmp_path / "out"


def test_the_group_names_whom_it_leaves_out_and_why(trial_and_results, app, whole_files):
    trial, out = trial_and_results
    outcome = app(trial.bids, out, "group", *GROUP)
    assert outcome.code == 0, outcome.said
    assert "sub-06 not analysed: follow-up: no scan (processing failed: the BOLD image is truncated" in outcome.said
    page = (out / "group" / "index.html").read_text()
    assert "sub-06" in page
    assert "processing failed: the BOLD image is truncated" in page
    assert whole_files(out) == {"01", "02", "03", "04", "05", "06"}


def test_who_is_not_in_the_table_is_named_and_the_others_are_compared(trial_and_results, app, whole_files):
    trial, out = trial_and_results
    trial.add_arms(s01="placebo", s02="placebo", s03="placebo", s04="ketamine", s05="ketamine")
    outcome = app(trial.bids, out, "group", *GROUP)
    assert outcome.code == 65, outcome.said
    assert "Not in participants.tsv, so not analysed: sub-06" in outcome.said
    assert "5 participants analysed" in outcome.said
    assert list((out / "group").rglob("*_statmap.nii.gz"))
    whole_files(out)


def arms(column="arm", **levels):
    return lambda trial, out: trial.add_arms(column, **levels)


def raw_table(content):
    return lambda trial, out: (trial.bids / "participants.tsv").write_bytes(content)


def no_follow_up(trial, out):
    for folder in out.glob("sub-*/ses-2"):
        shutil.rmtree(folder)


def no_maps(trial, out):
    shutil.rmtree(out)


def cut_map(trial, out):
    path = next((out / "sub-01" / "ses-1").rglob("*stat-degree_desc-r025zSmooth20_boldmap.nii.gz"))
    path.write_bytes(path.read_bytes()[:100])


def lost_sidecar(trial, out):
    next((out / "sub-01" / "ses-1").rglob("*stat-degree_desc-r025zSmooth20_boldmap.json")).unlink()


REST = {"s02": "placebo", "s03": "ketamine", "s04": "ketamine", "s05": "ketamine"}
REFUSED_GROUPS = {
    "before the participant level": (no_maps, (), 18, ["holds no graph maps", "Run the participant level first"]),
    "with another threshold": (
        nothing,
        ("--threshold", "0.3"),
        18,
        ["no graph maps with desc-r03zSmooth20", "desc-r025z"],
    ),
    "without a table": (
        lambda trial, out: (trial.bids / "participants.tsv").unlink(),
        (),
        66,
        ["participants.tsv does not exist"],
    ),
    "table is no text": (raw_table(b"\x93NUMPY\xff\x00"), (), 65, ["participants.tsv cannot be read as a table"]),
    "table is empty": (raw_table(b""), (), 65, ["participants.tsv cannot be read as a table"]),
    "table has another key": (
        raw_table(b"id\tarm\n1\tplacebo\n"),
        (),
        65,
        ["no column participant_id; there are id, arm"],
    ),
    "participant twice": (
        raw_table(b"participant_id\tarm\nsub-01\ta\nsub-01\tb\n"),
        (),
        65,
        ["more than one row for 01"],
    ),
    "two columns": (
        raw_table(b"participant_id\tgroup\ttreatment\nsub-01\tm\tplacebo\nsub-03\tf\tketamine\n"),
        (),
        64,
        ["Several columns could hold the arm: group, treatment", "Choose with --arm"],
    ),
    "no column": (arms("sex", s01="m", s02="f"), (), 64, ["there are sex (2 values)", "Choose with --arm"]),
    "one arm": (
        arms(s01="placebo", s02="placebo"),
        (),
        65,
        ["Column arm", "must hold two arms", "holds 1: 'placebo' ("],
    ),
    "three arms": (arms(s01="high", **REST), (), 64, ["holds 3: 'high' (1), 'ketamine' (", "--arms"]),
    "unknown arm": (nothing, ("--reference-arm", "sham"), 64, ["--reference-arm sham", "'ketamine' and 'placebo'"]),
    "unclear arm": (arms(s01="A", s02="A", s03="B", s04="B"), (), 64, ["A or B", "--reference-arm"]),
    "too few": (arms(s01="ketamine", **REST), (), 65, ["1 of placebo can be compared, at least 2", "Not analysed"]),
    "unknown visit": (nothing, ("--followup", "9"), 64, ["--followup 9: no scan of that session; there are 1, 2"]),
    "one visit": (no_follow_up, (), 65, ["Two visits are needed; there are scans of 1"]),
    "too little data": (
        nothing,
        ("--min-minutes", "5"),
        65,
        ["0 of placebo can be compared", "min of data kept, less than 5"],
    ),
    "unknown covariate": (nothing, ("--covariates", "age"), 64, ["No column age in participants.tsv", "there are arm"]),
    "unknown stratum": (nothing, ("--strata", "site"), 64, ["--strata site", "participants.tsv has arm"]),
    "map is cut": (cut_map, (), 65, ["boldmap.nii.gz", "participant level again"]),
    "sidecar is lost": (lost_sidecar, (), 65, ["boldmap.json", "participant level again"]),
}


@pytest.mark.parametrize("case", list(REFUSED_GROUPS))
def test_a_comparison_that_cannot_be_made_is_refused(trial_and_results, app, case):
    spoil, options, code, fragments = REFUSED_GROUPS[case]
    trial, out = trial_and_results
    if spoil is not nothing:
        spoil(trial, out)
    outcome = app(trial.bids, out, "group", *GROUP, *options)
    assert outcome.code == code, outcome.said
    assert all(fragment in outcome.said for fragment in fragments), outcome.said
    assert "Traceback" not in outcome.said
    assert not list(out.glob("group/**/*_statmap.nii.gz"))
    assert not (out / "group" / "index.html").exists()


def test_a_log_of_every_refusal_is_kept(trial_and_results, app):
    trial, out = trial_and_results
    before = set((out / "logs").iterdir())
    app(trial.bids, out, "group", *GROUP, "--followup", "9")
    (log_dir,) = set((out / "logs").iterdir()) - before
    assert "--followup 9: no scan of that session" in (log_dir / "trialgraph.log").read_text()
    assert json.loads((log_dir / "settings.json").read_text())["trial"]["followup"] == ["9"]
