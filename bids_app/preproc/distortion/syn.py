"""The field of a scan without a field map: how its T1w would have to be deformed along the phase encoding."""

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes

from bids_app.errors import DataError
from bids_app.preproc.distortion.blips import shifted
from bids_app.preproc.distortion.measured import KNOTS_MM, STIFFNESS, Measured, along_grid
from bids_app.preproc.distortion.splines import fit, product, splines_on
from bids_app.preproc.fitted.transforms import read_affines
from bids_app.preproc.masks import dilate
from bids_app.preproc.registration import deform_along, mutual_information, save_as_text
from bids_app.preproc.resampling import grid_points, read_at, regrid
from bids_app.preproc.scan import Reference, align_with_anatomy


def of_anatomy(
    reference: Reference, t1w: nib.Nifti1Image, brain: np.ndarray, vector: np.ndarray, folder: Path
) -> Measured:
    """Estimate a field by the deformation of a T1w to a scan along its phase encoding, after a rigid alignment.

    As fMRIPrep does where there is no field map (Wang et al. 2017, doi 10.3389/fninf.2017.00017), without its prior.

    Parameters
    ----------
    reference : scan.Reference
        As acquired.
    t1w : nibabel image, (X, Y, Z)
    brain : (X, Y, Z) bool ndarray
        Mask of the T1w.
    vector : (3,) ndarray
        By how many mm 1 Hz shifts the signal of the scan, as from `measured.shift_vector`.
    folder : Path
        Where transforms are written.

    Raises
    ------
    DataError
        The scan agrees no better with the T1w.
    """
    image = reference.image
    rigid, _, _ = align_with_anatomy(reference, t1w, brain, folder)
    save_as_text(rigid, folder / "to_reference.txt")
    to_t1w = np.linalg.inv(read_affines(folder / "to_reference.txt")[0])
    stripped = nib.Nifti1Image(np.where(brain, np.asarray(t1w.dataobj), 0).astype(np.float32), t1w.affine)
    small = regrid(stripped, np.maximum(voxel_sizes(t1w.affine), voxel_sizes(image.affine)))
    points = apply_affine(to_t1w, grid_points(image.shape, image.affine))
    anatomy = read_at(small, np.asarray(small.dataobj), points).reshape(image.shape)
    moving = np.where(dilate(reference.mask), np.asarray(image.dataobj), 0)
    head = dilate(reference.mask | (anatomy > 0), 2)
    axis, (voxels, _) = along_grid(image.affine, (vector, -vector))
    sizes = voxel_sizes(image.affine)
    shift = deform_along(anatomy, moving, sizes, axis, folder / "syn_", head) / sizes[axis]
    inside = anatomy > 0
    if not inside.any():
        raise DataError("nothing of the T1w lies within the scan")
    splines = splines_on(image.shape, image.affine, KNOTS_MM)
    coefficients = fit(splines, shift / voxels, inside.astype(float), STIFFNESS)
    mended = shifted(np.asarray(image.dataobj, dtype=float), voxels * product(splines.values, coefficients), axis)
    before, after = (mutual_information(anatomy[inside], one[inside]) for one in (np.asarray(image.dataobj), mended))
    if not after > before:
        raise DataError(f"the scan agrees no better with the T1w (mutual information {before:.4f}, then {after:.4f})")
    place = nib.Nifti1Image(anatomy.astype(np.float32), image.affine)
    return Measured(splines.image(coefficients), place, {})
