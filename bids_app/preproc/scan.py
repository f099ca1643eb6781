"""One BOLD run: its reference, its motion, and its way to the anatomy or straight to the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.lib.format import open_memmap

from bids_app.errors import DataError
from bids_app.preproc.confounds import count_dummy_scans
from bids_app.preproc.masks import dice, dilate, epi_mask
from bids_app.preproc.motion import Target, estimate_motion, make_target, rigid_parameters
from bids_app.preproc.registration import (
    bias_field,
    deform,
    linear,
    map_points,
    mutual_information,
    start_at,
    to_ants,
)
from bids_app.preproc.resampling import grid_points, read_at, regrid, resample_series
from bids_app.preproc.template import Template
from bids_app.system.images import UNREADABLE

FIRST = 5
AVERAGED = 20
COREGISTRATION_MM = 2.0


@dataclass(frozen=True)
class Reference:
    """What stands for a run in space.

    Attributes
    ----------
    image : Nifti1Image, float32
        Mean of realigned volumes, without its bias field.
    mask : (X, Y, Z) bool ndarray
        The brain in it.
    """

    image: nib.Nifti1Image
    mask: np.ndarray


def read_volumes(image: nib.Nifti1Image, path: Path) -> np.memmap[Any, np.dtype[np.float32]]:
    """Copy a run's volumes one by one to an array on disk, the one that later steps read.

    Returns
    -------
    (T, X, Y, Z) float32 memmap
    """
    series = open_memmap(path, mode="w+", dtype=np.float32, shape=(image.shape[3], *image.shape[:3]))
    for index in range(image.shape[3]):
        try:
            series[index] = image.dataobj[..., index]
        except UNREADABLE as error:
            raise DataError(
                f"the BOLD image is truncated: volume {index} of {image.shape[3]} cannot be read."
            ) from error
        np.nan_to_num(series[index], copy=False, posinf=0, neginf=0)
    return series


def find_dummies(series: np.ndarray) -> int:
    """Count the dummy scans of a run; see `confounds.count_dummy_scans`.

    Raises
    ------
    DataError
        Fewer than six volumes are in steady state.
    """
    n_dummy = count_dummy_scans([volume.mean(dtype=float) for volume in series[:50]])
    if len(series) - n_dummy <= FIRST:
        raise DataError(f"the BOLD image has {len(series)} volumes, of which {n_dummy} are not in steady state.")
    return n_dummy


def realign(series: np.ndarray, affine: np.ndarray, n_dummy: int) -> tuple[Reference, np.ndarray, np.ndarray]:
    """Make a run's reference and estimate the motion of all of its volumes.

    The first volumes in steady state are averaged; twenty volumes over the whole run, realigned to that, are
    averaged in turn, and all volumes are fitted to that mean.

    Parameters
    ----------
    series : (T, X, Y, Z) float32 ndarray
    affine : (4, 4) ndarray
    n_dummy : int

    Returns
    -------
    reference : Reference
    motion : (T, 4, 4) float64 ndarray
        World coordinates of the reference to those of each volume.
    parameters : (T, 6) float64 ndarray
        Translations in mm and rotations in radians about the centre of the brain.
    """
    first = series[n_dummy : n_dummy + FIRST].mean(axis=0)
    target = make_target(first, epi_mask(nib.Nifti1Image(first, affine)), affine)
    some = np.unique(np.linspace(n_dummy, len(series) - 1, AVERAGED).astype(int))
    mean = _mean_of_realigned(series[some], affine, target)
    reference = _even(mean, affine)
    target = make_target(mean, reference.mask, affine)
    motion = estimate_motion(series, target)
    return reference, motion, np.array([rigid_parameters(transform, target.centre) for transform in motion])


def _mean_of_realigned(volumes: np.ndarray, affine: np.ndarray, target: Target) -> np.ndarray:
    shape = volumes.shape[1:]
    points = apply_affine(affine, np.indices(shape).reshape(3, -1).T)
    realigned = np.empty((len(volumes), len(points)), dtype=np.float32)
    resample_series(volumes, affine, points, estimate_motion(volumes, target), realigned)
    return realigned.mean(axis=0).reshape(shape)


def _even(mean: np.ndarray, affine: np.ndarray) -> Reference:
    region = dilate(epi_mask(nib.Nifti1Image(mean, affine)))
    field = bias_field(to_ants(np.maximum(mean, 0), affine), to_ants(region, affine))
    image = nib.Nifti1Image((mean / field).astype(np.float32), affine)
    return Reference(image, epi_mask(image))


def align_with_anatomy(
    reference: Reference, t1w: nib.Nifti1Image, brain: np.ndarray, folder: Path
) -> tuple[str, float, float]:
    """Align a run with a T1-weighted image by a rigid transform.

    It is tried from where the scanner says both lie and from brains on top of each other; the better one is taken.

    Parameters
    ----------
    reference : Reference
    t1w : nibabel image, (X, Y, Z)
    brain : (X, Y, Z) bool ndarray
        Mask of the T1w.
    folder : Path
        Where transforms are written.

    Returns
    -------
    transform : str
        Takes points of the T1w to those of the reference.
    before, after : float
        Normalised mutual information within the brain, as the scanner says and aligned.
    """
    stripped = nib.Nifti1Image(np.where(brain, np.asarray(t1w.dataobj), 0).astype(np.float32), t1w.affine)
    small = regrid(stripped, np.maximum(nib.affines.voxel_sizes(t1w.affine), COREGISTRATION_MM))
    values = np.asarray(small.dataobj)
    points, inside = apply_affine(small.affine, np.argwhere(values > 0)), values[values > 0]
    moving = np.where(dilate(reference.mask), np.asarray(reference.image.dataobj), 0)
    centres = (centre_of(t1w.affine, brain), centre_of(reference.image.affine, reference.mask))
    starts = {"scanner": (centres[0], centres[0]), "brains": centres}
    found = []
    for name, (fixed_centre, moving_centre) in starts.items():
        start = start_at(fixed_centre, moving_centre, folder / f"{name}.mat")
        fixed_image, moving_image = to_ants(values, small.affine), to_ants(moving, reference.image.affine)
        transform = linear(fixed_image, moving_image, "Rigid", folder / f"{name}_", start)
        found.append((_agreement(reference, inside, map_points(points, [transform])), transform))
    after, transform = max(found)
    return transform, _agreement(reference, inside, points), after


def _agreement(reference: Reference, inside: np.ndarray, points: np.ndarray) -> float:
    """Compare at points that the reference holds; what lies outside of it counts as its edge."""
    return mutual_information(inside, read_at(reference.image, np.asarray(reference.image.dataobj), points))


def centre_of(affine: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the centre of a mask in world coordinates, (3,) in mm."""
    return apply_affine(affine, np.argwhere(mask)).mean(axis=0)


def align_with_template(reference: Reference, template: Template, folder: Path) -> tuple[str, str]:
    """Align a run that has no anatomy straight with the template, by an affine and SyN.

    Returns
    -------
    forward, inverse : str
        Composite transforms; the forward one takes points of the template to those of the reference.
    """
    fixed = to_ants(template.brain.dataobj, template.affine)
    moving = np.where(dilate(reference.mask), np.asarray(reference.image.dataobj), 0)
    centres = centre_of(template.affine, template.mask), centre_of(reference.image.affine, reference.mask)
    start = start_at(*centres, folder / "brains.mat")
    return deform(fixed, to_ants(moving, reference.image.affine), folder / "boldref_", start)


def template_points(template: Template) -> np.ndarray:
    """Return the world coordinates of all voxels of the template, (X Y Z, 3) in mm, in C order."""
    return grid_points(template.mask.shape, template.affine)


def brain_in_template(
    reference: Reference, points: np.ndarray, seen: np.ndarray, anatomical: np.ndarray
) -> dict[str, np.ndarray]:
    """Bring a run's reference and its mask to the template, and settle its brain there.

    Parameters
    ----------
    reference : Reference
    points : (X Y Z, 3) ndarray
        World coordinates in the reference of all voxels of the template.
    seen : (X, Y, Z) bool ndarray
        Voxels of the template's brain that lie within every volume.
    anatomical : (X, Y, Z) bool ndarray
        The brain of the T1w.

    Returns
    -------
    dict of (X, Y, Z) ndarray
        ``reference``; ``signal``, its brain by its own intensity; and ``mask``, what of the anatomical brain was
        seen and lies in that or touches it.

    Raises
    ------
    DataError
        That is nothing.
    """
    own = reference.mask
    parts = (np.asarray(reference.image.dataobj), own.astype(np.float32), dilate(own).astype(np.float32))
    values, signal, near = (read_at(reference.image, part, points).reshape(seen.shape) for part in parts)
    mask = anatomical & (near > 0.5) & seen
    if not mask.any():
        raise DataError("nothing of the BOLD image lies within the brain: was it aligned with the T1w or the template?")
    return {"reference": values.astype(np.float32), "signal": signal > 0.5, "mask": mask}


def quality(template: Template, brain: Mapping[str, np.ndarray], what: str = "Template") -> dict[str, float]:
    """Say how well a run's own brain mask and its reference agree with the template.

    Parameters
    ----------
    template : template.Template
    brain : dict of (X, Y, Z) ndarray
        As from `brain_in_template`, as volumes.
    what : {"Template", "T1w"}, optional
        What stands for the template.
    """
    inside = brain["mask"]
    of_template = np.asarray(template.brain.dataobj)[inside]
    return {
        f"DiceSignalWith{what}": dice(brain["signal"], template.mask),
        f"MutualInformationWith{what}": mutual_information(of_template, brain["reference"][inside]),
        f"CoverageOf{what}": float(inside.sum() / template.mask.sum()),
    }
