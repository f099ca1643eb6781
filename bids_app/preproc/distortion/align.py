"""Where a field lies in a scan: what it shows is distorted as the scan was, and aligned with it."""

from pathlib import Path

import nibabel as nib
import numpy as np

from bids_app.preproc.distortion.field import field_at
from bids_app.preproc.distortion.measured import Measured
from bids_app.preproc.fitted.transforms import read_affines
from bids_app.preproc.registration import linear, save_as_text, start_at, to_ants
from bids_app.preproc.resampling import grid_points, read_at

STEPS = 10  # of the inversion of a shift


def distorted(measured: Measured, vector: np.ndarray) -> nib.Nifti1Image:
    """Return what a field's head would look like, had it been acquired as a scan was.

    Parameters
    ----------
    measured : measured.Measured
    vector : (3,) ndarray
        By how many mm 1 Hz shifts the signal of the scan, as from `measured.shift_vector`.
    """
    head = measured.anatomy
    points = grid_points(head.shape, head.affine)
    source = points
    for _ in range(STEPS):  # a point's signal is acquired at the point plus the shift there
        source = points - field_at([measured.coefficients], source)[:, None] * vector
    values = read_at(head, np.asarray(head.dataobj), source)
    return nib.Nifti1Image(values.reshape(head.shape).astype(np.float32), head.affine)


def from_fieldmap(measured: Measured, reference: nib.Nifti1Image, vector: np.ndarray, folder: Path) -> np.ndarray:
    """Align a field with the reference of a scan, whose head may have moved since.

    Parameters
    ----------
    measured : measured.Measured
    reference : nibabel image, (X, Y, Z)
        As acquired.
    vector : (3,) ndarray
        As for `distorted`.
    folder : Path
        Where transforms are written.

    Returns
    -------
    (4, 4) float64 ndarray
        Rigid; world coordinates of the field map to those of the reference.
    """
    head = distorted(measured, vector)
    start = start_at(np.zeros(3), np.zeros(3), folder / "scanner.mat")
    fixed, moving = (to_ants(one.dataobj, one.affine) for one in (reference, head))
    found = linear(fixed, moving, "Rigid", folder / "fieldmap_", start)
    save_as_text(found, folder / "to_fieldmap.txt")
    return np.linalg.inv(read_affines(folder / "to_fieldmap.txt")[0])
