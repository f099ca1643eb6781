"""What fMRIPrep left of a run: names of its versions, what is missing, and when it is this that is used."""

import json
from pathlib import Path

import pytest

from bids_app.bids.datasets import Dataset
from bids_app.cli.main import main
from bids_app.cli.settings_of import parse
from bids_app.errors import NothingSelectedError, UsageError
from bids_app.preproc.fitted.fit import Folder, not_corrected_because
from bids_app.preproc.fitted.runs import runs_to_preprocess
from bids_app.preproc.raw_runs import wants_preprocessing

MNI = "MNI152NLin2009cAsym"
STEM = "sub-01_ses-A_task-rest_run-01"
ANATOMY = [
    f"anat/sub-01_{end}"
    for end in (
        f"from-T1w_to-{MNI}_mode-image_xfm.h5",
        f"from-{MNI}_to-T1w_mode-image_xfm.h5",
        "from-T1w_to-fsnative_mode-image_xfm.txt",
        "desc-preproc_T1w.nii.gz",
        "desc-brain_mask.nii.gz",
        *(f"label-{tissue}_probseg.nii.gz" for tissue in ("GM", "WM", "CSF")),
    )
]
FIELD = [f"ses-A/fmap/sub-01_ses-A_fmapid-auto00000_desc-coeff{level}_fieldmap.nii.gz" for level in (0, 1)]
OLDER = [
    f"ses-A/func/{STEM}_{end}"
    for end in (
        "desc-hmc_boldref.nii.gz",
        "desc-coreg_boldref.nii.gz",
        "from-orig_to-boldref_mode-image_desc-hmc_xfm.txt",
        "from-boldref_to-T1w_mode-image_desc-coreg_xfm.txt",
        "from-boldref_to-auto00000_mode-image_xfm.txt",
    )
]
LATER = [
    f"ses-A/func/{STEM}_{end}"
    for end in (
        "space-orig_desc-hmc_boldref.nii.gz",
        "space-run_boldref.nii.gz",
        "from-orig_to-run_mode-image_desc-hmc_xfm.txt",
        "from-run_to-T1w_mode-image_desc-coreg_xfm.txt",
        "from-run_to-auto00000_mode-image_desc-fmap_xfm.txt",
    )
]
BY_SESSION = [
    *(path for path in LATER if "to-T1w" not in path),
    f"ses-A/func/{STEM}_from-run_to-session_mode-image_desc-coreg_xfm.txt",
    "ses-A/func/sub-01_ses-A_from-session_to-anat_mode-image_desc-coreg_xfm.txt",
]
RUN = {"sub": "01", "ses": "A", "task": "rest", "run": "1"}  # without the zero that fMRIPrep's has
RAW = {"RepetitionTime": 2.0, "TaskName": "rest", "PhaseEncodingDirection": "j-", "TotalReadoutTime": 0.04}


def place(root, names):
    for name in names:
        path = root / "sub-01" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def describe(root, kind, **more):
    root.mkdir(parents=True, exist_ok=True)
    content = {"Name": "x", "BIDSVersion": "1.8.0", "DatasetType": kind, **more}
    (root / "dataset_description.json").write_text(json.dumps(content))


@pytest.fixture
def trees(tmp_path):
    """Return a maker of a raw dataset and of fMRIPrep's output in its place."""

    def make(*names, version="24.1.1", raw=("ses-A/func/sub-01_ses-A_task-rest_run-1_bold",)):
        bids = tmp_path / "bids"
        fmriprep = bids / "derivatives" / "fmriprep"
        describe(bids, "raw")
        describe(fmriprep, "derivative", GeneratedBy=[{"Name": "fMRIPrep", "Version": version}])
        place(bids, [f"{one}.nii.gz" for one in raw])
        for one in raw:
            (bids / "sub-01" / f"{one}.json").write_text(json.dumps(RAW))
        place(fmriprep, names)
        return bids

    return make


def settings(bids, *options):
    return parse([str(word) for word in (bids, bids.parent / "out", "participant", *options)])


def fit_of(tmp_path, names):
    place(tmp_path, names)
    return Folder(Dataset("fmriprep", tmp_path, {}), "01").fit(RUN, MNI)


@pytest.mark.parametrize(("names", "reference"), [(OLDER, "desc-coreg_boldref"), (LATER, "space-run_boldref")])
def test_names_of_versions(tmp_path, names, reference):
    fit = fit_of(tmp_path, [*names, *ANATOMY, *FIELD])
    assert fit.lacking == ()
    assert "from-orig" in fit.motion.name
    assert reference in fit.reference.name
    assert [path.name.partition("_mode")[0][-6:] for path in fit.coregistration] == ["to-T1w"]
    assert fit.normalization.name == f"sub-01_from-T1w_to-{MNI}_mode-image_xfm.h5"
    assert "to-auto00000" in fit.to_fieldmap.name
    assert [path.name for path in fit.coefficients] == [Path(one).name for one in FIELD]
    assert set(fit.anatomy) == {"T1w", "mask", "GM", "WM", "CSF"}


def test_names_of_a_published_dataset(shared_data):
    root = shared_data / "bids_trees" / "ds004044-fmriprep"
    folder = Folder(Dataset("fmriprep", root, {}), "01")
    assert len(folder.fitted()) == 6
    assert folder.spaces == {MNI, "MNI152NLin6Asym"}
    for key in folder.fitted():
        fit = folder.fit(dict(key), "MNI152NLin6Asym")
        assert fit.lacking == ()
        assert len(fit.coefficients) == 2
        assert "to-MNI152NLin6Asym" in fit.normalization.name
        assert f"run-0{dict(key)['run']}" in fit.motion.name


def test_a_reference_of_the_session_is_two_transforms_the_farther_first(tmp_path):
    fit = fit_of(tmp_path, [*BY_SESSION, *ANATOMY])
    assert [path.name.partition("from-")[2][:11] for path in fit.coregistration] == ["session_to-", "run_to-sess"]
    assert fit.lacking == ()


@pytest.mark.parametrize(
    ("left_out", "said"),
    [("hmc_xfm", "desc-hmc_xfm.txt"), ("to-T1w_mode-image_desc-coreg", "desc-coreg_xfm.txt"), ("label-GM", "label-GM")],
)
def test_what_is_missing_is_named(tmp_path, left_out, said):
    fit = fit_of(tmp_path, [name for name in (*OLDER, *ANATOMY) if left_out not in name])
    assert any(said in one for one in fit.lacking)


def test_the_t1w_is_that_of_the_session_else_the_participants(tmp_path):
    own = [name.replace("anat/sub-01_", "ses-A/anat/sub-01_ses-A_") for name in ANATOMY]
    other = [name.replace("anat/sub-01_", "ses-B/anat/sub-01_ses-B_") for name in ANATOMY]
    assert "ses-A" in fit_of(tmp_path / "both", [*OLDER, *own, *other]).normalization.name
    assert "ses-B" in fit_of(tmp_path / "other", [*OLDER, *other]).normalization.name
    third = [name.replace("ses-B", "ses-C") for name in other]
    (said,) = fit_of(tmp_path / "two", [*OLDER, *other, *third]).lacking
    assert "one T1w" in said
    assert "ses-B" in said
    assert "ses-C" in said


def test_it_is_used_with_the_raw_scans_and_not_otherwise(trees):
    bids = trees(*OLDER, *ANATOMY)
    assert wants_preprocessing(settings(bids))
    assert not wants_preprocessing(settings(bids, "--preprocess", "never"))
    (run,) = runs_to_preprocess(settings(bids))
    assert (run.fit.dataset.name, run.space, run.anatomy) == ("fmriprep", MNI, {"sub": "01"})
    (run,) = runs_to_preprocess(settings(bids, "--preprocess", "always"))
    assert run.fit is None
    fmriprep = bids / "derivatives" / "fmriprep"
    (run,) = runs_to_preprocess(settings(bids, "--derivatives", fmriprep))
    assert run.fit is not None
    assert not wants_preprocessing(settings(fmriprep))
    place(fmriprep, [f"ses-A/func/{STEM}_space-{MNI}_desc-preproc_bold.nii.gz"])
    assert not wants_preprocessing(settings(bids))


def test_a_raw_scan_that_was_not_fitted_is_left_out_and_said(trees, caplog):
    raw = [f"ses-A/func/sub-01_ses-A_task-rest_run-{number}_bold" for number in (1, 2)]
    (run,) = runs_to_preprocess(settings(trees(*OLDER, *ANATOMY, raw=raw)))
    assert run.entities["run"] == "1"
    assert "run-2: fMRIPrep has no head motion of it" in caplog.text
    with pytest.raises(NothingSelectedError, match="none was fitted"):
        runs_to_preprocess(settings(trees(raw=raw[1:]).parent / "bids", "--bids-filter-file", _only_run_two(run)))


def _only_run_two(run):
    path = run.bold.parents[4] / "filter.json"
    path.write_text(json.dumps({"bold": {"run": 2}}))
    return path


def test_a_space_that_no_t1w_was_brought_to_is_refused(trees):
    bids = trees(*OLDER, *ANATOMY)
    with pytest.raises(UsageError, match="--space fsLR: fMRIPrep brought no T1w to it"):
        runs_to_preprocess(settings(bids, "--space", "fsLR"))


def of_t2w(names):
    """Rename what NiBabies fits by a T1w as it is named by a T2w."""
    return [name.replace("T1w", "T2w") for name in names]


def test_an_anatomy_of_t2w_alone_is_refused_with_the_way_out(trees):
    """As NiBabies leaves it with MCRIBS; beside a T1w a T2w does not matter."""
    bids = trees(*of_t2w(OLDER), *of_t2w(ANATOMY))
    with pytest.raises(UsageError, match=r"^sub-01: the anatomy was fitted by a T2w alone .* --level full"):
        runs_to_preprocess(settings(bids))
    place(bids / "derivatives" / "fmriprep", [*OLDER, *ANATOMY])
    (run,) = runs_to_preprocess(settings(bids))
    assert "from-T1w" in run.fit.normalization.name
    assert run.fit.anatomy["T1w"].name == "sub-01_desc-preproc_T1w.nii.gz"
    assert all("T2w" not in path.name for path in run.fit.files)


def test_the_template_of_a_cohort_is_refused_with_the_way_out(trees):
    bids = trees(*OLDER, *(name.replace(MNI, "MNIInfant+2") for name in ANATOMY))
    with pytest.raises(UsageError, match=r"--level full --output-spaces MNIInfant:cohort-2, whose images are read"):
        runs_to_preprocess(settings(bids, "--space", "MNIInfant+2"))
    with pytest.raises(UsageError, match=r"brought everyone's T1w to MNIInfant\+2; it must be one of"):
        runs_to_preprocess(settings(bids))


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (None, None),
        ("TotalReadoutTime", "neither TotalReadoutTime nor EffectiveEchoSpacing"),
        ("PhaseEncodingDirection", "no PhaseEncodingDirection"),
    ],
)
def test_whether_distortions_can_be_corrected(tmp_path, left_out, said):
    fit = fit_of(tmp_path, [*OLDER, *ANATOMY, *FIELD])
    reason = not_corrected_because(fit, {key: value for key, value in RAW.items() if key != left_out})
    assert said is None if reason is None else said in reason


def test_distortions_without_a_field_map(tmp_path):
    names = [name for name in OLDER if "auto" not in name]
    assert not_corrected_because(fit_of(tmp_path / "none", [*names, *ANATOMY]), RAW) == "fMRIPrep used no field map"
    assert "coefficients" in not_corrected_because(fit_of(tmp_path / "gone", [*OLDER, *ANATOMY]), RAW)


def test_check_says_what_would_be_done(trees, capsys):
    bids = trees(*OLDER, *ANATOMY, version="23.2.0")
    (bids / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\n")
    main(["check", str(bids), str(bids.parent / "out"), "--skip-bids-validation"])
    said = " ".join(capsys.readouterr().out.split())
    assert "(fMRIPrep 23.2.0) has transforms and no resampled images: they are applied here" in said
    assert "1 raw scans would be resampled" in said
    assert "the coefficients of the field map" in said
    assert not (bids.parent / "out").exists()
