import json

import pytest
from bids.layout import BIDSLayout, BIDSLayoutIndexer

from bids_app.bids.datasets import find_derivatives
from bids_app.bids.runs import BoldRun, find_inputs
from bids_app.bids.series_runs import SeriesRun
from bids_app.bids.sidecars import Sidecars
from bids_app.bids.timing import repetition_time
from bids_app.cli import settings_of as command_line
from bids_app.errors import DataError, MissingInputError, NothingSelectedError, UsageError
from bids_app.settings.named import NamedPath

MNI, MNI6 = "MNI152NLin2009cAsym", "MNI152NLin6Asym"


def find(bids_dir, *options):
    return find_inputs(command_line.parse([str(bids_dir), "out", "participant", *map(str, options)]))


def found(trial, *options):
    return [run.bold.name for run in find(trial.bids, *options).runs]


def write(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def write_run(trial, stem, suffixes):
    """Write empty files of one run, named as some version of fMRIPrep names them."""
    place = trial.fmriprep / "/".join(part for part in stem.split("_")[:2] if part[:4] in ("sub-", "ses-")) / "func"
    for suffix in suffixes:
        write(place / f"{stem}_{suffix}")


# What fMRIPrep wrote for one run, version by version (its docs/changes), and what belongs together.
VERSIONS = {
    "1.5": (
        "sub-01_task-rest_run-1",
        [
            f"space-{MNI}_desc-preproc_bold.nii.gz",
            f"space-{MNI}_desc-brain_mask.nii.gz",
            f"space-{MNI}_desc-smoothAROMAnonaggr_bold.nii.gz",
            "desc-confounds_regressors.tsv",
        ],
        (
            f"space-{MNI}_desc-preproc_bold.nii.gz",
            f"space-{MNI}_desc-brain_mask.nii.gz",
            "desc-confounds_regressors.tsv",
        ),
    ),
    "20.2": (
        "sub-01_task-rest_run-1",
        [
            f"space-{MNI}_res-2_desc-preproc_bold.nii.gz",
            f"space-{MNI}_res-2_desc-brain_mask.nii.gz",
            f"space-{MNI}_res-2_boldref.nii.gz",
            f"space-{MNI6}_desc-smoothAROMAnonaggr_bold.nii.gz",
            "space-T1w_desc-preproc_bold.nii.gz",
            "space-T1w_desc-brain_mask.nii.gz",
            "desc-confounds_timeseries.tsv",
            "desc-MELODIC_mixing.tsv",
        ],
        (
            f"space-{MNI}_res-2_desc-preproc_bold.nii.gz",
            f"space-{MNI}_res-2_desc-brain_mask.nii.gz",
            "desc-confounds_timeseries.tsv",
        ),
    ),
    "22.0": (
        "sub-01_ses-pre_task-rest_acq-mb4_dir-PA_run-01",
        [
            f"space-{MNI}_desc-preproc_bold.nii.gz",
            f"space-{MNI}_desc-brain_mask.nii.gz",
            "desc-brain_mask.nii.gz",
            "desc-confounds_timeseries.tsv",
            "hemi-L_space-fsaverage5_bold.func.gii",
            "space-fsLR_den-91k_bold.dtseries.nii",
        ],
        (
            f"space-{MNI}_desc-preproc_bold.nii.gz",
            f"space-{MNI}_desc-brain_mask.nii.gz",
            "desc-confounds_timeseries.tsv",
        ),
    ),
    "25.2": (
        "sub-01_ses-pre_task-rest_run-02_part-mag",
        [
            "desc-preproc_bold.nii.gz",
            "desc-brain_mask.nii.gz",
            "desc-hmc_boldref.nii.gz",
            "desc-coreg_boldref.nii.gz",
            f"space-{MNI}_desc-preproc_bold.nii.gz",
            f"space-{MNI}_desc-brain_mask.nii.gz",
            f"space-{MNI}_boldref.nii.gz",
            "desc-confounds_timeseries.tsv",
        ],
        (
            f"space-{MNI}_desc-preproc_bold.nii.gz",
            f"space-{MNI}_desc-brain_mask.nii.gz",
            "desc-confounds_timeseries.tsv",
        ),
    ),
    "by hand": (
        "sub-01_ses-01_task-rest",
        [f"space-{MNI}_desc-preproc_bold.nii", f"space-{MNI}_label-brain_mask.nii", "timeseries.tsv"],
        (f"space-{MNI}_desc-preproc_bold.nii", f"space-{MNI}_label-brain_mask.nii", "timeseries.tsv"),
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_files_that_belong_together_are_found_whatever_the_version_called_them(empty_trial, version):
    stem, suffixes, expected = VERSIONS[version]
    write_run(empty_trial, stem, suffixes)
    (run,) = find(empty_trial.bids).runs
    assert isinstance(run, BoldRun)
    assert (run.bold.name, run.mask.name, run.confounds.name) == tuple(f"{stem}_{suffix}" for suffix in expected)
    assert run.sources[0] == f"bids:fmriprep:{run.bold.relative_to(empty_trial.fmriprep).as_posix()}"
    assert len(run.sources) == 3


def test_the_padding_of_runs_is_kept_and_tells_runs_apart(empty_trial):
    for run in ("1", "02", "10"):
        empty_trial.add_run(run=run, hollow=True)
    assert sorted(run.entities["run"] for run in find(empty_trial.bids).runs) == ["02", "1", "10"]


def test_runs_come_by_participant_and_in_order(empty_trial):
    for participant, session in [("10", "2"), ("10", "1"), ("02", "1")]:
        empty_trial.add_run(participant, session, hollow=True)
    ordered = find(empty_trial.bids).by_participant
    assert {participant: [run.label for run in runs] for participant, runs in ordered.items()} == {
        "02": ["sub-02 ses-1 task-rest"],
        "10": ["sub-10 ses-1 task-rest", "sub-10 ses-2 task-rest"],
    }
    assert list(ordered) == ["02", "10"]


def test_each_run_gets_its_own_companions(empty_trial):
    for acquisition in ("a", "b"):
        for number in ("1", "2"):
            empty_trial.add_run(acq=acquisition, run=number, hollow=True)
    runs = find(empty_trial.bids).runs
    assert len(runs) == 4
    for run in runs:
        stem = run.bold.name.partition("_space")[0]
        assert run.mask.name.startswith(f"{stem}_space")
        assert run.confounds.name == f"{stem}_desc-confounds_timeseries.tsv"


def test_missing_companions_do_not_stop_the_search(empty_trial):
    for path in empty_trial.add_run(hollow=True).parent.glob("*[kss].[nt]*"):
        if "bold" not in path.name:
            path.unlink()
    (run,) = find(empty_trial.bids).runs
    assert (run.mask, run.confounds) == (None, None)
    assert len(run.sources) == 1


def test_two_masks_of_one_run_are_not_chosen_from(empty_trial):
    bold = empty_trial.add_run(hollow=True)
    bold.with_name(bold.name.replace("desc-preproc_bold", "label-brain_mask")).touch()
    with pytest.raises(DataError, match=r"more than one brain mask fits: .*desc-brain.*label-brain|label.*desc-brain"):
        find(empty_trial.bids)


def test_the_preferred_space_is_2009c(empty_trial):
    for space in (MNI6, MNI, "T1w", None):
        empty_trial.add_run(space=space, hollow=True)
    assert [run.entities["space"] for run in find(empty_trial.bids).runs] == [MNI]


def test_6asym_is_taken_if_2009c_is_not_there_for_every_run(empty_trial):
    for session in ("1", "2"):
        empty_trial.add_run(ses=session, space=MNI6, hollow=True)
    empty_trial.add_run(ses="1", space=MNI, hollow=True)
    assert [run.entities["space"] for run in find(empty_trial.bids).runs] == [MNI6, MNI6]


def test_no_space_that_every_run_has_is_a_question_to_the_user(empty_trial):
    empty_trial.add_run(ses="1", space=MNI, hollow=True)
    empty_trial.add_run(ses="2", space=MNI6, hollow=True)
    with pytest.raises(
        UsageError, match=rf"Several values of space could be meant: {MNI}, {MNI6}. Choose with --space"
    ):
        find(empty_trial.bids)
    assert len(find(empty_trial.bids, "--space", MNI6).runs) == 1


def test_two_spaces_neither_preferred_is_a_question_to_the_user(empty_trial):
    for space in ("T1w", None):
        empty_trial.add_run(space=space, hollow=True)
    with pytest.raises(UsageError, match=r"space could be meant: \(no space\), T1w"):
        find(empty_trial.bids)
    assert found(empty_trial, "--space", "T1w") == ["sub-01_ses-1_task-rest_space-T1w_desc-preproc_bold.nii.gz"]


def test_a_space_that_no_run_has_is_named_with_those_there_are(empty_trial):
    empty_trial.add_run(hollow=True)
    with pytest.raises(NothingSelectedError, match=f"--space T1w: no preprocessed run has it; there are {MNI}"):
        find(empty_trial.bids, "--space", "T1w")


def test_several_resolutions_are_a_question_to_the_user(empty_trial):
    for resolution in ("1", "2", None):
        empty_trial.add_run(res=resolution, hollow=True)
    with pytest.raises(UsageError, match=r"res could be meant: \(no res\), 1, 2. Choose with --res"):
        find(empty_trial.bids)
    (run,) = find(empty_trial.bids, "--res", "2").runs
    assert run.entities["res"] == "2"
    assert "_res-2_desc-brain_mask" in run.mask.name


@pytest.mark.parametrize("name", ["rest", "resting", "restingstate", "Rest", "restEyesOpen"])
def test_rest_is_the_preferred_task(empty_trial, name):
    for task in ("nback", name):
        empty_trial.add_run(task=task, hollow=True)
    assert [run.entities["task"] for run in find(empty_trial.bids).runs] == [name]
    assert [run.entities["task"] for run in find(empty_trial.bids, "-t", "nback").runs] == ["nback"]


@pytest.mark.parametrize("tasks", [("nback", "movie"), ("rest", "restEyesOpen")])
def test_several_tasks_are_a_question_to_the_user(empty_trial, tasks):
    for task in tasks:
        empty_trial.add_run(task=task, hollow=True)
    with pytest.raises(UsageError, match=f"task could be meant: {', '.join(sorted(tasks))}. Choose with --task-id"):
        find(empty_trial.bids)


def test_phase_images_and_single_echos_are_no_runs(empty_trial):
    empty_trial.add_run(hollow=True)
    for more in ({"echo": "1"}, {"echo": "2"}, {"part": "phase"}):
        empty_trial.add_run(hollow=True, **more)
    assert found(empty_trial) == [f"sub-01_ses-1_task-rest_space-{MNI}_desc-preproc_bold.nii.gz"]


def test_participants_and_sessions_are_selected(empty_trial):
    for participant in ("01", "02"):
        for session in ("1", "2"):
            empty_trial.add_run(participant, session, hollow=True)
    runs = find(empty_trial.bids, "--participant-label", "sub-02", "--session-label", "ses-1").runs
    assert [run.label for run in runs] == ["sub-02 ses-1 task-rest"]


@pytest.mark.parametrize("option", ["participant", "session"])
def test_an_unknown_label_is_named_with_those_there_are(empty_trial, option):
    empty_trial.add_run("01", "1", hollow=True)
    there = {"participant": "01", "session": "1"}[option]
    with pytest.raises(NothingSelectedError, match=rf"--{option}-label: no {option} 99 in .*there are {there}"):
        find(empty_trial.bids, f"--{option}-label", "99", there)


def test_labels_that_exist_but_not_together_select_nothing(empty_trial):
    empty_trial.add_run("01", "1", hollow=True)
    empty_trial.add_run("02", "2", hollow=True)
    with pytest.raises(NothingSelectedError, match=r"No run is selected in .*\(participants 01; sessions 2\)"):
        find(empty_trial.bids, "--participant-label", "01", "--session-label", "2")


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"bold": {"acquisition": "b"}}, ["b"]),
        ({"bold": {"acquisition": None}}, [None]),
        ({"bold": {"acquisition": "*"}}, ["a", "b"]),
        ({"bold": {"acquisition": ["a", "b"]}}, ["a", "b"]),
        ({"mask": {"acquisition": "a"}}, ["a", "b", None]),
    ],
)
def test_a_filter_file_selects(empty_trial, tmp_path, filters, kept):
    for acquisition in ("a", "b", None):
        empty_trial.add_run(acq=acquisition, hollow=True)
    path = write(tmp_path / "filters.json", json.dumps(filters))
    runs = find(empty_trial.bids, "--bids-filter-file", path).runs
    assert [run.entities.get("acq") for run in runs] == kept
    assert all((run.mask is None) == ("mask" in filters and run.entities.get("acq") != "a") for run in runs)


def test_a_filter_by_an_unknown_entity_is_a_usage_error(empty_trial, tmp_path):
    empty_trial.add_run(hollow=True)
    path = write(tmp_path / "filters.json", '{"bold": {"acquisitoin": "a"}}')
    with pytest.raises(UsageError, match=r"--bids-filter-file: query bold: .*acquisitoin"):
        find(empty_trial.bids, "--bids-filter-file", path)


def test_the_repetition_time_is_inherited(empty_trial):
    bold = empty_trial.add_run(hollow=True)
    bold.with_name(bold.name.replace(".nii.gz", ".json")).unlink()
    assert find(empty_trial.bids).runs[0].repetition_time is None
    write(empty_trial.fmriprep / "task-rest_bold.json", '{"RepetitionTime": 0.8}')
    assert find(empty_trial.bids).runs[0].repetition_time == 0.8


def test_sidecars_that_cannot_be_read_are_named(empty_trial):
    bold = empty_trial.add_run(hollow=True)
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text("{")
    empty_trial.add_run("02", hollow=True)
    damaged, whole = find(empty_trial.bids).runs
    assert whole.repetition_time == 2.0
    with pytest.raises(DataError, match=r"desc-preproc_bold.json: not valid JSON"):
        repetition_time("x", damaged.repetition_time, None)


def test_what_pybids_reads_of_sidecars_is_what_we_read(empty_trial):
    """With files at every level, some of which are of others."""
    bold = empty_trial.add_run(hollow=True)
    empty_trial.add_run("02", "2", hollow=True)
    folder, root = bold.parent, empty_trial.fmriprep
    for path, content in {
        root / "task-rest_bold.json": {"A": 1, "B": 1, "C": 1},
        root / "task-other_bold.json": {"A": 9},
        root / "sub-01" / "sub-01_task-rest_bold.json": {"B": 2, "C": 2},
        folder / "sub-01_ses-1_task-rest_bold.json": {"C": 3, "D": 3},
        folder / "sub-01_ses-1_task-rest_acq-x_bold.json": {"D": 9},
        folder / "sub-01_ses-1_task-rest_desc-brain_mask.json": {"D": 9},
    }.items():
        path.write_text(json.dumps(content))
    config = ["bids", "derivatives"]
    theirs = BIDSLayout(root, validate=False, config=config, indexer=BIDSLayoutIndexer(validate=False))
    ours = Sidecars.of_layout(theirs)
    for path in theirs.get(suffix="bold", extension=".nii.gz", return_type="filename"):
        assert ours.metadata(path) == theirs.get_metadata(path)
    assert ours.metadata(bold)["C"] == 3


def test_no_preprocessed_data_says_where_it_looked(tmp_path):
    with pytest.raises(MissingInputError, match=r"looked for .*derivatives/fmriprep\*.*--derivatives PATH"):
        find_derivatives(tmp_path)


def test_two_derivatives_are_a_question_to_the_user(empty_trial):
    for folder in ("fmriprep", "fmriprep-23.2.1"):
        empty_trial.describe(empty_trial.bids / "derivatives" / folder, "derivative")
    with pytest.raises(UsageError, match=r"Several .*/fmriprep, .*/fmriprep-23.2.1. Choose with --derivatives"):
        find_derivatives(empty_trial.bids)
    chosen = empty_trial.bids / "derivatives" / "fmriprep-23.2.1"
    assert [dataset.path for dataset in find_derivatives(empty_trial.bids, [NamedPath("old", chosen)])] == [chosen]


def test_the_bids_folder_may_be_the_derivative(empty_trial):
    empty_trial.add_run(hollow=True)
    (run,) = find(empty_trial.fmriprep).runs
    assert run.sources[0].startswith("bids:fmriprep:sub-01/ses-1/func/")


def test_raw_data_are_not_taken_for_preprocessed_ones(empty_trial, tmp_path):
    empty_trial.describe(tmp_path / "raw", "raw")
    write(tmp_path / "raw" / "sub-01" / "func" / "sub-01_task-rest_bold.nii.gz")
    with pytest.raises(MissingInputError, match="does not say DatasetType derivative"):
        find(tmp_path / "raw")


def test_a_derivative_needs_no_description(empty_trial):
    empty_trial.add_run(hollow=True)
    (empty_trial.fmriprep / "dataset_description.json").unlink()
    assert len(found(empty_trial)) == 1


def test_a_description_that_is_no_json_is_named(empty_trial):
    (empty_trial.fmriprep / "dataset_description.json").write_text("{")
    with pytest.raises(DataError, match=r"fmriprep/dataset_description.json: not valid JSON"):
        find(empty_trial.bids)


def test_derivatives_by_name_and_from_elsewhere(empty_trial, tmp_path):
    empty_trial.add_run(hollow=True)
    elsewhere = tmp_path / "preprocessed"
    empty_trial.fmriprep.rename(elsewhere)
    (run,) = find(empty_trial.bids, "--derivatives", f"fmriprep={elsewhere}").runs
    assert run.bold.is_relative_to(elsewhere)
    assert run.sources[0].startswith("bids:fmriprep:sub-01/")


def test_two_derivatives_of_one_name_are_told_apart_by_the_user(empty_trial, tmp_path):
    for place, session in (("a", "1"), ("b", "2")):
        other = type(empty_trial)(empty_trial.bids, tmp_path / place / "fmriprep").begin()
        other.add_run(ses=session, hollow=True)
    paths = [tmp_path / place / "fmriprep" for place in "ab"]
    with pytest.raises(UsageError, match="two datasets have the same name"):
        find(empty_trial.bids, "--derivatives", *paths)
    named = find(empty_trial.bids, "--derivatives", f"one={paths[0]}", f"two={paths[1]}")
    assert [run.sources[0].split(":")[1] for run in named.runs] == ["one", "two"]


def test_one_run_in_two_derivatives_is_not_chosen_from(empty_trial, tmp_path):
    for place in ("first", "second"):
        type(empty_trial)(empty_trial.bids, tmp_path / place).begin().add_run(hollow=True)
    with pytest.raises(DataError, match=r"Two files claim to be the same run: .*/first/.*, .*/second/"):
        find(empty_trial.bids, "--derivatives", tmp_path / "first", tmp_path / "second")


XCPD = "sub-01_ses-1_task-rest_space-MNI152NLin2009cAsym_seg-4S156Parcels_stat-mean_timeseries"
GIGA = "sub-01_ses-1_task-rest_seg-MIST_desc-simple_timeseries"


@pytest.mark.parametrize(("stem", "atlas"), [(XCPD, "4S156Parcels"), (GIGA, "MIST")])
@pytest.mark.parametrize(
    ("sidecar", "seconds"), [({"SamplingFrequency": 0.5}, 2.0), ({"RepetitionTime": 1.5}, 1.5), ({}, None)]
)
def test_series_of_other_tools_are_found(empty_trial, stem, atlas, sidecar, seconds):
    place = empty_trial.fmriprep / "sub-01" / "ses-1" / "func"
    write(place / f"{stem}.tsv")
    write(place / f"{stem}.json", json.dumps(sidecar))
    for other in ("stat-coverage_bold", "stat-pearsoncorrelation_relmat"):
        write(place / f"{stem.partition('_stat')[0]}_{other}.tsv")
    (run,) = find(empty_trial.bids).runs
    assert isinstance(run, SeriesRun)
    assert run.timeseries.name == f"{stem}.tsv"
    assert run.repetition_time == seconds
    assert run.label.startswith(f"sub-01 ses-1 task-rest {atlas}")
    assert "stat" not in run.entities


def test_several_atlases_of_one_scan_are_several_runs(empty_trial):
    place = empty_trial.fmriprep / "sub-01" / "func"
    for atlas in ("4S156Parcels", "Tian"):
        write(place / f"sub-01_task-rest_space-{MNI}_seg-{atlas}_stat-mean_timeseries.tsv")
        write(place / f"sub-01_task-rest_space-{MNI}_seg-{atlas}_stat-alff_timeseries.tsv")
    assert [run.entities["seg"] for run in find(empty_trial.bids).runs] == ["4S156Parcels", "Tian"]


def test_minimal_fmriprep_output_is_told_from_an_empty_selection(empty_trial):
    write_run(empty_trial, "sub-01_task-rest", ["desc-hmc_boldref.nii.gz", "desc-brain_mask.nii.gz"])
    with pytest.raises(NothingSelectedError, match="--level minimal"):
        find(empty_trial.bids)
