"""The field that a field map measured, as B-splines, with an image that shows where it lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes

from bids_app.errors import DataError
from bids_app.preproc.distortion.blips import REFINING, Pair, estimate_field, evened
from bids_app.preproc.distortion.phases import in_radians, unwrapped
from bids_app.preproc.distortion.readout import voxels_per_hertz
from bids_app.preproc.distortion.splines import fit, splines_on
from bids_app.preproc.masks import epi_mask
from bids_app.preproc.motion import fit_volume, make_target, rigid, rigid_parameters
from bids_app.preproc.resampling import grid_points, read_at, regrid

FINEST_MM = 3.0  # a field is smooth
KNOTS_MM = 10.0
STIFFNESS = 0.05
ALONG = 0.98  # cosine of the angle between phase encodings that are along one axis
HERTZ = {"Hz": 1.0, "rad/s": 1 / (2 * np.pi), "T": 42.577478518e6}  # of protons: 42.577 MHz/T (CODATA 2018)


@dataclass(frozen=True)
class Measured:
    """A field.

    Attributes
    ----------
    coefficients : Nifti1Image, float32
        Of B-splines, in Hz, as `field.field_at` reads it.
    anatomy : Nifti1Image, float32
        The head without distortion, where the field lies.
    facts : dict
        How well it did, for the sidecar.
    """

    coefficients: nib.Nifti1Image
    anatomy: nib.Nifti1Image
    facts: dict[str, Any]


def shift_vector(image: nib.Nifti1Image, metadata: Mapping[str, Any]) -> np.ndarray:
    """Return by how many mm, (3,) in world coordinates, 1 Hz shifts the signal of an image."""
    axis, voxels = voxels_per_hertz(metadata, image.shape)
    return np.asarray(image.affine[:3, axis] * voxels)


def of_blips(first: nib.Nifti1Image, second: nib.Nifti1Image, vectors: tuple[np.ndarray, np.ndarray]) -> Measured:
    """Estimate the field of two images of opposite phase encoding, and how the head moved between them.

    Parameters
    ----------
    first, second : nibabel image, (X, Y, Z)
    vectors : tuple of (3,) ndarray
        As from `shift_vector`.

    Returns
    -------
    Measured
        Where the first lies.

    Raises
    ------
    DataError
        Their phase encodings are not along one axis, or the field makes them no more alike.
    """
    grid = regrid(first, np.maximum(voxel_sizes(first.affine), FINEST_MM))
    axis, shifts = along_grid(grid.affine, vectors)
    fine = regrid(second, np.maximum(voxel_sizes(second.affine), FINEST_MM))
    points = grid_points(grid.shape, grid.affine)
    values = np.asarray(grid.dataobj, dtype=float)

    def pair(transform: np.ndarray) -> Pair:
        other = read_at(fine, np.asarray(fine.dataobj), apply_affine(transform, points)).reshape(grid.shape)
        return Pair((values, other.astype(float)), shifts, axis, grid.affine)

    rough = estimate_field(pair(np.eye(4)))
    moved = _movement(pair(np.eye(4)), rough)
    still = pair(moved)
    coefficients = estimate_field(still, rough, REFINING)
    one, other = evened(still, coefficients)
    mean = nib.Nifti1Image(((one + other) / 2).astype(np.float32), grid.affine)
    before, after = _alike(*still.values, mean), _alike(one, other, mean)
    if not after > before:
        raise DataError(f"the field makes its two images no more alike (correlation {before:.3f}, then {after:.3f})")
    return Measured(coefficients, mean, {"FieldMapCorrelationBefore": before, "FieldMapCorrelation": after})


def along_grid(affine: np.ndarray, vectors: tuple[np.ndarray, np.ndarray]) -> tuple[int, tuple[float, float]]:
    """Return the axis of a grid that both images are shifted along, and by how many of its voxels per Hz."""
    steps = [np.linalg.solve(affine[:3, :3], vector) for vector in vectors]
    axis = int(np.abs(steps[0]).argmax())
    if any(abs(step[axis]) < ALONG * np.linalg.norm(step) for step in steps) or steps[0][axis] * steps[1][axis] >= 0:
        raise DataError("the two images of opposite phase encoding lie at an angle to each other")
    return axis, (float(steps[0][axis]), float(steps[1][axis]))


def _movement(pair: Pair, coefficients: nib.Nifti1Image) -> np.ndarray:
    """Return how the head moved from the first image to the second; not along the phase encoding, as the field did."""
    one, other = evened(pair, coefficients)
    target = make_target(one, epi_mask(nib.Nifti1Image(one.astype(np.float32), pair.affine)), pair.affine)
    found = rigid_parameters(fit_volume(target, other), target.centre)
    direction = pair.affine[:3, pair.axis] / np.linalg.norm(pair.affine[:3, pair.axis])
    found[:3] -= direction * (direction @ found[:3])
    return rigid(found, target.centre)


def _alike(one: np.ndarray, other: np.ndarray, mean: nib.Nifti1Image) -> float:
    brain = epi_mask(mean)
    return float(np.corrcoef(one[brain], other[brain])[0, 1])


def of_field(values: nib.Nifti1Image, units: str, magnitude: nib.Nifti1Image) -> Measured:
    """Smooth a measured field.

    Parameters
    ----------
    values, magnitude : nibabel image, (X, Y, Z)
    units : {"Hz", "rad/s", "T"}
    """
    hertz = np.asarray(values.dataobj, dtype=float) * HERTZ[units]
    return _smooth(hertz, values.affine, magnitude)


def of_phases(phases: list[nib.Nifti1Image], seconds: float, magnitude: nib.Nifti1Image) -> Measured:
    """Return the field of a difference of phases, or of the phases of two echoes.

    Parameters
    ----------
    phases : list of nibabel image, (X, Y, Z)
        The difference, or the first and the second.
    seconds : float
        From the first echo to the second.
    magnitude : nibabel image, (X, Y, Z)
    """
    *first, last = (in_radians(np.asarray(one.dataobj, dtype=float)) for one in phases)
    wrapped = last - first[0] if first else last
    head = _on(phases[0], magnitude)
    brain = epi_mask(magnitude) if magnitude.shape == wrapped.shape else epi_mask(head)
    weights = brain * np.asarray(head.dataobj, dtype=float)
    turns = unwrapped(wrapped, weights / max(float(weights.max()), 1e-9), phases[0].affine)
    # Its zero is not known to a whole turn. A shift of everything goes with the alignment.
    turns -= np.median(turns[brain])
    return _smooth(turns / (2 * np.pi * seconds), phases[0].affine, magnitude)


def _smooth(hertz: np.ndarray, affine: np.ndarray, magnitude: nib.Nifti1Image) -> Measured:
    head = _on(nib.Nifti1Image(hertz.astype(np.float32), affine), magnitude)
    brain = epi_mask(head)
    splines = splines_on(hertz.shape, affine, KNOTS_MM)
    coefficients = fit(splines, np.where(brain, hertz, 0), brain.astype(float), STIFFNESS)
    return Measured(splines.image(coefficients), head, {})


def _on(image: nib.Nifti1Image, magnitude: nib.Nifti1Image) -> nib.Nifti1Image:
    """Bring a magnitude to the grid of another image of the same place."""
    points = grid_points(image.shape[:3], image.affine)
    values = read_at(magnitude, np.asarray(magnitude.dataobj, dtype=np.float32), points)
    return nib.Nifti1Image(values.reshape(image.shape[:3]).astype(np.float32), image.affine)
