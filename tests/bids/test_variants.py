"""What lies beside the images that are meant: parts, echoes, cohorts, resolutions, references."""

import json
import logging

import pytest

from bids_app.bids.names import Name
from bids_app.bids.runs import find_inputs
from bids_app.bids.variants import refuse_echoes, settled
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, NothingSelectedError, UsageError

MNI = "MNI152NLin2009cAsym"


def find(trial, *options):
    return find_inputs(parse([str(trial.bids), "out", "participant", *map(str, options)])).runs


def echo(trial, number, seconds=None, **more):
    """Write one echo of a run, hollow, with its echo time."""
    bold = trial.add_run(hollow=True, echo=str(number), **more)
    told = {"RepetitionTime": 2.0} | ({"EchoTime": seconds} if seconds else {})
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text(json.dumps(told))
    return bold


@pytest.fixture
def said(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("bids_app"), "propagate", True)
    caplog.set_level(logging.INFO)
    return caplog


def test_the_combination_is_taken_and_its_echoes_are_left_out(empty_trial, said):
    whole = empty_trial.add_run(hollow=True)
    for number in (1, 2, 3):
        echo(empty_trial, number, 0.012 * number)
    (run,) = find(empty_trial)
    assert (run.bold, run.echoes) == (whole, ())
    assert "its 3 echoes are left out, their combination is taken" in said.text


def test_echoes_without_a_combination_are_one_run(empty_trial, said):
    paths = [echo(empty_trial, number, seconds) for number, seconds in ((10, 0.06), (1, 0.012), (2, 0.028))]
    (run,) = find(empty_trial)
    assert run.echoes == (paths[1], paths[2], paths[0])  # by number, not by letter
    assert run.echo_times == (0.012, 0.028, 0.06)
    assert "echo" not in run.entities
    assert run.label == "sub-01 ses-1 task-rest"
    assert "3 echoes are there and no combination; they are combined by T2*" in said.text
    assert [source.rpartition("echo-")[2].partition("_")[0] for source in run.sources[:3]] == ["1", "2", "10"]


def test_companions_of_echoes_may_be_of_all_of_them(empty_trial):
    for number in (1, 2):
        bold = echo(empty_trial, number, 0.012 * number)
    stem = bold.name.partition("_echo")[0]
    for path in bold.parent.glob("*"):
        if "mask" in path.name or "confounds" in path.name:
            path.unlink()
    mask = bold.with_name(f"{stem}_space-{MNI}_desc-brain_mask.nii.gz")
    table = bold.with_name(f"{stem}_desc-confounds_timeseries.tsv")
    mask.touch(), table.touch()
    (run,) = find(empty_trial)
    assert (run.mask, run.confounds) == (mask, table)


def test_one_echo_alone_is_taken_as_it_is_and_that_is_said(empty_trial, said):
    echo(empty_trial, 2, 0.028)
    (run,) = find(empty_trial)
    assert (run.entities["echo"], run.echoes) == ("2", ())
    assert "this echo alone is there, or selected" in said.text


def test_one_echo_can_be_chosen(empty_trial, tmp_path):
    paths = [echo(empty_trial, number, 0.012 * number) for number in (1, 2, 3)]
    filters = tmp_path / "filters.json"
    filters.write_text('{"bold": {"echo": "2"}}')
    (run,) = find(empty_trial, "--bids-filter-file", filters)
    assert (run.bold, run.echoes) == (paths[1], ())


def test_echoes_are_put_together_run_by_run(empty_trial):
    for session in ("1", "2"):
        for number in (1, 2):
            echo(empty_trial, number, 0.012 * number, ses=session)
    assert [len(run.echoes) for run in find(empty_trial)] == [2, 2]


def test_native_echoes_beside_a_combination_in_the_template_do_not_matter(empty_trial):
    """As fMRIPrep leaves them with --me-output-echos."""
    empty_trial.add_run(hollow=True)
    for number in (1, 2, 3):
        echo(empty_trial, number, 0.012 * number, space=None)
    (run,) = find(empty_trial)
    assert (run.entities["space"], run.echoes) == (MNI, ())


def test_raw_echoes_are_no_scans_of_their_own():
    stem = "sub-01_task-rest_echo-{}_bold.nii.gz"
    with pytest.raises(UsageError, match=r'several echoes \(1, 2, 3\).*fMRIPrep.*\{"bold": \{"echo": "2"\}\}'):
        refuse_echoes(Name.parse(stem.format(number)) for number in (1, 2, 3))
    refuse_echoes([Name.parse(stem.format(2)), Name.parse("sub-02_task-rest_echo-2_bold.nii.gz")])


def test_a_raw_dataset_of_several_echoes_says_what_to_do(empty_trial, app, tmp_path):
    place = empty_trial.bids / "sub-01" / "func"
    place.mkdir(parents=True)
    for number in (1, 2):
        (place / f"sub-01_task-rest_echo-{number}_bold.nii.gz").touch()
    outcome = app(empty_trial.bids, tmp_path / "out", "participant", "--preprocess", "always")
    assert outcome.code == 64
    assert "These raw scans have several echoes (1, 2)" in outcome.said


@pytest.mark.parametrize("part", ["phase", "real", "imag"])
def test_parts_that_are_no_magnitude_are_left_out_and_that_is_said(empty_trial, said, part):
    magnitude = empty_trial.add_run(hollow=True, part="mag")
    empty_trial.add_run(hollow=True, part=part)
    assert [run.bold for run in find(empty_trial)] == [magnitude]
    assert f"1 image of part-{part} left out" in said.text


def test_phase_alone_is_no_scan(empty_trial):
    empty_trial.add_run(hollow=True, part="phase")
    with pytest.raises(NothingSelectedError, match="part-phase alone, and none of the magnitude"):
        find(empty_trial)


def test_a_run_with_and_without_part_is_not_counted_twice(empty_trial):
    empty_trial.add_run(hollow=True)
    empty_trial.add_run(hollow=True, part="mag")
    with pytest.raises(DataError, match="Two files claim to be the same run"):
        find(empty_trial)


def test_references_are_no_scans(empty_trial):
    bold = empty_trial.add_run(hollow=True)
    for name in (f"space-{MNI}_boldref.nii.gz", "sbref.nii.gz", f"space-{MNI}_desc-preproc_sbref.nii.gz"):
        bold.with_name(f"sub-01_ses-1_task-rest_{name}").touch()
    assert [run.bold for run in find(empty_trial)] == [bold]


@pytest.mark.parametrize(
    ("written", "space", "cohort"),
    [
        ("MNIInfant+2", "MNIInfant", "2"),
        ("MNIPediatricAsym+5", "MNIPediatricAsym", "5"),
        ("MNI152NLin6ASym", "MNI152NLin6Asym", None),
        (MNI, MNI, None),
    ],
)
def test_spaces_are_called_as_bids_calls_them(written, space, cohort):
    entities = settled(Name.parse(f"sub-01_task-rest_space-{written}_desc-preproc_bold.nii.gz")).entities
    assert (entities["space"], entities.get("cohort")) == (space, cohort)


@pytest.mark.parametrize("option", ["MNIInfant", "MNIInfant+2"])
@pytest.mark.parametrize("named", [{"space": "MNIInfant+2"}, {"space": "MNIInfant", "cohort": "2"}])
def test_a_cohort_is_found_however_it_is_written(empty_trial, option, named):
    bold = empty_trial.add_run(hollow=True, **named)
    (run,) = find(empty_trial, "--space", option)
    assert (run.bold, run.entities["space"], run.entities["cohort"]) == (bold, "MNIInfant", "2")
    assert run.mask is not None
    assert run.confounds is not None


def test_several_cohorts_are_a_question_to_the_user(empty_trial):
    for cohort in ("1", "2"):
        empty_trial.add_run(hollow=True, space=f"MNIInfant+{cohort}")
    with pytest.raises(UsageError, match=r"Several cohorts .*: MNIInfant\+1, MNIInfant\+2. Choose one with --space"):
        find(empty_trial, "--space", "MNIInfant")
    (run,) = find(empty_trial, "--space", "MNIInfant+1")
    assert run.entities["cohort"] == "1"
    with pytest.raises(NothingSelectedError, match=r"--space MNIInfant\+3: .* there are MNIInfant\+1, MNIInfant\+2"):
        find(empty_trial, "--space", "MNIInfant+3")


def test_an_infant_with_a_t2w_alone_is_read_in_its_cohort(empty_trial):
    """No T1w is needed for images in a template, and the runs' own masks are theirs."""
    for session in ("1", "2"):
        empty_trial.add_run(ses=session, hollow=True, space="MNIInfant+2")
        for pattern in OF_T2W:
            path = empty_trial.fmriprep / "sub-01" / pattern.format(session, "MNIInfant+2")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    runs = find(empty_trial, "--space", "MNIInfant+2")
    assert [run.entities["ses"] for run in runs] == ["1", "2"]
    assert {run.entities["cohort"] for run in runs} == {"2"}
    for run in runs:
        assert run.mask.parent == run.bold.parent


def test_resolutions_of_a_cohort_are_a_question_too(empty_trial):
    for resolution in ("1", "2"):
        empty_trial.add_run(hollow=True, space="MNIInfant+2", res=resolution)
    with pytest.raises(UsageError, match=r"res could be meant: 1, 2. Choose with --res"):
        find(empty_trial, "--space", "MNIInfant+2")
    (run,) = find(empty_trial, "--space", "MNIInfant+2", "--res", "2")
    assert run.entities["res"] == "2"


def test_native_resolution_is_one_of_several(empty_trial):
    for resolution in ("1", "2", "native"):
        empty_trial.add_run(res=resolution, hollow=True)
    with pytest.raises(UsageError, match=r"res could be meant: 1, 2, native. Choose with --res"):
        find(empty_trial)
    (run,) = find(empty_trial, "--res", "native")
    assert "_res-native_desc-brain_mask" in run.mask.name


def test_what_has_no_resolution_can_be_chosen(empty_trial, tmp_path):
    for resolution in ("2", None):
        empty_trial.add_run(res=resolution, hollow=True)
    filters = tmp_path / "filters.json"
    filters.write_text('{"bold": {"res": null}}')
    (run,) = find(empty_trial, "--bids-filter-file", filters)
    assert "res" not in run.entities


# What fMRIPrep 25.2 writes with --subject-anatomical-reference sessionwise, and unbiased (its docs/outputs.rst): the
# anatomy of each session, or of none. Maps need none of it, and none of it may be taken for a scan or a mask of one.
SESSIONWISE = (
    "ses-{0}/anat/sub-01_ses-{0}_space-{1}_desc-preproc_T1w.nii.gz",
    "ses-{0}/anat/sub-01_ses-{0}_space-{1}_desc-brain_mask.nii.gz",
    "ses-{0}/anat/sub-01_ses-{0}_from-T1w_to-{1}_mode-image_xfm.h5",
)
UNBIASED = (
    "anat/sub-01_space-{1}_desc-preproc_T1w.nii.gz",
    "anat/sub-01_space-{1}_desc-brain_mask.nii.gz",
    "anat/sub-01_from-T1w_to-{1}_mode-image_xfm.h5",
    "ses-{0}/anat/sub-01_ses-{0}_from-orig_to-T1w_mode-image_xfm.txt",
)


# What NiBabies leaves of an infant whose surfaces MCRIBS made: a T2w, and no T1w.
OF_T2W = (
    *(name.replace("T1w", "T2w") for name in (*SESSIONWISE, *UNBIASED)),
    "anat/sub-01_desc-preproc_T2w.nii.gz",
    "anat/sub-01_hemi-L_space-T2w_midthickness.surf.gii",
)


@pytest.mark.parametrize("layout", [SESSIONWISE, UNBIASED, SESSIONWISE + UNBIASED, OF_T2W])
def test_scans_keep_their_own_masks_wherever_the_anatomy_lies(empty_trial, layout):
    for session in ("1", "2"):
        empty_trial.add_run(ses=session, hollow=True)
        for pattern in layout:
            path = empty_trial.fmriprep / "sub-01" / pattern.format(session, MNI)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    runs = find(empty_trial)
    assert [run.entities["ses"] for run in runs] == ["1", "2"]
    for run in runs:
        assert run.mask.parent == run.bold.parent
