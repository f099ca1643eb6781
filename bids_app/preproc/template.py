"""The template that scans are brought to: its brain, its mask and its tissues, on a grid of 2 mm."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.datasets import (
    load_mni152_brain_mask,
    load_mni152_gm_template,
    load_mni152_template,
    load_mni152_wm_template,
)

from bids_app.errors import MissingInputError
from bids_app.space.templates import BUNDLED_SPACE, PARTS, TISSUES, template_file, template_space
from bids_app.system.images import read_image

VOXEL_MM = 2


@dataclass(frozen=True)
class Template:
    """A brain in standard space.

    Attributes
    ----------
    space : str
        Its name in BIDS.
    brain : Nifti1Image, float32, (X, Y, Z)
        T1-weighted, zero outside the brain.
    mask : (X, Y, Z) bool ndarray
        The brain.
    tissues : dict of (X, Y, Z) float32 ndarray
        Probabilities of CSF, GM and WM.
    owner : str
        Whose brain it is, for people: the participant's own may stand for it.
    """

    space: str
    brain: nib.Nifti1Image
    mask: np.ndarray
    tissues: dict[str, np.ndarray]
    owner: str = "template"

    @property
    def affine(self) -> np.ndarray:
        """Voxel indices to world coordinates in mm, (4, 4)."""
        return self.brain.affine

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Put one value per voxel of the brain, (N,), back into a volume that is 0 elsewhere."""
        volume = np.zeros(self.mask.shape, dtype=values.dtype)
        volume[self.mask] = values
        return volume


def load_template(folder: Path | None = None) -> Template:
    """Load a template of TemplateFlow, or the one that nilearn carries.

    nilearn's is the symmetric ICBM 152 2009a (Fonov et al. 2011), which BIDS calls MNI152NLin2009aSym. Its CSF is
    what its grey and white matter leave of the brain.

    Parameters
    ----------
    folder : Path, optional
        A folder ``tpl-<space>`` with the images of resolution 2.

    Returns
    -------
    Template
    """
    return _bundled() if folder is None else _of_templateflow(folder)


def _bundled() -> Template:
    brain = load_mni152_template(resolution=VOXEL_MM)
    mask = _values(load_mni152_brain_mask(resolution=VOXEL_MM)) > 0
    grey, white = (_values(load(resolution=VOXEL_MM)) for load in (load_mni152_gm_template, load_mni152_wm_template))
    csf = np.where(mask, np.clip(1 - grey - white, 0, 1), 0)
    return Template(BUNDLED_SPACE, brain, mask, {"CSF": csf, "GM": grey, "WM": white})


def _of_templateflow(folder: Path) -> Template:
    found = {part: path for part in PARTS if (path := template_file(folder, part)) is not None}
    if lacking := [part for part in PARTS if part not in found]:
        raise MissingInputError(
            f"--template {folder}: {', '.join(lacking)} not found (looked for "
            f"{folder.name}_res-02_{lacking[0]}.nii.gz). "
            "Give a folder of TemplateFlow with the images of resolution 2 in it."
        )
    image = read_image(found["T1w"])[0]
    values = {part: np.asarray(read_image(path)[1], dtype=np.float32) for part, path in found.items()}
    mask = values["desc-brain_mask"] > 0
    brain = nib.Nifti1Image(np.where(mask, values["T1w"], 0), image.affine)
    tissues = {tissue: values[f"label-{tissue}_probseg"] for tissue in TISSUES}
    return Template(template_space(folder), brain, mask, tissues)


def _values(image: nib.Nifti1Image) -> np.ndarray:
    return np.asarray(image.dataobj, dtype=np.float32)
