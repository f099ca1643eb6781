"""Head motion: a rigid transform per volume by Gauss-Newton, and what is derived from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates, spline_filter
from scipy.spatial.transform import Rotation

FWHM_MM = 6.0  # of the smoothing before the fit, about two voxels
MAX_STEPS = 30
SETTLED_MM = 1e-3
SETTLED_RADIANS = 2e-5
HEAD_RADIUS_MM = 50.0
MAX_POINTS = 30_000


def rigid(parameters: np.ndarray | Sequence[float], centre: np.ndarray | Sequence[float]) -> np.ndarray:
    """Make a rigid transform.

    Parameters
    ----------
    parameters : (6,) array-like
        Translations along x, y, z in mm, then rotations about x, y, z in radians, applied in that order.
    centre : (3,) array-like
        World coordinates of the point that is rotated about, in mm.

    Returns
    -------
    (4, 4) float64 ndarray
        x -> R (x - centre) + centre + translation, with R = Rz Ry Rx.

    Examples
    --------
    >>> rigid([1, 2, 3, 0, 0, np.pi / 2], [0, 0, 0]).round(6)[:3]
    array([[ 0., -1.,  0.,  1.],
           [ 1.,  0.,  0.,  2.],
           [ 0.,  0.,  1.,  3.]])
    """
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler("xyz", parameters[3:]).as_matrix()
    transform[:3, 3] = centre - transform[:3, :3] @ centre + parameters[:3]
    return transform


def rigid_parameters(transform: np.ndarray, centre: np.ndarray | Sequence[float]) -> np.ndarray:
    """Return the six parameters of a rigid transform; the inverse of `rigid`.

    Examples
    --------
    >>> rigid_parameters(rigid([1, 2, 3, 0.1, 0.2, 0.3], [5, 6, 7]), [5, 6, 7]).round(6)
    array([1. , 2. , 3. , 0.1, 0.2, 0.3])
    """
    rotation = transform[:3, :3]
    translation = transform[:3, 3] - centre + rotation @ centre
    return np.array([*translation, *Rotation.from_matrix(rotation).as_euler("xyz")])


@dataclass(frozen=True)
class Target:
    """What volumes are fitted to.

    Attributes
    ----------
    affine : (4, 4) ndarray
    points : (N, 3) ndarray
        World coordinates at which images are compared, in mm.
    values : (N,) ndarray
        The smoothed reference there.
    solver : (7, N) ndarray
        Pseudo-inverse of the derivatives of the reference by the six parameters and by its scale.
    centre : (3,) ndarray
        World coordinates that rotations are about.
    """

    affine: np.ndarray
    points: np.ndarray
    values: np.ndarray
    solver: np.ndarray
    centre: np.ndarray


def make_target(reference: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> Target:
    """Prepare a reference volume for the fit.

    Parameters
    ----------
    reference : (X, Y, Z) ndarray
    mask : (X, Y, Z) bool ndarray
        Where images are compared: the brain.
    affine : (4, 4) ndarray
    """
    smoothed = _smoothed(reference, affine)
    inner = binary_erosion(np.ones(mask.shape, dtype=bool), iterations=2)  # what moves out of view cannot be compared
    voxels = np.argwhere(mask & inner if (mask & inner).any() else mask)
    voxels = voxels[:: max(1, len(voxels) // MAX_POINTS)]
    at = tuple(voxels.T)
    points = apply_affine(affine, voxels)
    centre = apply_affine(affine, np.argwhere(mask)).mean(axis=0)
    gradient = np.stack(np.gradient(smoothed), axis=-1)[at] @ np.linalg.inv(affine[:3, :3])
    derivatives = np.column_stack([gradient, np.cross(points - centre, gradient), smoothed[at]])
    return Target(affine, points, smoothed[at], np.linalg.pinv(derivatives), centre)


def fit_volume(target: Target, volume: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Find the rigid transform that takes the reference's world coordinates to those of a volume.

    Least squares by inverse compositional Gauss-Newton: the derivatives are those of the reference, so that they
    are inverted once for all volumes (Baker and Matthews 2004, doi 10.1023/B:VISI.0000011205.11775.fd). The volume
    may be brighter or darker as a whole.

    Parameters
    ----------
    target : Target
    volume : (X, Y, Z) ndarray
    start : (4, 4) ndarray, optional
        First guess, such as the transform of the volume before.

    Returns
    -------
    (4, 4) float64 ndarray
    """
    transform = np.eye(4) if start is None else start
    coefficients = spline_filter(_smoothed(volume, target.affine), order=3, mode="nearest", output=np.float32)
    to_voxels = np.linalg.inv(target.affine)
    for _ in range(MAX_STEPS):
        voxels = apply_affine(to_voxels @ transform, target.points)
        moved = map_coordinates(coefficients, voxels.T, order=3, prefilter=False, mode="nearest")
        step = target.solver @ (moved - target.values)
        step = step[:6] / max(1 + step[6], 0.1)
        transform = transform @ np.linalg.inv(rigid(step, target.centre))
        if np.abs(step[:3]).max() < SETTLED_MM and np.abs(step[3:]).max() < SETTLED_RADIANS:
            break
    return transform


def estimate_motion(volumes: Iterable[np.ndarray], target: Target) -> np.ndarray:
    """Fit every volume, each from where the one before was.

    Parameters
    ----------
    volumes : iterable of (X, Y, Z) ndarray
    target : Target

    Returns
    -------
    (T, 4, 4) float64 ndarray
        World coordinates of the reference to those of each volume.
    """
    transforms, last = [], None
    for volume in volumes:
        last = fit_volume(target, volume, last)
        transforms.append(last)
    return np.array(transforms)


def _smoothed(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    sigma = FWHM_MM / np.sqrt(8 * np.log(2)) / voxel_sizes(affine)
    return gaussian_filter(np.asarray(volume, dtype=np.float32), sigma, mode="nearest")


def framewise_displacement(parameters: np.ndarray) -> np.ndarray:
    """Sum the absolute changes of the six parameters, rotations as arcs on a sphere of 50 mm.

    Power et al. 2012, doi 10.1016/j.neuroimage.2011.10.018.

    Parameters
    ----------
    parameters : (T, 6) ndarray
        In mm and radians.

    Returns
    -------
    (T,) float64 ndarray
        In mm; NaN for the first volume.

    Examples
    --------
    >>> framewise_displacement(np.array([[0, 0, 0, 0, 0, 0], [1, -1, 0, 0.01, 0, 0]]))
    array([nan, 2.5])
    """
    changes = np.abs(np.diff(parameters, axis=0))
    return np.r_[np.nan, changes[:, :3].sum(axis=1) + HEAD_RADIUS_MM * changes[:, 3:].sum(axis=1)]
