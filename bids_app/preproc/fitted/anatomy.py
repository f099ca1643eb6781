"""fMRIPrep's T1w, its mask and tissues, brought to the template; what stands for the template where there is none."""

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import from_matvec

from bids_app.errors import DataError, UsageError
from bids_app.preproc.anatomy import quality_of
from bids_app.preproc.masks import label_image
from bids_app.preproc.registration import map_points
from bids_app.preproc.resampling import grid_points, read_at
from bids_app.preproc.template import VOXEL_MM, Template, load_template
from bids_app.space.templates import BUNDLED_SPACE, TISSUES, template_space
from bids_app.system.images import read_image

# Of TemplateFlow's images of resolution 2: voxels, and the centre of the first one in mm.
GRIDS = {
    "MNI152NLin2009cAsym": ((97, 115, 97), (-96, -132, -78)),
    "MNI152NLin6Asym": ((91, 109, 91), (-90, -126, -72)),
}
LEAST_OVERLAP = 0.75


def compared_with(space: str, folder: Path | None) -> Template:
    """Return the template on its own grid of 2 mm, to compare with.

    Parameters
    ----------
    space : str
        That scans are brought to.
    folder : Path or None
        Of TemplateFlow, if it is there.

    Returns
    -------
    Template
        Of the folder if that is of the space; else the grid of the space with the template that nilearn carries,
        which differs by a few millimetres at the most from others of the Montreal Neurological Institute.

    Raises
    ------
    UsageError
        The grid of the space is not known, and there is no folder.
    """
    if space == BUNDLED_SPACE or (folder is not None and template_space(folder) == space):
        return load_template(None if space == BUNDLED_SPACE else folder)
    if space not in GRIDS:
        raise UsageError(f"The grid of the template {space} is not known: give its folder with --template.")
    shape, first = GRIDS[space]
    affine = from_matvec(VOXEL_MM * np.eye(3), first)
    points = grid_points(shape, affine)
    other = load_template()

    def read(values: np.ndarray) -> np.ndarray:
        return read_at(other.brain, np.asarray(values, dtype=np.float32), points).reshape(shape)

    tissues = {name: read(values) for name, values in other.tissues.items()}
    brain = nib.Nifti1Image(read(np.asarray(other.brain.dataobj)).astype(np.float32), affine)
    return Template(space, brain, read(other.mask) > 0.5, tissues)


def bring_anatomy(
    anatomy: Mapping[str, Path], normalization: Path, template: Template
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Bring a T1w, its mask and its tissues to the template.

    The mask is that of the T1w, through the transform: not one that fMRIPrep wrote in template space.

    Parameters
    ----------
    anatomy : dict of Path
        T1w, mask, CSF, GM and WM.
    normalization : Path
        Takes points of the template to those of the T1w.
    template : Template
        Its grid is what is brought to.

    Returns
    -------
    images : dict of (X, Y, Z) ndarray
        T1w, mask, dseg and the tissues.
    quality : dict
        How well they agree with the template.

    Raises
    ------
    DataError
        The brain does not lie where that of the template lies.
    """
    shape = template.mask.shape
    points = map_points(grid_points(shape, template.affine), [normalization])
    images = {}
    for name, path in anatomy.items():
        image, values = read_image(path)
        if values.ndim != 3:
            raise DataError(f"{path.name} has shape {values.shape}; a 3D image is needed.")
        images[name] = read_at(image, np.asarray(values, dtype=np.float32), points).reshape(shape).astype(np.float32)
    images["mask"] = (images["mask"] > 0.5).astype(np.uint8)
    images["dseg"] = label_image({name: images[name] for name in TISSUES}, images["mask"] > 0)
    quality = quality_of(images, template)
    if quality["DiceBrainMask"] < LEAST_OVERLAP:
        raise DataError(
            f"{anatomy['mask'].name} through {normalization.name} overlaps with the brain of the template by "
            f"{quality['DiceBrainMask']:.2f} (Dice; at least {LEAST_OVERLAP} is needed): is the transform of this T1w?"
        )
    return images, quality
