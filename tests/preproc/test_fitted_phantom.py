"""What fMRIPrep fitted, applied to raw scans, on a head whose way from the template to every volume is known."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from fitted_phantom import BRAIN, CENTRE, RAYS, SPACE, WHITE, edges, make_phantom, to_t1w, within
from nibabel.affines import apply_affine

from bids_app.bids.runs import find_inputs
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError, UsageError
from bids_app.preproc.dataset import Job, Place
from bids_app.preproc.fitted.anatomy import bring_anatomy, compared_with
from bids_app.preproc.fitted.fit import PARTS
from bids_app.preproc.fitted.interfaces import ReadMotion
from bids_app.preproc.fitted.runs import runs_to_preprocess
from bids_app.preproc.level import preprocess
from bids_app.preproc.motion import rigid
from bids_app.preproc.registration import map_points, write_series_of_transforms

pytestmark = pytest.mark.slow
HALF_A_VOXEL_MM = 1.0  # of the template's grid


def applied(phantom, output, *options):
    """Preprocess in this process; return what `preprocess` returns and the folder of the derivative."""
    words = [phantom.bids, output, "participant", "--derivatives", phantom.fmriprep, "--n-cpus", "1", *options]
    settings = parse([str(word) for word in words])
    (output / "logs").mkdir(parents=True)
    return preprocess(settings, output / "logs"), output / "derivatives" / "resampled"


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return make_phantom(tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def result(phantom, tmp_path_factory):
    return applied(phantom, tmp_path_factory.mktemp("out") / "out")


def one(folder, pattern):
    (path,) = folder.glob(f"sub-01/{pattern}")
    return path


def mean_of(path):
    image = nib.load(path)
    return nib.Nifti1Image(image.get_fdata().mean(axis=3), image.affine)


def test_the_file_of_the_warp_is_the_warp(phantom):
    """ITK reads what was written as the formula says: so the phantom tests the app, not itself."""
    points = CENTRE + np.random.default_rng(0).uniform(-60, 60, (200, 3))
    path = one(phantom.fmriprep, "anat/*_xfm.h5")
    assert np.abs(map_points(points, [path]) - to_t1w(points)).max() < 0.15


def test_edges_lie_where_they_were_put(result, phantom):
    """Through motion, distortion, coregistration, affine and warp together."""
    assert phantom.largest_shift > 1.5  # voxels of 4.5 mm
    bold = mean_of(one(result[1], "func/*_desc-preproc_bold.nii.gz"))
    found = edges(bold, WHITE)
    assert np.abs(found).max() < HALF_A_VOXEL_MM
    assert abs(found.mean()) < 0.2


def test_every_volume_lies_there(result, phantom):
    """The head moved by up to 2 mm and 2 degrees, and the distortion did not move with it."""
    image = nib.load(one(result[1], "func/*_desc-preproc_bold.nii.gz"))
    assert np.abs(np.diff(phantom.motion[:, :3], axis=0)).max() > HALF_A_VOXEL_MM
    for volume in np.moveaxis(image.get_fdata(), 3, 0):
        found = edges(nib.Nifti1Image(volume, image.affine), WHITE)
        assert np.sqrt(np.mean(found**2)) < HALF_A_VOXEL_MM / 2
        assert np.abs(np.linalg.lstsq(RAYS, found, rcond=None)[0]).max() < 0.2  # the shift of the whole


def test_motion_is_what_was_put_in(result, phantom):
    table = pd.read_csv(one(result[1], "func/*_desc-confounds_timeseries.tsv"), sep="\t", na_values="n/a")
    found = table[["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]].to_numpy()
    np.testing.assert_allclose(found[:, 3:], phantom.motion[:, 3:], atol=1e-6)
    # About the centre of the brain as it is seen in the image, which is not known to better than a few mm.
    np.testing.assert_allclose(found[:, :3], phantom.motion[:, :3], atol=0.15)
    changes = np.abs(np.diff(found, axis=0))
    expected = changes[:, :3].sum(axis=1) + 50 * changes[:, 3:].sum(axis=1)
    np.testing.assert_allclose(table["framewise_displacement"][1:], expected, atol=1e-6)
    assert {"csf", "white_matter", "global_signal", "dvars", "a_comp_cor_00"} <= set(table)


def test_the_mask_is_that_of_the_t1w_through_the_transform(result):
    mask = nib.load(one(result[1], "func/*_desc-brain_mask.nii.gz"))
    points = apply_affine(mask.affine, np.indices(mask.shape).reshape(3, -1).T)
    truth = within(points, BRAIN).reshape(mask.shape) > 0.5
    found = mask.get_fdata() > 0
    assert mask.shape == (97, 115, 97)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


def test_it_says_what_was_done(result, validation_errors):
    prepared, folder = result
    assert (len(prepared.ready), prepared.failed, prepared.failures) == (1, (), [])
    sidecar = json.loads(one(folder, "func/*_desc-preproc_bold.json").read_text())
    assert sidecar["SpatialReference"] == SPACE
    assert sidecar["SusceptibilityDistortionCorrected"] is True
    assert sidecar["Registration"] == "as fMRIPrep fitted it"
    sources = " ".join(sidecar["Sources"])
    for part in (
        "bids:raw:sub-01/func/",
        "bids:fmriprep:sub-01/func/",
        "desc-hmc_xfm.txt",
        "xfm.h5",
        "coeff1_fieldmap",
    ):
        assert part in sources
    description = json.loads((folder / "dataset_description.json").read_text())
    assert [maker["Name"] for maker in description["GeneratedBy"]] == ["trialgraph", "fMRIPrep"]
    page = (folder / "sub-01.html").read_text()
    assert "fMRIPrep 23.2.0" in page
    assert page.count("<img") >= 3
    assert validation_errors(folder) == []


def test_what_was_made_is_read_without_the_warning_of_what_it_came_from(result, caplog):
    """fMRIPrep 23.2.0 wrote wrong masks in template space; none of them is in this."""
    (run,) = find_inputs(result[0].settings).runs
    assert run.mask is not None
    assert "wrong order" not in caplog.text


def test_without_the_field_map_it_is_said_and_edges_are_off(phantom, tmp_path, caplog):
    fmriprep = Path(shutil.copytree(phantom.fmriprep, tmp_path / "fmriprep"))
    shutil.rmtree(fmriprep / "sub-01" / "fmap")
    caplog.set_level(logging.WARNING, logger="bids_app")
    other = type(phantom)(phantom.bids, fmriprep, phantom.motion, phantom.largest_shift)
    _, folder = applied(other, tmp_path / "out")
    assert "distortions are not corrected: the coefficients of the field map" in caplog.text
    sidecar = json.loads(one(folder, "func/*_desc-preproc_bold.json").read_text())
    assert sidecar["SusceptibilityDistortionCorrected"] is False
    assert "coefficients" in sidecar["SusceptibilityDistortionNotCorrectedBecause"]
    assert np.abs(edges(mean_of(one(folder, "func/*_desc-preproc_bold.nii.gz")), WHITE)).max() > 2


def step(phantom, tmp_path, **changed):
    """Return the step that reads the motion of the phantom, with a fit that differs."""
    settings = parse([str(word) for word in (phantom.bids, tmp_path, "participant", "--derivatives", phantom.fmriprep)])
    (run,) = runs_to_preprocess(settings)
    run = replace(run, fit=replace(run.fit, **changed))
    return ReadMotion(job=Job(run, Place(tmp_path, phantom.bids, SPACE, run.fit.dataset), None, {}))


def test_a_fit_that_lacks_something_is_refused(phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"sub-01 task-rest run-01: fMRIPrep's output lacks from-x\.txt"):
        step(phantom, tmp_path, lacking=("from-x.txt",)).run()


def test_a_reference_on_another_grid_is_refused(phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = nib.load(one(phantom.fmriprep, "func/*_desc-coreg_boldref.nii.gz"))
    moved = image.affine.copy()
    moved[0, 3] += 2
    nib.save(nib.Nifti1Image(image.get_fdata(), moved), tmp_path / "moved.nii.gz")
    with pytest.raises(DataError, match="is not on the grid of the raw BOLD image"):
        step(phantom, tmp_path, reference=tmp_path / "moved.nii.gz").run()


def test_motion_of_another_scan_is_refused(phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_series_of_transforms([np.eye(4)] * 3, tmp_path / "short.txt")
    with pytest.raises(DataError, match="3 transforms, the raw BOLD image 7 volumes"):
        step(phantom, tmp_path, motion=tmp_path / "short.txt").run()


def test_a_t1w_that_does_not_come_to_lie_on_the_template_is_refused(phantom, tmp_path):
    """As with the transform of somebody else, or the one that leads back."""
    anatomy = {name: one(phantom.fmriprep, f"anat/sub-01_{end}.nii.gz") for name, end in PARTS.items()}
    write_series_of_transforms([rigid([45, 0, 0, 0, 0, 0], CENTRE)], tmp_path / "wrong.txt")
    with pytest.raises(DataError, match=r"overlaps with the brain of the template by 0\.[0-6]"):
        bring_anatomy(anatomy, tmp_path / "wrong.txt", compared_with(SPACE, None))


def test_a_template_whose_grid_is_not_known_is_asked_for():
    with pytest.raises(UsageError, match="give its folder with --template"):
        compared_with("MNIInfant", None)
