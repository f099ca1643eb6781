"""Masks: the brain in an echo-planar image, the tissues whose signal is noise, and how well two masks agree."""

from collections.abc import Mapping

import nibabel as nib
import numpy as np
from nilearn.masking import compute_epi_mask
from scipy import ndimage

from bids_app.errors import DataError

TISSUE_PROBABILITY = 0.9
GREY_PROBABILITY = 0.5
MIN_VOXELS = 20
RIM = 2  # voxels of the brain's edge, where sulcal CSF and motion are


def ball(radius: int) -> np.ndarray:
    """Return a ball as a structuring element, (2 radius + 1)^3 bool.

    Examples
    --------
    >>> int(ball(1).sum()), int(ball(2).sum())
    (7, 33)
    """
    steps = np.indices((2 * radius + 1,) * 3) - radius
    return (steps**2).sum(axis=0) <= radius**2


def dilate(mask: np.ndarray, radius: int = 1) -> np.ndarray:
    """Grow a mask by a ball."""
    return ndimage.binary_dilation(mask, ball(radius))


def epi_mask(image: nib.Nifti1Image) -> np.ndarray:
    """Find the brain in an echo-planar image by its histogram, with nilearn.

    Returns
    -------
    (X, Y, Z) bool ndarray

    Raises
    ------
    DataError
        There is none.
    """
    try:
        mask = np.asarray(compute_epi_mask(image, opening=2).dataobj) > 0
    except ValueError as error:
        raise DataError(f"no brain is found in the BOLD image: {error}") from error
    if not mask.any():
        raise DataError("no brain is found in the BOLD image.")
    return mask


def noise_masks(tissues: Mapping[str, np.ndarray], brain: np.ndarray) -> dict[str, np.ndarray]:
    """Choose the voxels whose signal cannot be grey matter's, for mean signals and CompCor.

    A voxel is of a tissue by a probability above 0.9, touches no voxel that is grey matter by more than 0.5, and is
    not at the edge of the brain. If so few are left that a mean means nothing, the most probable are taken.

    Parameters
    ----------
    tissues : dict of (X, Y, Z) ndarray
        Probabilities of CSF, GM and WM.
    brain : (X, Y, Z) bool ndarray

    Returns
    -------
    dict of (X, Y, Z) bool ndarray
        CSF, WM and combined.
    """
    inside = ndimage.binary_erosion(brain, ball(RIM))
    away = inside & ~ndimage.binary_dilation(tissues["GM"] > GREY_PROBABILITY)
    masks = {name: _likely(tissues[name], away, brain) for name in ("CSF", "WM")}
    return {**masks, "combined": masks["CSF"] | masks["WM"]}


def _likely(probability: np.ndarray, away: np.ndarray, brain: np.ndarray) -> np.ndarray:
    mask = away & (probability > TISSUE_PROBABILITY)
    if mask.sum() >= MIN_VOXELS:
        return mask
    ranked = np.where(brain, probability, -1)
    least = np.partition(ranked.ravel(), -MIN_VOXELS)[-MIN_VOXELS]
    return brain & (ranked >= max(least, 1e-3))


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Return the overlap of two masks (Dice 1945): 1 if they are the same, 0 if they have nothing in common.

    Examples
    --------
    >>> dice(np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0]))
    0.5
    """
    one, other = one.astype(bool), other.astype(bool)
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def label_image(probabilities: Mapping[str, np.ndarray], mask: np.ndarray) -> np.ndarray:
    """Return the most probable tissue within a mask: 0 none, 1 GM, 2 WM, 3 CSF, as BIDS numbers them."""
    stacked = np.stack([probabilities[name] for name in ("GM", "WM", "CSF")])
    return np.where(mask & (stacked.max(axis=0) > 0), stacked.argmax(axis=0) + 1, 0).astype(np.uint8)


def as_image(values: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    """Return an array as an image whose header says where it lies, in which units."""
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, code="aligned")
    image.set_qform(affine, code="aligned")
    image.header.set_xyzt_units("mm", "sec")
    return image
