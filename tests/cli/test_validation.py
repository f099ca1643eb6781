"""The input held against the standard, by the real validator."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_app.cli import validate
from bids_app.cli.raw_reading import RawReading, reading_of
from bids_app.cli.settings_of import parse
from bids_app.cli.validate import check_dataset, find_validator, summary
from bids_app.errors import InvalidDatasetError

RUN = Path(__file__).parents[2] / "run.py"
needs_validator = pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")


@pytest.fixture
def raw(tmp_path):
    """A valid raw dataset of two participants, with behaviour only; what it lacks are warnings."""
    root = tmp_path / "raw"
    for participant in ("01", "02"):
        path = root / f"sub-{participant}" / "beh" / f"sub-{participant}_task-rest_beh.tsv"
        path.parent.mkdir(parents=True)
        path.write_text("trial\tresponse\n1\t2\n")
    (root / "participants.tsv").write_text("participant_id\tage\nsub-01\t20\nsub-02\t30\n")
    describe(root, DatasetType="raw", Authors=["Only One"])
    return root


def misname(root, participant):
    """Leave a file where scans lie that has no name of BIDS: a scan of such a name would not be seen."""
    path = root / f"sub-{participant}" / "func" / f"sub-{participant}_wrong.tsv"
    path.parent.mkdir()
    path.write_text("a\n1\n")


def describe(root, **more):
    content = {"Name": "valid", "BIDSVersion": "1.10.0", **more}
    (root / "dataset_description.json").write_text(json.dumps(content))


@needs_validator
def test_a_valid_dataset_passes_whatever_the_warnings(raw):
    assert check_dataset(raw) is None


@needs_validator
def test_errors_are_told_in_short_with_their_place_and_the_way_on(raw):
    misname(raw, "02")
    with pytest.raises(InvalidDatasetError) as refused:
        check_dataset(raw)
    assert refused.value.exit_code == 16
    for fragment in ("/sub-02/func/sub-02_wrong.tsv", "--skip-bids-validation", str(raw)):
        assert fragment in str(refused.value)


@needs_validator
@pytest.mark.parametrize(
    "place", ["sub-02/beh/sub-02_wrong.tsv", "wrong.tsv", "sub-02/func/sub-02_task-rest_wrong_events.tsv"]
)
def test_errors_in_what_no_run_reads_are_said_and_stop_nothing(raw, place):
    (raw / place).parent.mkdir(exist_ok=True)
    (raw / place).write_text("a\n1\n")
    assert "errors in what is not read, which stop nothing: " in check_dataset(raw)
    assert f"in /{place}" in check_dataset(raw)


@needs_validator
def test_a_questionnaire_with_a_row_per_session_is_read(raw):
    """As the documentation has it, and as many public data are, though the validator refuses it."""
    (raw / "phenotype").mkdir()
    rows = "".join(f"sub-{who}\tses-{visit}\t{visit}\n" for who in ("01", "02") for visit in (1, 2))
    (raw / "phenotype" / "hamd.tsv").write_text(f"participant_id\tsession_id\thamd\n{rows}")
    said = check_dataset(raw)
    assert said is None or "in /phenotype/hamd.tsv" in said


@needs_validator
def test_only_those_who_are_analysed_count(raw):
    misname(raw, "02")
    assert check_dataset(raw, RawReading(participants=("01",))) is None
    with pytest.raises(InvalidDatasetError):
        check_dataset(raw, RawReading(participants=("01", "02")))
    describe(raw, DatasetType=3)
    with pytest.raises(InvalidDatasetError, match=r"/dataset_description\.json"):
        check_dataset(raw, RawReading(participants=("01",)))


@needs_validator
def test_what_lies_in_derivatives_does_not_count(raw):
    (raw / "derivatives" / "fmriprep" / "sub-01").mkdir(parents=True)
    (raw / "derivatives" / "fmriprep" / "sub-01" / "no_bids_name").touch()
    assert check_dataset(raw) is None


@needs_validator
def test_the_process_leaves_with_16_and_writes_nothing(raw, tmp_path):
    misname(raw, "02")
    call = [sys.executable, RUN, raw, tmp_path / "out", "participant"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 16
    assert "is not valid BIDS" in done.stderr
    assert not list((tmp_path / "out").iterdir())
    done = subprocess.run([*call, "--skip-bids-validation"], capture_output=True, check=False)
    assert done.returncode == 66, "there is nothing preprocessed"
    done = subprocess.run([*call[:-1], "group"], capture_output=True, text=True, check=False)
    assert done.returncode == 18, "the group level reads tables alone, which it checks itself"


def test_a_derivative_is_not_checked(raw):
    describe(raw, DatasetType="derivative")
    (raw / "wrong.tsv").write_text("a\n1\n")
    assert "is a derivative" in check_dataset(raw)


def test_tables_alone_are_not_checked(raw):
    for participant in ("01", "02"):
        shutil.rmtree(raw / f"sub-{participant}")
    assert "holds no raw data" in check_dataset(raw)


def test_without_a_validator_that_is_said(raw, monkeypatch, tmp_path):
    monkeypatch.setattr(validate.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    assert "bids-validator-deno is not installed" in check_dataset(raw)


@pytest.mark.parametrize("script", ["exit 1", "echo '{}'", "echo no JSON"])
def test_a_validator_that_fails_is_no_error_of_the_dataset(raw, monkeypatch, tmp_path, script):
    broken = tmp_path / validate.VALIDATOR
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setattr(validate, "find_validator", lambda: str(broken))
    assert "could not be run" in check_dataset(raw)


def test_the_summary_is_short_and_the_same_every_time():
    issues = [{"code": f"CODE_{n}", "location": f"/{m}"} for n in range(8) for m in range(n + 1)]
    said = summary(issues)
    assert said.startswith("CODE_7 in /0 and 7 other files; CODE_6 in /0 and 6 other files; ")
    assert said.endswith("; 3 more kinds of error")
    assert said == summary(issues[::-1])
    assert summary([{"code": "NO_PLACE"}]) == "NO_PLACE in /"


def add_scan(root, participant, task="rest", repetition_time=2.0):
    """Write a BOLD image of few voxels, valid but for a sidecar that may contradict its header."""
    stem = root / f"sub-{participant}" / "func" / f"sub-{participant}_task-{task}_bold"
    stem.parent.mkdir(exist_ok=True)
    image = nib.Nifti1Image(np.ones((4, 4, 4, 5), np.int16), np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((1, 1, 1, 2.0))
    nib.save(image, stem.with_suffix(".nii.gz"))
    stem.with_suffix(".json").write_text(json.dumps({"TaskName": task, "RepetitionTime": repetition_time}))


def reading(root, *words):
    return reading_of(parse([str(root), str(root.parent / "out"), "participant", *words]))


@needs_validator
def test_a_wrong_scan_stops_a_run_that_reads_it_alone(raw):
    add_scan(raw, "01")
    add_scan(raw, "02")
    add_scan(raw, "01", "faces", repetition_time=3.0)
    said = check_dataset(raw, reading(raw))
    assert "stop nothing: " in said
    assert "/sub-01/func/sub-01_task-faces_bold" in said, "rest is analysed where it is one of several"
    with pytest.raises(InvalidDatasetError, match="task-faces_bold"):
        check_dataset(raw, reading(raw, "--task-id", "faces"))
    assert check_dataset(raw, reading(raw, "--task-id", "faces", "--participant-label", "02")) is None


@needs_validator
@pytest.mark.parametrize(("field", "value", "stops"), [("InversionTime", 0, False), ("EffectiveEchoSpacing", 0, True)])
def test_a_wrong_field_of_a_sidecar_stops_a_run_that_reads_it(raw, field, value, stops):
    """As ds000201 has it: an InversionTime of 0, which nothing here asks for."""
    add_scan(raw, "01")
    sidecar = raw / "sub-01" / "func" / "sub-01_task-rest_bold.json"
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), field: value}))
    if stops:
        with pytest.raises(InvalidDatasetError, match="JSON_SCHEMA_VALIDATION_ERROR"):
            check_dataset(raw, reading(raw))
    else:
        assert "JSON_SCHEMA_VALIDATION_ERROR in /sub-01/func/" in check_dataset(raw, reading(raw))


@needs_validator
def test_raw_scans_do_not_count_where_preprocessed_ones_are_read(raw):
    add_scan(raw, "01", repetition_time=3.0)
    with pytest.raises(InvalidDatasetError, match="task-rest_bold"):
        check_dataset(raw, reading(raw))
    (raw / "derivatives" / "fmriprep").mkdir(parents=True)
    describe(raw / "derivatives" / "fmriprep", DatasetType="derivative")
    assert "task-rest_bold" in check_dataset(raw, reading(raw)), "it is said all the same"
    (raw / "participants.tsv").write_text("id\tage\nsub-01\t20\nsub-02\t30\n")
    with pytest.raises(InvalidDatasetError, match=r"participants\.tsv"):
        check_dataset(raw, reading(raw))


@needs_validator
def test_the_result_is_kept_until_a_file_changes(raw, tmp_path, monkeypatch):
    out, asked = tmp_path / "out", []
    ask = validate._issues
    monkeypatch.setattr(validate, "_issues", lambda *words: asked.append(words) or ask(*words))
    (raw / "wrong.tsv").write_text("a\n1\n")
    first = check_dataset(raw, output_dir=out)
    assert not out.exists(), "`check` writes nothing"
    assert check_dataset(raw, output_dir=out, keep=True) == first
    assert len(asked) == 2
    assert check_dataset(raw, output_dir=out) == first
    assert len(asked) == 2, "not asked again"
    table = raw / "participants.tsv"
    before = table.stat()
    table.write_text(table.read_text().replace("participant_id", "participant_ix"))  # of the same size
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InvalidDatasetError, match=r"participants\.tsv"):
        check_dataset(raw, output_dir=out)
    assert len(asked) == 3


@needs_validator
def test_values_of_tables_are_left_to_who_reads_them(raw):
    (raw / "participants.tsv").write_text("participant_id\tage\tgender\nsub-01\tforty\tf\nsub-02\t30\tm\n")
    assert "TSV_VALUE_INCORRECT_TYPE in /participants.tsv" in check_dataset(raw)


@needs_validator
def test_what_a_run_writes_within_the_dataset_is_no_change_of_it(raw):
    out = raw / "derivatives" / "trialgraph"
    check_dataset(raw, output_dir=out, keep=True)
    first = validate.kept(out)
    (out / "more.tsv").write_text("a\n1\n")
    (raw / ".git").mkdir()
    assert validate._validated(validate.find_validator(), raw, out) == first
    (raw / "more.tsv").write_text("a\n1\n")
    assert validate._validated(validate.find_validator(), raw, out).listing != first.listing


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"Errors": 3}', '{"Errors": [1], "Listing": "a", "Date": "b"}'])
def test_a_damaged_record_is_no_record(tmp_path, content):
    path = tmp_path / "logs" / "validation.json"
    path.parent.mkdir()
    path.write_text(content)
    assert validate.kept(tmp_path) is None


@needs_validator
def test_the_group_level_says_what_was_validated_and_does_not_ask_again(finished, tmp_path):
    """The log says it; a second run of a call that keeps what it has is quick."""
    trial, out, _ = finished
    again = shutil.copytree(out, tmp_path / "out")
    (trial.bids / "stray.tsv").write_text("a\n1\n")
    for participant in ("01", "02"):  # a folder of raw data, without which nothing is checked
        (trial.bids / f"sub-{participant}" / "beh").mkdir(parents=True, exist_ok=True)
        (trial.bids / f"sub-{participant}" / "beh" / f"sub-{participant}_task-rest_beh.tsv").write_text("trial\n1\n")
    try:
        said = check_dataset(trial.bids, reading(trial.bids), again, keep=True)
        done = subprocess.run(
            [sys.executable, RUN, trial.bids, again, "group", "--reports-only"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        (trial.bids / "stray.tsv").unlink()
        for participant in ("01", "02"):
            shutil.rmtree(trial.bids / f"sub-{participant}")
    assert "/stray.tsv" in said
    heard = " ".join(done.stderr.split())
    assert "Validated at the participant level" in heard
    assert said in heard


@needs_validator
def test_studyforrest_as_it_is_published_runs(shared_data, tmp_path):
    """Two READMEs, and events that name pictures which are not there: nothing of it is read."""
    root = shared_data / "studyforrest"
    said = check_dataset(root, reading_of(parse([str(root), str(tmp_path / "out"), "participant"])))
    assert "MULTIPLE_README_FILES in /README_functional.md and 1 other file" in said
    assert "STIMULUS_FILE_MISSING in /sub-02/func/sub-02_task-oneback_run-01_events.tsv" in said
    copied = shutil.copytree(root, tmp_path / "copied", symlinks=False)
    sidecar = copied / "sub-02" / "func" / "sub-02_task-oneback_run-01_bold.json"
    sidecar.write_text(sidecar.read_text().replace("RepetitionTime", "Repetition"))
    with pytest.raises(InvalidDatasetError, match="sub-02_task-oneback_run-01_bold"):
        check_dataset(copied, reading_of(parse([str(copied), str(tmp_path / "out"), "participant"])))
