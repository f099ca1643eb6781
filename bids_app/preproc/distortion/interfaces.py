"""Nipype interfaces of the correction of distortions."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nipype.interfaces.base import File, TraitedSpec, traits
from scipy.ndimage import map_coordinates

from bids_app.errors import DataError
from bids_app.preproc.dataset import Job
from bids_app.preproc.distortion.align import from_fieldmap
from bids_app.preproc.distortion.field import Field, shift_of
from bids_app.preproc.distortion.found import FIELDMAP, PEPOLAR, SYN, FieldMap, Image, echo_difference
from bids_app.preproc.distortion.measured import Measured, of_blips, of_field, of_phases, shift_vector
from bids_app.preproc.distortion.syn import of_anatomy
from bids_app.preproc.interfaces import AlignInput, Step, reference_of, t1w_of
from bids_app.preproc.masks import as_image, epi_mask
from bids_app.preproc.registration import write_series_of_transforms
from bids_app.preproc.resampling import grid_points
from bids_app.preproc.scan import Reference
from bids_app.system.images import read_image

AVERAGED = 5  # volumes of an image of a field map


class _FieldOutput(TraitedSpec):
    field = traits.Any(desc="Field, or None where distortions are not corrected")
    reference_file = File(desc="without distortion, where it is corrected")
    mask_file = File()
    facts = traits.Dict()


class EstimateField(Step):
    """A run's reference and its field map to the field that distorts it, and the reference without distortion."""

    input_spec, output_spec = AlignInput, _FieldOutput

    def _run_interface(self, runtime: Any) -> Any:
        job, folder = self.inputs.job, Path(runtime.cwd)
        found = self._measured(job, folder)
        kept = {"reference_file": self.inputs.reference_file, "mask_file": self.inputs.mask_file}
        if isinstance(found, str):
            facts = {
                "SusceptibilityDistortionCorrected": False,
                "SusceptibilityDistortionNotCorrectedBecause": found,
            }
            self._results |= kept | {"field": None, "facts": facts}
            return runtime
        field, facts = found
        reference = self._corrected(job, field)
        nib.save(reference.image, folder / "reference.nii.gz")
        nib.save(as_image(reference.mask.astype(np.uint8), reference.image.affine), folder / "mask.nii.gz")
        self._results |= {name: str(folder / Path(path).name) for name, path in kept.items()}
        self._results |= {"field": field, "facts": {"SusceptibilityDistortionCorrected": True, **facts}}
        return runtime

    def _measured(self, job: Job, folder: Path) -> tuple[Field, dict[str, Any]] | str:
        """Return the field with what is said of it, or why there is none."""
        fieldmap: FieldMap | str = job.run.fieldmap
        if isinstance(fieldmap, str):
            return fieldmap
        images = [_mean_of(one) for one in (*fieldmap.images, *filter(None, [fieldmap.magnitude]))]
        try:
            measured, matrix = self._located(job, fieldmap, images, folder)
        except DataError as error:
            return f"{fieldmap.words}: {error}"
        nib.save(measured.coefficients, folder / "coefficients.nii.gz")
        write_series_of_transforms([matrix], folder / "from_fieldmap.txt")
        facts = {"SusceptibilityDistortionMethod": fieldmap.words, **measured.facts}
        return Field((folder / "coefficients.nii.gz",), folder / "from_fieldmap.txt"), facts

    def _located(
        self, job: Job, fieldmap: FieldMap, images: list[nib.Nifti1Image], folder: Path
    ) -> tuple[Measured, np.ndarray]:
        """Measure the field; return with it what takes its points to those of the reference."""
        reference = reference_of(self.inputs).image
        vector = shift_vector(reference, job.run.metadata)
        if fieldmap.kind == SYN:
            return of_anatomy(reference_of(self.inputs), *t1w_of(job), vector, folder), np.eye(4)
        if fieldmap.kind == PEPOLAR:
            vectors = [shift_vector(image, one.metadata) for image, one in zip(images, fieldmap.images, strict=True)]
            if len(images) == 1:  # opposite to the scan itself, which lies where it lies
                return of_blips(reference, images[0], (vector, vectors[0])), np.eye(4)
            measured = of_blips(images[0], images[1], (vectors[0], vectors[1]))
        elif fieldmap.kind == FIELDMAP:
            measured = of_field(images[0], fieldmap.images[0].metadata["Units"], images[-1])
        else:
            measured = of_phases(images[:-1], echo_difference(fieldmap.images) or 0.0, images[-1])
        return measured, from_fieldmap(measured, reference, vector, folder)

    def _corrected(self, job: Job, field: Field) -> Reference:
        """Return the reference without its distortion."""
        image = reference_of(self.inputs).image
        return undistorted(image, field, job.run.metadata)


def undistorted(image: nib.Nifti1Image, field: Field, metadata: dict[str, Any]) -> Reference:
    """Return a volume read where its signal was shifted to, with the brain in it."""
    voxels = np.indices(image.shape, dtype=float).reshape(3, -1).T
    shift = shift_of(field, metadata, image.shape, grid_points(image.shape, image.affine))
    assert shift is not None  # there is a field
    values = map_coordinates(np.asarray(image.dataobj, dtype=np.float32), (voxels + shift).T, order=3, mode="nearest")
    corrected = nib.Nifti1Image(values.reshape(image.shape), image.affine)
    return Reference(corrected, epi_mask(corrected))


def _mean_of(one: Image) -> nib.Nifti1Image:
    """Read an image of a field map, and average the first of its volumes."""
    image, values = read_image(one.path)
    values = np.asarray(values, dtype=np.float32)
    if values.ndim == 4:
        values = values[..., :AVERAGED].mean(axis=-1)
    if values.ndim != 3:
        raise DataError(f"{one.path.name} has shape {values.shape}; 3 or 4 dimensions are needed")
    return nib.Nifti1Image(np.nan_to_num(values), image.affine)
