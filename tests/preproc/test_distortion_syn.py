"""A field without a field map: the deformation of a scan to the T1w along its phase encoding."""

import nibabel as nib
import numpy as np
import pytest
from blip_phantom import READOUT, acquired, levels
from fitted_phantom import (
    BRAIN,
    COREGISTRATION,
    GRID,
    SHAPE,
    T1W_VALUES,
    field,
    tissues,
    to_template,
    voxels_of,
    within,
)
from nibabel.affines import apply_affine, from_matvec

from bids_app.preproc.distortion.field import field_at
from bids_app.preproc.distortion.measured import shift_vector
from bids_app.preproc.distortion.syn import of_anatomy
from bids_app.preproc.masks import epi_mask
from bids_app.preproc.scan import Reference


@pytest.mark.slow  # 17 s
def test_it_is_better_than_nothing(tmp_path):
    """And no more than that: little shows within uniform tissue where it was shifted from."""
    shape, affine = (64, 76, 64), from_matvec(np.diag([3.0, 3, 3]), (-95, -130, -85))
    shares = tissues(to_template(voxels_of(shape, affine)))
    t1w = nib.Nifti1Image((shares @ T1W_VALUES).reshape(shape).astype(np.float32), affine)
    brain = (shares.sum(axis=1) > 0.5).reshape(shape)
    scan = nib.Nifti1Image(acquired("j-", levels(1), READOUT, np.eye(4), seed=3)[0], GRID)
    said = {"PhaseEncodingDirection": "j-", "TotalReadoutTime": READOUT}
    found = of_anatomy(Reference(scan, epi_mask(scan)), t1w, brain, shift_vector(scan, said), tmp_path)
    points = voxels_of(SHAPE, GRID)
    inside = within(to_template(apply_affine(np.linalg.inv(COREGISTRATION), points)), BRAIN) > 0.5
    true = READOUT * field(points, levels(1))[inside]
    error = READOUT * field_at([found.coefficients], points)[inside] - true
    assert np.corrcoef(true, error + true)[0, 1] > 0.5
    assert np.sqrt(np.mean(error**2)) < 0.85 * np.sqrt(np.mean(true**2))
