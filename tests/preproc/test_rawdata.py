"""Which T1w a raw scan is aligned by: that of its visit, else of the baseline, never the first by name."""

import json
import logging

import pytest

from bids_app.cli.settings_of import parse
from bids_app.errors import UsageError
from bids_app.preproc.dataset import Place, state_of
from bids_app.preproc.raw_runs import raw_runs


@pytest.fixture
def raw(tmp_path):
    bids = tmp_path / "bids"

    def make(bold, t1w):
        for session in bold:
            place(bids, session, "func", "_task-rest_bold")
        for session in t1w:
            place(bids, session, "anat", "_T1w")
        return bids

    bids.mkdir()
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "raw", "BIDSVersion": "1.8.0"}))
    return make


def place(bids, session, datatype, end):
    folder = bids / "sub-01" / (f"ses-{session}" if session else "") / datatype
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"sub-01_ses-{session}" if session else "sub-01"
    (folder / f"{stem}{end}.nii.gz").touch()
    (folder / f"{stem}{end}.json").write_text('{"RepetitionTime": 2.0, "TaskName": "rest"}' if "bold" in end else "{}")


def chosen(bids, *options):
    words = [bids, bids.parent / "out", "participant", "--preprocess", "always", *options]
    return {run.entities.get("ses"): run for run in raw_runs(parse([str(word) for word in words]))}


def test_each_visit_has_its_own(raw):
    runs = chosen(raw(("pre", "post"), ("pre", "post")))
    assert {session: run.t1w.name for session, run in runs.items()} == {
        "pre": "sub-01_ses-pre_T1w.nii.gz",
        "post": "sub-01_ses-post_T1w.nii.gz",
    }
    assert {session: run.anatomy for session, run in runs.items()} == {
        "pre": {"sub": "01", "ses": "pre"},
        "post": {"sub": "01", "ses": "post"},
    }


@pytest.mark.parametrize(("t1w", "expected"), [(("pre",), "ses-pre_"), (("post",), "ses-post_"), (("",), "sub-01_T1w")])
def test_the_only_one_serves_all_and_is_named_by_the_participant(raw, t1w, expected):
    runs = chosen(raw(("pre", "post"), t1w))
    assert all(expected in run.t1w.name for run in runs.values())
    assert all(run.anatomy == {"sub": "01"} for run in runs.values())


def test_a_visit_without_one_takes_that_of_the_baseline(raw, caplog):
    caplog.set_level(logging.INFO, logger="bids_app")
    runs = chosen(raw(("pre", "post", "week8"), ("pre", "post")))
    assert "ses-pre_" in runs["week8"].t1w.name
    runs = chosen(raw(("pre", "week4", "week8"), ("pre", "week4")))
    assert "ses-pre_" in runs["week8"].t1w.name
    assert "ses-week8 has no T1w: sub-01_ses-pre_T1w.nii.gz is used" in caplog.text


@pytest.mark.parametrize(
    ("t1w", "because"),
    [
        (
            ("pre", "post"),
            {
                "pre": "of the same visit",
                "post": "of the same visit",
                "week8": "of the earliest visit; ses-week8 has no T1w",
            },
        ),
        (("post",), dict.fromkeys(("pre", "week8"), "the participant's only one; ses-{} has no T1w")),
        (("",), dict.fromkeys(("pre", "post", "week8"), "the participant's only one; ses-{} has no T1w")),
    ],
)
def test_why_it_is_that_one_is_kept_for_the_record(raw, t1w, because):
    runs = chosen(raw(("pre", "post", "week8"), t1w))
    for session, said in because.items():
        assert runs[session].t1w_because == said.format(session)


def test_that_of_the_baseline_is_said_to_be_that(raw):
    runs = chosen(raw(("pre", "post", "week8"), ("pre", "post")), "--baseline", "pre")
    assert runs["week8"].t1w_because == "of the baseline; ses-week8 has no T1w"


def test_without_evidence_it_is_asked_for(raw):
    bids = raw(("A", "B", "C"), ("A", "B"))
    with pytest.raises(UsageError, match="There is no T1w of ses-C; which of"):
        chosen(bids)
    assert "ses-B_" in chosen(bids, "--baseline", "B")["C"].t1w.name


def test_no_t1w_is_said(raw, caplog):
    assert chosen(raw(("pre",), ()))["pre"].t1w is None
    assert "no T1w image" in caplog.text


def test_a_scan_without_t1w_depends_on_its_own_files_alone(raw, tmp_path):
    bids = raw(("pre",), ())
    run = chosen(bids)["pre"]
    inputs = state_of(Place(tmp_path / "out", bids, "MNI"), None, run.bold, run.t1w)["Inputs"]
    assert {name.partition(".")[0] for name in inputs} == {"sub-01/ses-pre/func/sub-01_ses-pre_task-rest_bold"}
