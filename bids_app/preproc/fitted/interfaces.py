"""Nipype interfaces that read what fMRIPrep fitted in place of estimating it."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nipype.interfaces.base import traits

from bids_app.errors import DataError
from bids_app.preproc import files
from bids_app.preproc.anatomical.interfaces import AnatomyInput, AnatomyStep
from bids_app.preproc.dataset import Job
from bids_app.preproc.distortion.field import Field
from bids_app.preproc.distortion.interfaces import EstimateField
from bids_app.preproc.fitted.anatomy import bring_anatomy, compared_with
from bids_app.preproc.fitted.fit import Fit, not_corrected_because
from bids_app.preproc.fitted.transforms import read_chain, read_motion
from bids_app.preproc.interfaces import AlignRun, EstimateMotion, reference_of
from bids_app.preproc.masks import epi_mask
from bids_app.preproc.motion import rigid_parameters
from bids_app.preproc.registration import write_series_of_transforms
from bids_app.preproc.scan import Reference, centre_of
from bids_app.system.images import read_image


class _BringInput(AnatomyInput):
    fit = traits.Any(mandatory=True)


class BringAnatomy(AnatomyStep):
    """fMRIPrep's T1w, mask and tissues to the template."""

    input_spec = _BringInput

    def _run_interface(self, runtime: Any) -> Any:
        inputs, fit = self.inputs, self.inputs.fit
        template = compared_with(inputs.place.space, inputs.template)
        images, quality = bring_anatomy(fit.anatomy, fit.normalization, template)
        sources = [*fit.anatomy.values(), fit.normalization]
        written = files.write_standard_anatomy(inputs.place, inputs.owner, sources, images, template, quality)
        self._finish(written, template, images)
        return runtime


class ReadMotion(EstimateMotion):
    """A raw run and its fit to its reference, its motion, and its volumes with slices brought to one time."""

    def _realigned(
        self, job: Job, image: nib.Nifti1Image, series: np.ndarray, n_dummy: int
    ) -> tuple[Reference, np.ndarray, np.ndarray]:
        fit = complete(job)
        assert fit.motion is not None  # `complete` saw to it
        assert fit.reference is not None
        motion = read_motion(fit.motion, len(series))
        reference = nib.Nifti1Image(_volume(fit.reference, image), image.affine)
        brain = Reference(reference, epi_mask(reference))
        centre = centre_of(image.affine, brain.mask)
        return brain, motion, np.array([rigid_parameters(one, centre) for one in motion])


def _volume(path: Path, image: nib.Nifti1Image) -> np.ndarray:
    """Read a reference, and refuse one that does not lie where the raw scan lies."""
    reference, values = read_image(path)
    values = np.squeeze(np.asarray(values, dtype=np.float32))
    if values.shape != image.shape[:3] or not np.allclose(reference.affine, image.affine, atol=0.01):
        raise DataError(
            f"{path.name} ({' x '.join(map(str, values.shape))}) is not on the grid of the raw BOLD image "
            f"({' x '.join(map(str, image.shape[:3]))}): was it fitted to another scan?"
        )
    return np.nan_to_num(values)


class ReadField(EstimateField):
    """A run's fit to the field of its distortion; its reference is corrected already."""

    def _measured(self, job: Job, folder: Path) -> tuple[Field, dict[str, Any]] | str:
        fit = complete(job)
        if reason := not_corrected_because(fit, job.run.metadata):
            return reason
        assert fit.to_fieldmap is not None  # `not_corrected_because` was asked
        return Field(fit.coefficients, fit.to_fieldmap), {"SusceptibilityDistortionMethod": "field map of fMRIPrep"}

    def _corrected(self, job: Job, field: Field) -> Reference:
        return reference_of(self.inputs)


class ReadAlignment(AlignRun):
    """A run's fit to the transforms that lead from the template to its reference."""

    def _run_interface(self, runtime: Any) -> Any:
        job, folder = self.inputs.job, Path(runtime.cwd)
        fit = complete(job)
        matrix = read_chain(fit.coregistration)
        write_series_of_transforms([matrix], folder / "coregistration.txt")
        self._results["transforms"] = [str(fit.normalization), str(folder / "coregistration.txt")]
        self._results["facts"] = {"Registration": "as fMRIPrep fitted it", "HeadMotion": "as fMRIPrep fitted it"}
        return runtime


def complete(job: Job) -> Fit:
    """Return the fit of a run.

    Raises
    ------
    DataError
        Something of it is not there.
    """
    fit: Fit | None = job.run.fit
    if fit is None or fit.lacking:
        lacking = ", ".join(fit.lacking) if fit is not None else "all"
        raise DataError(f"{job.run.label}: fMRIPrep's output lacks {lacking}.")
    return fit
