"""Public datasets with the files' names but without their content: what is found, and how it is refused."""

import json

import pytest

from bids_app.bids.runs import find_inputs
from bids_app.cli.settings_of import parse

MNI = "MNI152NLin2009cAsym"
TREES = {
    "synthetic": {
        "folder": "synthetic/derivatives/fmriprep",
        "runs": 10,
        "participants": 5,
        "reason": "label-brain_mask.nii is no readable image",
    },
    "ds000001": {"folder": "ds000001-fmriprep", "runs": 12, "participants": 4, "reason": "is empty (0 bytes)"},
    "ds002748": {"folder": "ds002748-fmriprep", "runs": 4, "participants": 4, "reason": "is empty (0 bytes)"},
}


@pytest.fixture(params=TREES)
def tree(request, shared_data):
    facts = TREES[request.param]
    return facts | {"path": shared_data / "bids_trees" / facts["folder"]}


def find(*words):
    return find_inputs(parse([str(word) for word in words]))


def snapshot(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_every_run_is_found_with_its_mask_and_confounds(tree):
    runs = find(tree["path"], "out", "participant").runs
    assert len(runs) == tree["runs"]
    assert len({run.entities["sub"] for run in runs}) == tree["participants"]
    for run in runs:
        stem = run.bold.name.partition("_space")[0]
        assert run.entities["space"] == MNI
        assert run.mask.name.startswith(f"{stem}_space-{MNI}")
        assert "brain_mask" in run.mask.name
        assert run.confounds.name.startswith(f"{stem}_")
        assert len({run.bold.parent, run.mask.parent, run.confounds.parent}) == 1


def test_rest_is_found_among_tasks_and_spaces(shared_data):
    inputs = find(shared_data / "bids_trees" / "synthetic", "out", "participant")
    assert {run.entities["task"] for run in inputs.runs} == {"rest"}
    assert {run.bold.name.endswith(".nii") for run in inputs.runs} == {True}
    assert [dataset.name for dataset in inputs.datasets] == ["fmriprep"]
    nback = find(shared_data / "bids_trees" / "synthetic", "out", "participant", "-t", "nback", "--space", "T1w")
    assert len(nback.runs) == 20
    assert {run.entities["run"] for run in nback.runs} == {"01", "02"}


def test_the_repetition_time_comes_from_the_sidecar(shared_data):
    runs = find(shared_data / "bids_trees" / "ds002748-fmriprep", "out", "participant").runs
    for run in runs:
        sidecar = json.loads(run.bold.with_name(run.bold.name.replace(".nii.gz", ".json")).read_text())
        assert run.repetition_time == sidecar["RepetitionTime"]


def test_a_raw_dataset_is_not_preprocessed(shared_data, app, tmp_path):
    raw = shared_data / "bids_trees" / "ds005917_ketamine_rct"
    outcome = app(raw, tmp_path / "out", "participant", "--preprocess", "never")
    assert outcome.code == 66
    assert f"No preprocessed data: looked for {raw}/derivatives/fmriprep*" in outcome.said
    assert "Run fMRIPrep first, or point to its output with --derivatives PATH" in outcome.said


def test_images_without_content_are_refused_one_by_one(tree, app, tmp_path, whole_files):
    before, out = snapshot(tree["path"]), tmp_path / "out"
    outcome = app(tree["path"], out, "participant", "--voxel-size", "15", "--denoise", "none", "--n-cpus", "1")
    assert outcome.code == 65, outcome.said
    assert "Traceback" not in outcome.said
    states = [json.loads(path.read_text()) for path in sorted((out / "logs" / "status").glob("*.json"))]
    scans = [scan for state in states for scan in state["Scans"]]
    assert len(states) == tree["participants"]
    assert len(scans) == tree["runs"]
    for state in states:
        page = (out / f"sub-{state['Participant']}.html").read_text()
        for scan in state["Scans"]:
            assert scan["State"] == "failed"
            assert tree["reason"] in scan["Reason"]
            assert scan["Reason"] in page
            assert f"{scan['Scan']}: {scan['Reason']}" in outcome.said
    assert whole_files(out) == set()
    assert not list(out.glob("sub-*/**/func"))
    assert snapshot(tree["path"]) == before
