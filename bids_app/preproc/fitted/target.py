"""What a run is brought to: a template, or for a run that fMRIPrep fitted the participant's own T1w in it."""

import nibabel as nib
import numpy as np

from bids_app.preproc.dataset import Job
from bids_app.preproc.template import Template, load_template
from bids_app.space.templates import TISSUES


def target_of(job: Job) -> Template:
    """Return what stands for the template of a run.

    fMRIPrep's template may not be on this machine, and is not needed: of a run that it fitted, the brain, its mask
    and its tissues in the template are those of the participant.
    """
    if job.run.fit is None:
        return load_template(job.template)
    images = {"T1w": _read(job, "T1w", desc="preproc"), "mask": _read(job, "mask", desc="brain")}
    tissues = {name: _read(job, "probseg", label=name) for name in TISSUES}
    values = {name: np.asarray(image.dataobj, dtype=np.float32) for name, image in tissues.items()}
    mask = np.asarray(images["mask"].dataobj) > 0
    brain = np.where(mask, np.asarray(images["T1w"].dataobj), 0).astype(np.float32)
    return Template(job.place.space, nib.Nifti1Image(brain, images["mask"].affine), mask, values, "T1w")


def anatomical(job: Job, otherwise: np.ndarray, suffix: str, **entities: str) -> np.ndarray:
    """Read an image of the participant's anatomy in the template; without a T1w, it is what the template has."""
    return otherwise if job.run.t1w is None else np.asarray(_read(job, suffix, **entities).dataobj)


def _read(job: Job, suffix: str, **entities: str) -> nib.Nifti1Image:
    path = job.place.anatomical(job.run.anatomy, suffix, **entities, **job.place.standard)
    return nib.Nifti1Image.from_filename(path)
