"""The input held against the standard, by the real validator."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_app.cli import validate
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
    assert "errors in files that are not read, which stop nothing: " in check_dataset(raw)
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
    assert check_dataset(raw, ("01",)) is None
    with pytest.raises(InvalidDatasetError):
        check_dataset(raw, ("01", "02"))
    describe(raw, DatasetType=3)
    with pytest.raises(InvalidDatasetError, match=r"/dataset_description\.json"):
        check_dataset(raw, ("01",))


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
