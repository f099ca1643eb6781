"""Raw scans of a real person, preprocessed and analysed, against the template and by formulas of its own."""

import json
import shutil

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from harness import contents
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template
from nilearn.image import resample_to_img
from nilearn.interfaces.fmriprep import load_confounds

from bids_app.cli.main import main
from bids_app.participant.confounds import STRATEGIES

pytestmark = pytest.mark.slow
OPTIONS = ("--voxel-size", "6", "--bandpass", "off", "--denoise", "simple", "--skip-bids-validation", "--n-cpus", "1")
KILLED_ONCE_THERE_IS = (
    "work/**/anatomy/rough0_*.mat",  # the first of three registrations of the head
    "derivatives/preproc/logs/finished/*_T1w.json",
    "derivatives/preproc/**/*_desc-confounds_timeseries.tsv",
)


@pytest.fixture(scope="module")
def preprocessed(shared_data, tmp_path_factory):
    output = tmp_path_factory.mktemp("pumi")
    assert main([str(shared_data / "pumi"), str(output), "participant", *OPTIONS]) == 0
    return output


def one(output, pattern):
    (path,) = (output / "derivatives" / "preproc").glob(f"sub-001/{pattern}")
    return path


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def on_grid(template, image, interpolation="nearest"):
    return resample_to_img(template, image, interpolation=interpolation, force_resample=True, copy_header=True)


def test_the_brain_lies_on_the_templates(preprocessed):
    brain = nib.load(one(preprocessed, "anat/*_space-*_desc-brain_mask.nii.gz"))
    template = on_grid(load_mni152_brain_mask(resolution=1), brain).get_fdata() > 0
    assert dice(brain.get_fdata() > 0, template) > 0.93


def test_grey_matter_lies_on_the_templates(preprocessed):
    """Its tissues are found in the image, not taken from the template."""
    grey = nib.load(one(preprocessed, "anat/*_space-*_label-GM_probseg.nii.gz"))
    template = on_grid(load_mni152_gm_template(resolution=1), grey, "linear").get_fdata()
    assert dice(grey.get_fdata() > 0.5, template > 0.5) > 0.7
    assert np.corrcoef(grey.get_fdata().ravel(), template.ravel())[0, 1] > 0.7


def test_the_bold_brain_lies_on_the_templates(preprocessed):
    mask = nib.load(one(preprocessed, "func/*_space-*_desc-brain_mask.nii.gz"))
    template = on_grid(load_mni152_brain_mask(resolution=1), mask).get_fdata() > 0
    assert dice(mask.get_fdata() > 0, template) > 0.9
    bold = nib.load(one(preprocessed, "func/*_desc-preproc_bold.nii.gz"))
    assert bold.shape[:3] == mask.shape
    mean = bold.get_fdata().mean(axis=3)
    assert mean[mask.get_fdata() > 0].mean() > 3 * mean[mask.get_fdata() == 0].mean()


def test_displacement_is_that_of_the_parameters(preprocessed):
    table = pd.read_csv(one(preprocessed, "func/*_desc-confounds_timeseries.tsv"), sep="\t", na_values="n/a")
    assert len(table) == nib.load(one(preprocessed, "func/*_desc-preproc_bold.nii.gz")).shape[3]
    moved = table[["trans_x", "trans_y", "trans_z"]].diff().abs().sum(axis=1, skipna=False)
    turned = 50 * table[["rot_x", "rot_y", "rot_z"]].diff().abs().sum(axis=1, skipna=False)
    np.testing.assert_allclose(table["framewise_displacement"][1:], (moved + turned)[1:], atol=1e-6)
    np.testing.assert_allclose(table["trans_x_derivative1"][1:], table["trans_x"].diff()[1:], atol=1e-8)
    np.testing.assert_allclose(table["rot_z_power2"], table["rot_z"] ** 2, atol=1e-8)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_every_strategy_finds_its_confounds(preprocessed, strategy):
    table, _ = load_confounds(str(one(preprocessed, "func/*_desc-preproc_bold.nii.gz")), **STRATEGIES[strategy])
    assert len(table.columns) >= 8
    assert not table.isna().any(axis=None)


def test_the_rest_cannot_tell(preprocessed, validation_errors):
    (path,) = preprocessed.glob("sub-001/func/*_stat-degree_desc-r025_boldmap.json")
    facts = json.loads(path.read_text())
    assert facts["SpatialReference"].startswith("MNI152NLin2009")
    assert facts["Coverage"] > 0.8
    assert any("preproc" in source for source in facts["Sources"])
    assert validation_errors(preprocessed) == []
    assert validation_errors(preprocessed / "derivatives" / "preproc") == []


def test_the_page_shows_the_alignments(preprocessed, browse):
    page = preprocessed / "derivatives" / "preproc" / "sub-001.html"
    found = browse(page)
    assert (found.errors, found.requests, found.blank_images) == ([], [], [])
    assert page.read_text().count("<img") >= 3
    assert "fMRIPrep" in page.read_text()


@pytest.fixture(scope="module")
def by_what_was_fitted(preprocessed, shared_data, tmp_path_factory):
    """The same scan once more, by the transforms alone, as fMRIPrep leaves them at its level minimal."""
    fmriprep, output = (tmp_path_factory.mktemp(name) for name in ("fmriprep", "fitted"))
    described = {"Name": "fitted", "BIDSVersion": "1.8.0", "DatasetType": "derivative"}
    described["GeneratedBy"] = [{"Name": "fMRIPrep", "Version": "23.2.0"}]
    (fmriprep / "dataset_description.json").write_text(json.dumps(described))
    source = preprocessed / "derivatives" / "preproc"
    for path in source.glob("sub-001/*/sub-*"):
        if path.parent.name in ("anat", "func") and not any(word in path.name for word in ("_space-", "confounds")):
            target = fmriprep / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    words = (str(shared_data / "pumi"), str(output), "participant", "--derivatives", str(fmriprep))
    assert main([*words, *OPTIONS]) == 0
    return output / "derivatives" / "resampled"


def of_both(preprocessed, fitted, pattern):
    return [one_of(folder, pattern) for folder in (preprocessed / "derivatives" / "preproc", fitted)]


def one_of(folder, pattern):
    (path,) = folder.glob(f"sub-001/{pattern}")
    return path


def test_what_was_fitted_gives_the_same_series(preprocessed, by_what_was_fitted):
    masks = [nib.load(path) for path in of_both(preprocessed, by_what_was_fitted, "func/*_desc-brain_mask.nii.gz")]
    direct, applied = (mask.get_fdata() > 0 for mask in masks)
    assert dice(direct, applied) > 0.98
    paths = of_both(preprocessed, by_what_was_fitted, "func/*_desc-preproc_bold.nii.gz")
    series = [nib.load(path).get_fdata()[direct & applied] for path in paths]
    series = [one - one.mean(axis=1, keepdims=True) for one in series]
    spread = [np.linalg.norm(one, axis=1) for one in series]
    correlation = (series[0] * series[1]).sum(axis=1) / np.maximum(spread[0] * spread[1], 1e-9)
    assert correlation[spread[0] > 0].min() > 0.99


def test_what_was_fitted_gives_the_same_confounds(preprocessed, by_what_was_fitted):
    paths = of_both(preprocessed, by_what_was_fitted, "func/*_desc-confounds_timeseries.tsv")
    direct, applied = (pd.read_csv(path, sep="\t", na_values="n/a") for path in paths)
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    np.testing.assert_allclose(applied[motion], direct[motion], atol=1e-3)
    for name in ("framewise_displacement", "csf", "white_matter", "global_signal", "std_dvars"):
        assert applied[name].corr(direct[name]) > 0.99, name


def test_the_methods_say_who_estimated_and_who_applied(by_what_was_fitted):
    text = " ".join((by_what_was_fitted.parents[1] / "logs" / "CITATION.md").read_text().split())
    assert "estimated by fMRIPrep 23.2.0" in text
    assert "applied by trialgraph to the raw scans, in one interpolation" in text


def test_what_is_done_is_not_done_again(preprocessed, shared_data):
    before = {path: path.stat().st_mtime_ns for path in (preprocessed / "derivatives").rglob("*.nii.gz")}
    assert main([str(shared_data / "pumi"), str(preprocessed), "participant", *OPTIONS]) == 0
    assert {path: path.stat().st_mtime_ns for path in (preprocessed / "derivatives").rglob("*.nii.gz")} == before


def test_a_run_that_is_killed_and_repeated_ends_the_same(shared_data, run, tmp_path):
    """Again and again in one folder; that the images hardly fit makes no odds."""
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    words, options = (shared_data / "pumi", out, "participant", *OPTIONS), {"hasty": True}
    for pattern in KILLED_ONCE_THERE_IS:
        codes, _, said = run(*words, **options, kill=[(str(out), pattern)])
        assert codes == [-9], said
    for folder in (out, undisturbed):
        codes, _, said = run(words[0], folder, *words[2:], **options)
        assert codes == [0], said
    expected, found = contents(undisturbed), contents(out)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
