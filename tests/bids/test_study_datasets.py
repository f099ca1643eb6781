"""A BIDS study: raw data in its sourcedata, what was made of them beside it in its derivatives."""

import json
import shutil

import pytest
from conftest import SMALL, SmallTrial

from bids_app.bids.datasets import find_derivatives, raw_dataset
from bids_app.errors import MissingInputError, UsageError


def describe(folder, kind):
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"Name": "study", "BIDSVersion": "1.10.1", "DatasetType": kind})
    (folder / "dataset_description.json").write_text(text)


@pytest.fixture
def study(tmp_path):
    """Four people in two arms; the raw dataset is one of two folders of source data."""
    root = tmp_path / "study-ds1"
    describe(root, "study")
    trial = SmallTrial(root / "sourcedata" / "ds1", root / "derivatives" / "fmriprep-25.2.7").begin()
    for label in ("01", "02", "03", "04"):
        for session in ("1", "2"):
            trial.add_run(label, session)
        (trial.bids / f"sub-{label}").mkdir()
    trial.add_arms(s01="a", s02="b", s03="a", s04="b")
    (root / "sourcedata" / "dicom" / "sub-01").mkdir(parents=True)
    return root


def test_the_study_and_its_raw_dataset_are_the_same_input(study, tmp_path, app):
    raw = study / "sourcedata" / "ds1"
    assert raw_dataset(study) == raw
    assert raw_dataset(raw) == raw
    (found,) = find_derivatives(raw)
    assert found.path == study / "derivatives" / "fmriprep-25.2.7"
    outcome = app(study, tmp_path / "out", "participant", *SMALL, "--participant-label", "01")
    assert outcome.code == 0, outcome.said
    assert f"{study} is a study; its raw dataset is read: {raw}" in outcome.said
    described = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert described["DatasetLinks"]["raw"] == "../study-ds1/sourcedata/ds1"
    checked = app(
        "check",
        study,
        tmp_path / "other",
        *SMALL,
        "--reference-arm",
        "b",
        "--no-baseline-motion",
        "--n-permutations",
        "20",
    )
    assert checked.code == 0, checked.said
    assert "4 of 4 would be compared" in checked.said


def test_what_the_raw_dataset_has_itself_goes_before_the_study(study):
    own = study / "sourcedata" / "ds1" / "derivatives" / "fmriprep"
    describe(own, "derivative")
    assert [one.path for one in find_derivatives(study / "sourcedata" / "ds1")] == [own]


def test_a_folder_that_is_no_study_lends_nothing(study):
    describe(study, "raw")
    with pytest.raises(MissingInputError, match="No preprocessed data: looked for"):
        find_derivatives(study / "sourcedata" / "ds1")
    assert raw_dataset(study) == study


def test_several_raw_datasets_are_a_question_and_none_is_an_error(study):
    shutil.copytree(study / "sourcedata" / "ds1", study / "sourcedata" / "ds2")
    with pytest.raises(UsageError, match=r"a study of several raw datasets: .*ds1, .*ds2"):
        raw_dataset(study)
    for name in ("ds1", "ds2"):
        describe(study / "sourcedata" / name, "derivative")
    with pytest.raises(MissingInputError, match="is a study"):
        raw_dataset(study)
