"""A T1-weighted image: its brain, its tissues and its way to the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import ArrayLike
from scipy import ndimage

from bids_app.errors import DataError
from bids_app.preproc.masks import ball, dice, dilate, label_image
from bids_app.preproc.registration import THOROUGH, bias_field, bring, deform, linear, segment, start_at, to_ants
from bids_app.preproc.resampling import regrid
from bids_app.preproc.template import Template

FINEST_MM = 1.0
WORKING_MM = 2.0
HEAD_MM = 130.0  # from the crown to below the brain
CORE_MM = 40.0
EROSIONS = (0, 1, 2)
LEAST_CORRELATION = 0.3


@dataclass(frozen=True)
class Anatomy:
    """A T1-weighted image, ready to align others with.

    Attributes
    ----------
    t1w : Nifti1Image, float32
        Without its bias field, of voxels of 1 mm or more.
    mask : (X, Y, Z) bool ndarray
        The brain.
    tissues : dict of (X, Y, Z) float32 ndarray
        Probabilities of CSF, GM and WM.
    forward, inverse : str
        Composite transforms; the forward one takes points of the template to those of the T1w.
    """

    t1w: nib.Nifti1Image
    mask: np.ndarray
    tissues: dict[str, np.ndarray]
    forward: str
    inverse: str

    @property
    def labels(self) -> np.ndarray:
        """Most probable tissue: 1 GM, 2 WM, 3 CSF."""
        return label_image(self.tissues, self.mask)


def prepare_anatomy(image: nib.Nifti1Image, template: Template, folder: Path) -> Anatomy:
    """Find the brain in a T1-weighted image, its tissues, and its way to the template.

    A rough brain is cut out by its intensity and its being in one piece, and aligned with the template by an
    affine. From the template come then the region for N4, the mask, which SyN refines, and priors of the tissues.

    Parameters
    ----------
    image : nibabel image, (X, Y, Z)
    template : template.Template
    folder : Path
        Where transforms are written.

    Returns
    -------
    Anatomy

    Raises
    ------
    DataError
        No brain is found that looks like the template.
    """
    conformed = regrid(image, np.maximum(nib.affines.voxel_sizes(image.affine), FINEST_MM))
    small = regrid(image, np.maximum(nib.affines.voxel_sizes(image.affine), WORKING_MM))
    fixed = to_ants(template.brain.dataobj, template.affine)
    affine = align_head(small, template, fixed, folder)
    region = _template_mask_on(small, dilate(template.mask, 1), template, _inverted(affine, folder))
    field = bias_field(to_ants(small.dataobj, small.affine), to_ants(region, small.affine))
    even = np.asarray(small.dataobj) / field
    _, back = deform(fixed, to_ants(even * region, small.affine), folder / "quick_", affine)
    mask = _template_mask_on(small, template.mask, template, back)
    tissues = _tissues(even, mask, small, template, back)
    brain = to_ants(even * mask, small.affine)
    forward, inverse = deform(fixed, brain, folder / "T1w_", affine, iterations=THOROUGH)
    field, mask, *shares = (_on(conformed, part, small) for part in (field, mask, *tissues.values()))
    return Anatomy(
        nib.Nifti1Image(np.asarray(conformed.dataobj) / np.maximum(field, 1e-3), conformed.affine),
        mask > 0.5,
        dict(zip(tissues, shares, strict=True)),
        forward,
        inverse,
    )


def align_head(small: nib.Nifti1Image, template: Template, fixed: ants.ANTsImage, folder: Path) -> str:
    """Align a head with the template by an affine; of several rough brains, by that which fits best.

    Returns
    -------
    str
        Path of the transform, which takes points of the template to those of the head.
    """
    values = np.asarray(small.dataobj)
    centre = apply_affine(template.affine, np.argwhere(template.mask)).mean(axis=0)
    wanted = np.asarray(template.brain.dataobj)[template.mask]
    found: list[tuple[float, str]] = []
    for radius in EROSIONS:
        rough = rough_brain(values, small.affine, radius)
        if not rough.any():
            continue
        moving = to_ants(np.where(rough, values, 0), small.affine)
        moving_centre = apply_affine(small.affine, np.argwhere(rough)).mean(axis=0)
        start = start_at(centre, moving_centre, folder / f"start{radius}.mat")
        transform = linear(fixed, moving, "Affine", folder / f"rough{radius}_", start)
        brought = bring(fixed, to_ants(values, small.affine), transform)[template.mask]
        found.append((_correlation(brought, wanted), transform))
    best, transform = max(found, default=(0.0, ""))
    if best < LEAST_CORRELATION:
        raise DataError(
            f"no brain is found in the T1w image: at best it correlates with the template by {best:.2f} "
            f"(at least {LEAST_CORRELATION} is needed). Is it T1-weighted, and is its orientation right?"
        )
    return transform


def rough_brain(values: np.ndarray, affine: np.ndarray, radius: int) -> np.ndarray:
    """Cut a brain out of a head: what is about as bright as its middle and hangs together after an erosion.

    Parameters
    ----------
    values : (X, Y, Z) ndarray
        T1-weighted, of about 2 mm.
    affine : (4, 4) ndarray
    radius : int
        Of the erosion, in voxels.

    Returns
    -------
    (X, Y, Z) bool ndarray
    """
    head = values > 0.15 * np.percentile(values, 99)
    if not head.any():
        return head
    points = apply_affine(affine, np.indices(values.shape).reshape(3, -1).T).reshape(*values.shape, 3)
    crown = np.percentile(points[head][:, 2], 99.5)
    centre = points[head & (points[..., 2] > crown - HEAD_MM)].mean(axis=0)
    core = np.linalg.norm(points - centre, axis=-1) < CORE_MM
    if not core.any():
        return core
    white = np.percentile(values[core], 90)
    parts, _ = ndimage.label(ndimage.binary_erosion((values > 0.5 * white) & (values < 1.35 * white), ball(radius)))
    sizes = np.bincount(parts[core])
    sizes[0] = 0
    if not sizes.any():
        return np.zeros(values.shape, dtype=bool)
    piece = np.pad(dilate(parts == sizes.argmax(), radius + 1), 8)
    return ndimage.binary_fill_holes(ndimage.binary_closing(piece, ball(5)))[8:-8, 8:-8, 8:-8]


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) > 0 else 0.0


def _inverted(affine: str, folder: Path) -> Path:
    path = folder / "template_to_head.mat"
    ants.write_transform(ants.read_transform(affine).invert(), str(path))
    return path


def _template_mask_on(small: nib.Nifti1Image, mask: np.ndarray, template: Template, back: Path | str) -> np.ndarray:
    brought = bring(to_ants(small.dataobj, small.affine), to_ants(mask, template.affine), back, nearest=True)
    if not brought.any():
        raise DataError("the T1w image and the template do not overlap.")
    return brought > 0


def _tissues(
    even: np.ndarray, mask: np.ndarray, small: nib.Nifti1Image, template: Template, back: str
) -> dict[str, np.ndarray]:
    fixed = to_ants(even, small.affine)
    priors = {name: bring(fixed, to_ants(values, template.affine), back) for name, values in template.tissues.items()}
    return segment(even, mask, priors)


def _on(conformed: nib.Nifti1Image, values: np.ndarray, small: nib.Nifti1Image) -> np.ndarray:
    matrix = np.linalg.inv(small.affine) @ conformed.affine
    values = values.astype(np.float32)
    return ndimage.affine_transform(values, matrix, output_shape=conformed.shape, order=1, mode="nearest")


def in_template(anatomy: Anatomy, template: Template) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Bring an anatomy to the template.

    Returns
    -------
    images : dict of (X, Y, Z) ndarray
        T1w, mask, dseg and the tissues on the template's grid.
    quality : dict
        How well it agrees with the template there.
    """
    fixed = to_ants(template.brain.dataobj, template.affine)
    parts = {"T1w": anatomy.t1w.dataobj, **anatomy.tissues}
    images = {name: _brought(fixed, part, anatomy) for name, part in parts.items()}
    images["mask"] = (_brought(fixed, anatomy.mask, anatomy) > 0.5).astype(np.uint8)
    images["dseg"] = label_image(images, images["mask"] > 0)
    return images, quality_of(images, template)


def quality_of(images: Mapping[str, np.ndarray], template: Template) -> dict[str, float]:
    """Say how well an anatomy in the template, as from `in_template`, agrees with it."""
    brain = np.asarray(template.brain.dataobj)[template.mask]
    return {
        "CorrelationWithTemplate": _correlation(images["T1w"][template.mask], brain),
        "DiceBrainMask": dice(images["mask"], template.mask),
        "DiceGreyMatter": dice(images["dseg"] == 1, template.tissues["GM"] > 0.5),
        "DiceWhiteMatter": dice(images["dseg"] == 2, template.tissues["WM"] > 0.5),
    }


def _brought(fixed: ants.ANTsImage, values: ArrayLike, anatomy: Anatomy) -> np.ndarray:
    return bring(fixed, to_ants(values, anatomy.t1w.affine), anatomy.forward)
