"""Kinds of public data sets that are not among those tried: a plan for a group, or one sentence of what is missing.

The listings are those of bids-standard/bids-examples, cut to a few participants; images hold nothing.
"""

import json
import re

import pytest

from bids_app.cli.main import main

PEOPLE = ("01", "02", "03")


def write(root, names, rows=("participant_id\tage", *(f"sub-{who}\t{20 + int(who)}" for who in PEOPLE)), **described):
    root.mkdir()
    content = {"Name": root.name, "BIDSVersion": "1.8.0", **described}
    (root / "dataset_description.json").write_text(json.dumps(content))
    if rows:
        (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}" if name.endswith(".json") else "")


def of_each(*names, people=PEOPLE):
    """Write one name of each participant: {s} stands for sub-<label>."""
    return [name.format(s=f"sub-{who}") for who in people for name in names]


@pytest.fixture
def check(tmp_path, capsys):
    """Make a tree and say what `check` says of it, with the exit code."""

    def call(name, names, *words, **more):
        root = tmp_path / name
        write(root, names, **more)
        capsys.readouterr()
        code = main(["check", str(root), str(tmp_path / "out"), *words, "--skip-bids-validation"])
        heard = capsys.readouterr()
        assert not (tmp_path / "out").exists()
        return code, re.sub(r"\s+", " ", heard.out), re.sub(r"\s+", " ", heard.err)

    return call


WITHOUT_BOLD = {
    "ds000248": ("anat, meg", ["{s}/anat/{s}_T1w.nii.gz", "{s}/meg/{s}_task-audiovisual_run-01_meg.fif"]),
    "asl001": ("anat, perf", ["{s}/anat/{s}_T1w.nii.gz", "{s}/perf/{s}_asl.nii.gz", "{s}/perf/{s}_aslcontext.tsv"]),
    "pet001": ("anat, pet", ["{s}/ses-01/anat/{s}_ses-01_T1w.nii", "{s}/ses-01/pet/{s}_ses-01_pet.nii.gz"]),
    "eeg_rest_fmri": ("eeg", ["{s}/eeg/{s}_task-rest_eeg.vhdr", "{s}/eeg/{s}_task-rest_channels.tsv"]),
    "fnirs_tapping": ("nirs", ["{s}/nirs/{s}_task-tapping_nirs.snirf", "{s}/nirs/{s}_coordsystem.json"]),
    "micr_SEM": ("micr", ["{s}/micr/{s}_sample-01_SEM.png"]),
    "motion_spotrotation": ("motion", ["{s}/ses-body/motion/{s}_ses-body_task-rotate_tracksys-hmd_motion.tsv"]),
    "qmri_mp2rage": ("anat, fmap", ["{s}/anat/{s}_inv-1_part-mag_MP2RAGE.nii", "{s}/fmap/{s}_TB1map.nii.gz"]),
    "mrs_2dmrsi": ("anat, mrs", ["{s}/anat/{s}_T1w.nii.gz", "{s}/mrs/{s}_nuc-1H_svs.nii.gz"]),
}


@pytest.mark.parametrize("name", WITHOUT_BOLD)
def test_data_without_functional_mri_are_said_to_be_so(check, name):
    kinds, files = WITHOUT_BOLD[name]
    code, printed, said = check(name, of_each(*files))
    assert code == 66
    assert printed == ""
    assert said.count("trialgraph:") == 1
    assert f"its participants have {kinds} and no func/*_bold.nii[.gz], and only functional MRI can be analysed" in said


@pytest.mark.parametrize("files", [["{s}/dwi/{s}_desc-preproc_dwi.nii.gz"], ["{s}/pet/{s}_desc-preproc_pet.nii.gz"]])
def test_derivatives_of_something_else_hold_no_run(check, files):
    code, _, said = check("dwi_deriv", of_each(*files), DatasetType="derivative", GeneratedBy=[{"Name": "qsiprep"}])
    assert code == 18
    assert said.count("trialgraph:") == 1
    assert "No run is selected in" in said


def test_an_atlas_has_no_participants(check):
    names = ["tpl-MNI152NLin2009cAsym/anat/tpl-MNI152NLin2009cAsym_atlas-DiFuMo_dseg.nii.gz", "atlas-DiFuMo_dseg.tsv"]
    code, _, said = check("atlas-difumo", names, rows=())
    assert code == 66
    assert "No preprocessed data" in said


def test_runs_of_two_sessions_are_one_scan_of_each_visit(check):
    """As 7t_trt: resting state in two runs of each of two sessions, numbered."""
    names = [
        f"{{s}}/ses-{session}/func/{{s}}_ses-{session}_task-rest_acq-fullbrain_run-{run}_bold.nii.gz"
        for session in (1, 2)
        for run in (1, 2)
    ]
    code, printed, said = check(
        "7t_trt", [*of_each(*names), "task-rest_acq-fullbrain_bold.json"], "--design", "one-group"
    )
    assert code == 0
    assert "12 raw scans would be preprocessed" in printed
    assert "3 of 3 would be compared" in printed
    assert "ses-1 is the baseline and ses-2 the follow-up, because the labels say so" in said


def test_test_and_retest_are_visits_in_a_known_order_or_asked_for(check):
    """As ds114: five tasks at a test and a retest."""
    names = [
        f"{{s}}/ses-{session}/func/{{s}}_ses-{session}_task-{task}_bold.nii.gz"
        for session in ("test", "retest")
        for task in ("fingerfootlips", "linebisection")
    ]
    task = ("--design", "one-group", "--task-id", "fingerfootlips")
    code, _, said = check("ds114", of_each(*names), "--design", "one-group")
    assert code == 64
    assert "Several values of task could be meant: fingerfootlips, linebisection" in said
    code, printed, said = check("ds114_again", of_each(*names), *task, "--baseline", "test", "--followup", "retest")
    assert code == 0
    assert "3 of 3 would be compared" in printed


def test_a_resting_scan_without_sessions_is_one_visit(check):
    """As ds001 and synthetic data: no session, and groups that nobody randomized."""
    names = of_each("{s}/func/{s}_task-rest_run-01_bold.nii.gz", people=("01", "02", "03", "04"))
    rows = ("participant_id\tsex", *(f"sub-0{who}\t{'FM'[who % 2]}" for who in (1, 2, 3, 4)))
    code, printed, _ = check("ds001", names, "--design", "groups", "--arm", "sex", "--reference-arm", "F", rows=rows)
    assert code == 0
    assert "4 of 4 would be compared" in printed


def test_scans_beside_other_modalities_are_found(check):
    """As ds000117 and xeeg: functional MRI in one session, EEG in another."""
    names = of_each(
        "{s}/ses-mri/func/{s}_ses-mri_task-rest_bold.nii.gz", "{s}/ses-eeg/eeg/{s}_ses-eeg_task-rest_eeg.edf"
    )
    code, printed, said = check("xeeg", names, "--design", "one-group")
    assert code == 0
    assert "3 of 3 would be compared" in printed
    assert "ses-mri is looked at by itself" in said


def test_fmriprep_of_many_spaces_and_runs_has_a_plan(check):
    """As ds000001-fmriprep: three runs of one task, in two templates."""
    func = "{s}/func/{s}_task-balloon_run-"
    ends = [
        f"{run}_space-{space}_{what}"
        for run in (1, 2, 3)
        for space in ("MNI152NLin2009cAsym", "MNI152NLin6Asym")
        for what in ("desc-preproc_bold.nii.gz", "desc-preproc_bold.json", "desc-brain_mask.nii.gz")
    ]
    ends += [f"{run}_desc-confounds_timeseries.tsv" for run in (1, 2, 3)]
    described = {"DatasetType": "derivative", "GeneratedBy": [{"Name": "fMRIPrep", "Version": "20.2.0"}]}
    names = of_each(*(func + end for end in ends))
    code, printed, said = check("fmriprep", names, "--design", "one-group", rows=(), **described)
    assert code == 0
    assert "9 scans of 3 participants would be processed" in printed
    assert "space MNI152NLin2009cAsym is analysed" in said
