"""Real scans, distorted to both sides by a known field: their contrast and noise are no phantom's."""

import os

import nibabel as nib
import numpy as np
import pytest

from bids_app.preproc.distortion.blips import shifted
from bids_app.preproc.distortion.field import field_at
from bids_app.preproc.distortion.measured import of_blips, shift_vector
from bids_app.preproc.masks import epi_mask
from bids_app.preproc.resampling import grid_points

READOUT = 0.04
SCANS = {
    "pumi": "sub-001/func/sub-001_task-rest_bold.nii.gz",
    "studyforrest": "sub-02/func/sub-02_task-oneback_run-01_bold.nii.gz",
}


def distorted(values, field, shift):
    """Return the image in which what lay at j lies at j + shift f(j): each line's signal is moved and is kept whole."""
    places = np.indices(values.shape)[1] + shift * field
    at = np.broadcast_to(np.arange(values.shape[1])[None, :, None], values.shape)
    source = np.empty(values.shape)
    for x, z in np.ndindex(values.shape[0], values.shape[2]):
        source[x, :, z] = np.interp(np.arange(values.shape[1]), places[x, :, z], np.arange(values.shape[1]))
    return shifted(values, source - at, 1) * np.gradient(source, axis=1)


@pytest.mark.slow  # 30 s each
@pytest.mark.parametrize("name", SCANS if "TRIALGRAPH_THOROUGH" in os.environ else ("pumi",))
def test_the_field_is_found_in_a_real_head(shared_data, name):
    image = nib.load(shared_data / name / SCANS[name])
    volumes = [np.asarray(image.dataobj[..., at], dtype=float) for at in (4, 5)]  # two, each with its own noise
    x, y, z = np.indices(image.shape[:3]) / np.array(image.shape[:3])[:, None, None, None] - 0.5
    # As above the sinuses and beside the ears: up to 50 Hz, 2 voxels to each side.
    front = np.exp(-((y - 0.2) ** 2 + (z + 0.15) ** 2 + x**2) / 0.03)
    ears = np.exp(-((np.abs(x) - 0.25) ** 2 + (z + 0.1) ** 2 + y**2) / 0.02)
    field = 50 * front - 30 * ears
    blips = [
        nib.Nifti1Image(distorted(one, field, sign * READOUT).astype(np.float32), image.affine)
        for one, sign in zip(volumes, (1, -1), strict=True)
    ]
    said = [{"PhaseEncodingDirection": one, "TotalReadoutTime": READOUT} for one in ("j", "j-")]
    found = of_blips(*blips, tuple(shift_vector(one, words) for one, words in zip(blips, said, strict=True)))
    brain = epi_mask(nib.Nifti1Image(volumes[0].astype(np.float32), image.affine))
    estimated = field_at([found.coefficients], grid_points(brain.shape, image.affine)).reshape(brain.shape)
    error, true = READOUT * (estimated - field)[brain], READOUT * field[brain]
    assert np.abs(true).max() > 1.9
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert np.abs(error).max() < 0.5
    assert found.facts["FieldMapCorrelation"] > 0.95
