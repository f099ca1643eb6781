"""Susceptibility distortion: how far a field shifts the signal along the phase encoding."""

from collections.abc import Iterable

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from scipy.ndimage import map_coordinates

from bids_app.preproc.fitted.readout import not_corrected_because, readout_time
from bids_app.preproc.fitted.transforms import read_chain
from bids_app.preproc.raw_runs import RawRun
from bids_app.system.images import read_image


def field_at(coefficients: Iterable[nib.Nifti1Image], points: np.ndarray) -> np.ndarray:
    """Evaluate a field that is a sum of cubic B-splines, as SDCFlows writes it.

    Every voxel of the images is a knot: f(x) = sum_k c_k b(x1 - k1) b(x2 - k2) b(x3 - k3), in voxels of the image
    (Unser 1999, doi 10.1109/79.799930); beyond the outermost knots there is nothing.

    Parameters
    ----------
    coefficients : iterable of nibabel image, (X, Y, Z)
        Levels, which are summed.
    points : (N, 3) ndarray
        World coordinates in mm.

    Returns
    -------
    (N,) float64 ndarray
        In the unit of the coefficients, Hz.

    Examples
    --------
    >>> knots = np.zeros((5, 5, 5))
    >>> knots[2, 2, 2] = 27.0
    >>> field_at([nib.Nifti1Image(knots, np.eye(4))], np.array([[2.0, 2, 2], [3, 2, 2], [4, 2, 2]])).round(6).tolist()
    [8.0, 2.0, 0.0]
    """
    total = np.zeros(len(points))
    for level in coefficients:
        knots = apply_affine(np.linalg.inv(level.affine), points).T
        values = np.asarray(level.dataobj, dtype=float)
        total += map_coordinates(values, knots, order=3, prefilter=False, mode="grid-constant")
    return total


def shift_of(run: RawRun, shape: tuple[int, ...], points: np.ndarray) -> np.ndarray | None:
    """Return how far the signal of points was shifted when it was acquired.

    A field of f Hz shifts it by f times the readout time, in voxels, to the end of the axis that
    PhaseEncodingDirection names; to its beginning if that ends in a minus.

    Parameters
    ----------
    run : RawRun
    shape : tuple of int
        Of its volumes.
    points : (N, 3) ndarray
        World coordinates in the reference.

    Returns
    -------
    (N, 3) float64 ndarray or None
        In voxels of the raw scan; None if distortions are not corrected.
    """
    fit = run.fit
    if fit is None or fit.to_fieldmap is None or not_corrected_because(fit, run.metadata) is not None:
        return None
    metadata = run.metadata
    direction = metadata["PhaseEncodingDirection"]
    axis = "ijk".index(direction[0])
    seconds = readout_time(metadata, shape[axis]) or 0.0
    to_fieldmap = np.linalg.inv(read_chain([fit.to_fieldmap]))
    field = field_at([read_image(path)[0] for path in fit.coefficients], apply_affine(to_fieldmap, points))
    shift = np.zeros((len(points), 3))
    shift[:, axis] = field * seconds * (-1 if direction.endswith("-") else 1)
    return shift
