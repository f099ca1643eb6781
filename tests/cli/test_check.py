"""``trialgraph check`` and ``--dry-run``: what a run would do, by its own reading, and nothing written."""

import re
import shutil

import numpy as np
import pytest
from conftest import MNI, SMALL

from bids_app.cli.main import main


def snapshot(folder):
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.fixture
def check(capsys):
    def call(*words):
        code = main([str(word) for word in words])
        return code, re.sub(r" +", " ", "\n".join(capsys.readouterr()))

    return call


@pytest.fixture
def two_arms(empty_trial):
    for participant in ("01", "02", "03"):
        for session in ("1", "2"):
            if (participant, session) != ("03", "2"):
                empty_trial.add_run(participant, session, hollow=True)
    empty_trial.add_arms(s01="placebo", s02="ketamine", s03="ketamine", s04="placebo")
    return empty_trial


def test_who_would_be_compared_and_why_others_not(two_arms, tmp_path, check):
    before = snapshot(two_arms.bids)
    code, said = check("check", two_arms.bids, tmp_path / "out")
    assert code == 0
    assert "5 scans of 3 participants would be processed" in said
    assert "fmriprep fMRIPrep 23.2.1" in said
    assert "sub-02 ketamine scan scan yes" in said
    assert "sub-03 ketamine scan no scan no: no follow-up" in said
    assert "sub-04 placebo no scan no scan no: no baseline, no follow-up" in said
    assert "2 of 4 would be compared" in said
    assert not (tmp_path / "out").exists()
    assert snapshot(two_arms.bids) == before


def test_arms_too_small_to_compare_are_said(two_arms, tmp_path, check):
    words = ("check", two_arms.bids, tmp_path / "out")
    assert "1 participants of ketamine and 1 of placebo have scans at both visits, at least 2" in check(*words)[1]
    two_arms.add_run("03", "2", hollow=True)
    two_arms.add_run("04", "1", hollow=True)
    assert "2 participants of ketamine and 1 of placebo have scans at both visits, at least 2" in check(*words)[1]
    two_arms.add_run("04", "2", hollow=True)
    code, said = check(*words)
    assert (code, "4 of 4 would be compared" in said, "of each are needed" in said) == (0, True, False)


@pytest.mark.parametrize(
    ("sessions", "model", "said"),
    [
        (("1", "2"), "mmrm", "primary_outcomes: planned age by mmrm, used age by post"),
        (
            ("1", "2", "3"),
            "ancova",
            "planned age, used each comparison by itself, none of which decides: ancova is of one",
        ),
        (("1", "2", "3"), "auto", "none of which decides: age has one column of follow-up scores"),
    ],
)
def test_a_primary_outcome_that_no_row_would_decide_is_said(empty_trial, tmp_path, check, sessions, model, said):
    arms = {f"{number:02d}": ("placebo", "ketamine")[number % 2] for number in range(1, 9)}
    for participant in arms:
        for session in sessions:
            empty_trial.add_run(participant, session, hollow=True)
    rows = "\n".join(f"sub-{label}\t{arm}\t{30 + int(label) ** 2}" for label, arm in arms.items())
    (empty_trial.bids / "participants.tsv").write_text(f"participant_id\tarm\tage\n{rows}\n")
    plan = tmp_path / "plan.toml"
    plan.write_text('[metrics]\nprimary = "degree"\n[outcomes]\nprimary = ["age"]\n' + f'outcome_model = "{model}"\n')
    code, text = check("check", empty_trial.bids, tmp_path / "out", "--plan", plan)
    assert code == 0
    assert "Would depart from the plan: " in text
    assert said in text


def test_every_file_is_there_with_its_reason(two_arms, tmp_path, check):
    two_arms.add_run("01", "1", space="T1w", hollow=True)
    code, said = check("check", two_arms.bids, tmp_path / "out")
    assert code == 0
    line = f"sub-01_ses-1_task-rest_space-{MNI}_desc-preproc_bold.nii.gz brain mask, confounds space {MNI}, not T1w"
    assert line in said


@pytest.mark.parametrize(
    ("spoil", "options", "code", "said"),
    [
        (lambda trial: shutil.rmtree(trial.fmriprep), ("--preprocess", "never"), 66, "No preprocessed data"),
        (lambda trial: (trial.bids / "participants.tsv").unlink(), (), 66, "participants.tsv does not exist"),
        (lambda trial: trial.add_arms(s01="a", s02="b"), (), 64, "Which arm is the reference: a or b?"),
        (lambda trial: None, ("--outcomes", "hamd"), 64, "hamd"),
        (lambda trial: None, ("--covariates", "weight"), 64, "No column weight in participants.tsv"),
        (lambda trial: None, ("--slopes", "weight"), 64, "No column weight in participants.tsv"),
        (lambda trial: None, ("--strata", "site"), 64, "--strata site: participants.tsv has"),
        (lambda trial: None, ("--space", "T1w"), 18, "--space T1w"),
        (lambda trial: None, ("--threshold", "2"), 64, "--threshold 2"),
    ],
)
def test_what_is_missing_is_said_with_the_code_of_the_run(two_arms, tmp_path, check, spoil, options, code, said):
    spoil(two_arms)
    assert_code, heard = check("check", two_arms.bids, tmp_path / "out", *options)
    assert (assert_code, said in heard) == (code, True), heard
    assert not (tmp_path / "out").exists()


def test_a_dry_run_of_the_participant_level_writes_nothing(two_arms, tmp_path, check):
    code, said = check(two_arms.bids, tmp_path / "out", "participant", *SMALL, "--dry-run")
    assert code == 0
    assert "5 scans of 3 participants would be processed" in said
    assert "would be compared" not in said
    assert not (tmp_path / "out").exists()


def test_a_dry_run_of_the_group_level_says_what_the_run_says(finished, check):
    trial, output, _ = finished
    before = snapshot(output)
    code, said = check(trial.bids, output, "group", *SMALL, "--dry-run")
    assert code == 0
    assert snapshot(output) == before
    assert "voxels: 5 participants would be compared" in said
    assert "sub-06 follow-up:" in said
    assert "Degree, r > 0.25; adjusted for baseline_mean_fd" in said


def test_the_options_of_the_participant_level_need_not_be_given_again(finished, check):
    trial, output, _ = finished
    code, said = check(trial.bids, output, "group", "--dry-run")
    assert code == 0
    assert "As the participant level was called: --" in said
    assert "voxels: 5 participants would be compared" in said
    code, said = check(trial.bids, output, "group", "--dry-run", "--voxel-size", "7")
    assert code == 18
    assert "on the grid res-7mm" in said
    assert "leave them out to have them taken over" in said
    assert "None" not in said


def test_a_folder_called_check_can_be_a_dataset(tmp_path, monkeypatch, check):
    (tmp_path / "check").mkdir()
    (tmp_path / "check" / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    monkeypatch.chdir(tmp_path)
    code, said = check("check", "out", "participant", "--skip-bids-validation", "--preprocess", "never")
    assert code == 66
    assert "No preprocessed data" in said


def test_an_unexpected_fault_is_one_line_and_its_traceback_is_kept(two_arms, tmp_path, check, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("integer division or modulo by zero")

    monkeypatch.setattr("bids_app.participant.level.start_log", broken)
    monkeypatch.setattr("bids_app.runtime.logs.start_log", broken)
    (tmp_path / "out" / "logs").mkdir(parents=True)
    code, said = check(two_arms.bids, tmp_path / "out", "participant", *SMALL, "--skip-bids-validation")
    assert code == 1
    assert "ZeroDivisionError: integer division or modulo by zero (a fault of the app" in said
    assert "Traceback" not in said
    (kept,) = (tmp_path / "out" / "logs").glob("fault-*.txt")
    assert str(kept) in said
    assert "Traceback" in kept.read_text()
    assert np.isfinite(kept.stat().st_size)
