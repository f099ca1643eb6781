"""Susceptibility distortion: how far a field shifts the signal along the phase encoding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from scipy.ndimage import map_coordinates

from bids_app.preproc.distortion.readout import voxels_per_hertz
from bids_app.preproc.fitted.transforms import read_chain
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


@dataclass(frozen=True)
class Field:
    """A field, and where it lies.

    Attributes
    ----------
    coefficients : tuple of Path
        Images of B-splines in Hz, which are summed.
    to_fieldmap : Path
        ITK text: takes points of the field to those of the scan's reference.
    """

    coefficients: tuple[Path, ...]
    to_fieldmap: Path

    def at(self, points: np.ndarray) -> np.ndarray:
        """Return the field at points of the reference, (N, 3) in mm, in Hz."""
        inverse = np.linalg.inv(read_chain([self.to_fieldmap]))
        return field_at([read_image(path)[0] for path in self.coefficients], apply_affine(inverse, points))


def shift_of(
    field: Field | None, metadata: Mapping[str, Any], shape: tuple[int, ...], points: np.ndarray
) -> np.ndarray | None:
    """Return how far the signal of points was shifted when it was acquired.

    A field of f Hz shifts it by f times the readout time, in voxels, to the end of the axis that
    PhaseEncodingDirection names; to its beginning if that ends in a minus.

    Parameters
    ----------
    field : Field or None
    metadata : dict
        What the sidecars say of the scan.
    shape : tuple of int
        Of its volumes.
    points : (N, 3) ndarray
        World coordinates in the reference.

    Returns
    -------
    (N, 3) float64 ndarray or None
        In voxels of the raw scan; None if distortions are not corrected.
    """
    if field is None:
        return None
    axis, voxels = voxels_per_hertz(metadata, shape)
    shift = np.zeros((len(points), 3))
    shift[:, axis] = voxels * field.at(points)
    return shift
