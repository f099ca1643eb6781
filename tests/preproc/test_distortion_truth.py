"""A known field, and what becomes of a head: the scan, its field map, and the field that is estimated of it."""

import nibabel as nib
import numpy as np
import pytest
from blip_phantom import BLIP_READOUT, HEAD, READOUT, acquired, blip, levels, write_bids
from fitted_phantom import (
    BRAIN,
    COREGISTRATION,
    GRID,
    SHAPE,
    WHITE,
    edges,
    field,
    profiles,
    to_t1w,
    to_template,
    voxels_of,
    within,
    write_normalization,
)
from nibabel.affines import apply_affine

from bids_app.cli.settings_of import parse
from bids_app.preproc.dataset import Job, Place
from bids_app.preproc.distortion.field import Field, field_at
from bids_app.preproc.distortion.interfaces import EstimateField, undistorted
from bids_app.preproc.distortion.measured import of_blips, shift_vector
from bids_app.preproc.fitted.transforms import read_chain
from bids_app.preproc.interfaces import EstimateMotion, ResampleRun
from bids_app.preproc.raw_runs import raw_runs
from bids_app.preproc.registration import write_series_of_transforms
from bids_app.preproc.template import load_template

pytestmark = pytest.mark.slow
HALF_A_VOXEL_MM = 2.25  # of the scan
POINTS = voxels_of(SHAPE, GRID)
INSIDE = within(to_template(apply_affine(np.linalg.inv(COREGISTRATION), POINTS)), BRAIN) > 0.5


def said(direction, readout):
    return {"PhaseEncodingDirection": direction, "TotalReadoutTime": readout}


def root_mean_square(values):
    return np.sqrt(np.mean(np.square(values)))


def in_reference(points):
    return apply_affine(COREGISTRATION, to_t1w(points))


@pytest.fixture(scope="module", params=["i", "j"])
def measured(request):
    """The field of two images of opposite phase encoding along an axis, and its true coefficients."""
    true = levels("ijk".index(request.param))
    both = (request.param, f"{request.param}-")
    images = [nib.Nifti1Image(blip(one, true, seed=at, matrix=np.eye(4)), GRID) for at, one in enumerate(both)]
    vectors = [shift_vector(image, said(one, BLIP_READOUT)) for image, one in zip(images, both, strict=True)]
    return request.param, true, of_blips(*images, tuple(vectors))


def test_the_field_is_that_which_was_put_in(measured):
    _, true, found = measured
    shift = READOUT * field(POINTS, true)[INSIDE]  # in voxels
    error = READOUT * field_at([found.coefficients], POINTS)[INSIDE] - shift
    assert np.abs(shift).max() > 1.2
    assert root_mean_square(error) < 0.1
    assert np.abs(error).max() < 0.5
    assert found.facts["FieldMapCorrelation"] > found.facts["FieldMapCorrelationBefore"]


@pytest.mark.parametrize("sign", ["", "-"])
def test_edges_of_a_scan_lie_where_they_were_put(measured, sign, tmp_path):
    """Of one that was acquired to either end of the axis, with another readout time than the field map."""
    axis, true, found = measured
    direction = axis + sign
    scan = nib.Nifti1Image(acquired(direction, true, READOUT, np.eye(4), seed=9)[0], GRID)
    nib.save(found.coefficients, tmp_path / "coefficients.nii.gz")
    write_series_of_transforms([np.eye(4)], tmp_path / "to_fieldmap.txt")
    fitted = Field((tmp_path / "coefficients.nii.gz",), tmp_path / "to_fieldmap.txt")
    mended = undistorted(scan, fitted, said(direction, READOUT)).image
    wrong = undistorted(scan, fitted, said(axis + ("" if sign else "-"), READOUT)).image
    off, before, twice = (edges(one, WHITE, in_reference) for one in (mended, scan, wrong))
    assert np.abs(off).max() < HALF_A_VOXEL_MM
    assert root_mean_square(off) < 0.4 * root_mean_square(before)
    assert root_mean_square(twice) > root_mean_square(before)  # the other sign would make it worse


@pytest.fixture(scope="module")
def through_the_steps(tmp_path_factory):
    """A scan of BIDS through the steps of the workflow, aligned by the known transforms; with what was found of it."""
    root = tmp_path_factory.mktemp("steps")
    true = write_bids(root / "bids", "j-", ("j", "j-"))
    (run,) = raw_runs(parse([str(word) for word in (root / "bids", root / "out", "participant")]))
    job = Job(run, Place(root / "out", root / "bids", "MNI152NLin2009aSym"), None, {})
    folders = [root / name for name in ("motion", "field", "resampled")]
    for folder in folders:
        folder.mkdir()
    motion = EstimateMotion(job=job).run(cwd=folders[0]).outputs
    given = {"reference_file": motion.reference_file, "mask_file": motion.mask_file}
    found = EstimateField(job=job, **given).run(cwd=folders[1]).outputs
    write_normalization(root / "normalization.h5")
    write_series_of_transforms([COREGISTRATION], root / "coregistration.txt")
    resampled = ResampleRun(
        job=job,
        series_file=motion.series_file,
        motion_file=motion.motion_file,
        acquired_file=motion.reference_file,
        reference_file=found.reference_file,
        mask_file=found.mask_file,
        field=found.field,
        transforms=[str(root / "normalization.h5"), str(root / "coregistration.txt")],
    ).run(cwd=folders[2])
    return true, found, resampled.outputs


def test_edges_lie_where_they_were_put_through_all_transforms(through_the_steps):
    """Motion of the scan, the head elsewhere in the field map, distortion, coregistration, affine and warp."""
    true, found, resampled = through_the_steps
    assert found.facts["SusceptibilityDistortionCorrected"] is True
    assert "of opposite phase encoding (sub-01_dir-j_epi.nii.gz, " in found.facts["SusceptibilityDistortionMethod"]
    error = READOUT * (found.field.at(POINTS) - field(POINTS, true))[INSIDE]
    assert root_mean_square(error) < 0.15
    template = load_template()
    mean = nib.Nifti1Image(template.spread(np.load(resampled.standard_file).mean(axis=0)), template.affine)
    brain = nib.Nifti1Image(template.mask.astype(np.float32), template.affine)
    seen = (profiles(brain, WHITE) > 0.5).all(axis=1)  # the phantom reaches beyond the template's brain
    assert seen.sum() > 100
    off = edges(mean, WHITE)[seen]
    assert root_mean_square(off) < 0.6
    assert np.abs(off).max() < HALF_A_VOXEL_MM
    images = dict(np.load(resampled.brain_file))
    before, after = (edges(nib.Nifti1Image(images[name], template.affine), WHITE) for name in ("acquired", "reference"))
    assert root_mean_square(after) < root_mean_square(before) / 2


def test_the_field_map_is_found_where_the_head_was(through_the_steps):
    matrix = read_chain([through_the_steps[1].field.to_fieldmap]) @ HEAD  # from the scan to the field map and back
    centre = in_reference(np.array([[0.0, -18, 8]]))[0]
    around = centre + 50 * np.vstack([np.eye(3), -np.eye(3)])
    assert np.abs(apply_affine(matrix, around) - around).max() < 2  # of what is smooth over a centimetre
