"""Nipype interfaces of the preprocessing: load, call one function, save."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nipype.interfaces.base import BaseInterfaceInputSpec, File, SimpleInterface, TraitedSpec, traits
from threadpoolctl import threadpool_limits

from bids_app.bids.files import save_figure
from bids_app.errors import DataError
from bids_app.preproc import files
from bids_app.preproc import scan as scans
from bids_app.preproc.confounds import make_confounds
from bids_app.preproc.dataset import Job, finish
from bids_app.preproc.distortion.field import shift_of
from bids_app.preproc.fitted.target import anatomical, target_of
from bids_app.preproc.masks import as_image, noise_masks
from bids_app.preproc.registration import map_points
from bids_app.preproc.resampling import read_at, resample_series
from bids_app.preproc.slicetiming import check_slice_times, correct_slice_timing, middle_time, slice_axis
from bids_app.preproc.template import load_template
from bids_app.report.registration import alignment_figure, distortion_figure, motion_figure
from bids_app.space.templates import TISSUES
from bids_app.system.images import open_bold


class Step(SimpleInterface):
    """What computes with one thread: sums of BLAS by several differ in their last digits from those by one."""

    def run(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        with threadpool_limits(1):
            return super().run(*args, **kwargs)


class JobInput(BaseInterfaceInputSpec):
    """What every step of a run is given."""

    job = traits.Any(mandatory=True, desc="Job")


def _mask(values: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    return as_image(values.astype(np.uint8), affine)


class _EstimateOutput(TraitedSpec):
    series_file = File(desc="(T, X, Y, Z) float32, slices brought to one time")
    reference_file = File()
    mask_file = File()
    motion_file = File(desc="transforms, parameters and the count of dummy scans")
    facts = traits.Dict()


class EstimateMotion(Step):
    """A raw run to its reference, its motion, and its volumes with slices brought to one time."""

    input_spec, output_spec = JobInput, _EstimateOutput

    def _run_interface(self, runtime: Any) -> Any:
        job, folder = self.inputs.job, Path(runtime.cwd)
        if "echo" in job.run.entities:
            raise DataError(f"{job.run.bold.name}: multi-echo data are not preprocessed here; use fMRIPrep.")
        image = open_bold(job.run.bold)
        series = scans.read_volumes(image, folder / "series.npy")
        n_dummy = scans.find_dummies(series)
        reference, motion, parameters = self._realigned(job, image, series, n_dummy)
        facts = {"NumberOfDummyScans": n_dummy, "SliceTimingCorrected": False}
        facts |= self._correct_slices(job, series, n_dummy)
        series.flush()
        nib.save(reference.image, folder / "reference.nii.gz")
        nib.save(_mask(reference.mask, image.affine), folder / "mask.nii.gz")
        np.savez(folder / "motion.npz", transforms=motion, parameters=parameters, n_dummy=n_dummy)
        self._results |= {
            "series_file": str(folder / "series.npy"),
            "reference_file": str(folder / "reference.nii.gz"),
            "mask_file": str(folder / "mask.nii.gz"),
            "motion_file": str(folder / "motion.npz"),
            "facts": facts,
        }
        return runtime

    def _realigned(
        self, job: Job, image: nib.Nifti1Image, series: np.ndarray, n_dummy: int
    ) -> tuple[scans.Reference, np.ndarray, np.ndarray]:
        return scans.realign(series, image.affine, n_dummy)

    @staticmethod
    def _correct_slices(job: Job, series: np.ndarray, n_dummy: int) -> dict[str, Any]:
        times = job.run.metadata.get("SliceTiming")
        if not times:
            return {}
        axis, from_the_end = slice_axis(job.run.metadata.get("SliceEncodingDirection", "k"))
        check_slice_times(times, series.shape[1 + axis], job.repetition_time)
        times = times[::-1] if from_the_end else times
        correct_slice_timing(series, times, job.repetition_time, axis=1 + axis, n_dummy=n_dummy)
        return {"SliceTimingCorrected": True, "StartTime": middle_time(times)}


class AlignInput(JobInput):
    """What steps are given that look at a run's reference."""

    reference_file = File(exists=True, mandatory=True)
    mask_file = File(exists=True, mandatory=True)
    anatomy_finished = traits.Bool(desc="to wait for the anatomy")


class _AlignOutput(TraitedSpec):
    transforms = traits.List(traits.Str, desc="from the template to the reference, the first to be applied first")
    facts = traits.Dict()


class AlignRun(Step):
    """A run's reference to the transforms that lead from the template to it."""

    input_spec, output_spec = AlignInput, _AlignOutput

    def _run_interface(self, runtime: Any) -> Any:
        job, folder = self.inputs.job, Path(runtime.cwd)
        reference = reference_of(self.inputs)
        if job.run.t1w is None:
            forward, _ = scans.align_with_template(reference, load_template(job.template), folder)
            self._results |= {"transforms": [forward], "facts": {"Registration": "straight to the template: no T1w"}}
            return runtime
        transform, before, after = scans.align_with_anatomy(reference, *t1w_of(job), folder)
        forward = str(job.place.transform(job.run.anatomy, "T1w", job.place.space))
        self._results["transforms"] = [forward, transform]
        self._results["facts"] = {
            "Registration": f"rigid to {job.run.t1w.name}",
            "T1w": job.run.t1w.name,
            "T1wBecause": job.run.t1w_because,
            "MutualInformationOfScanner": before,
            "MutualInformationAligned": after,
        }
        return runtime


def t1w_of(job: Job) -> tuple[nib.Nifti1Image, np.ndarray]:
    """Return the T1w of a run as it was prepared, and the brain in it."""
    paths = [
        job.place.anatomical(job.run.anatomy, suffix, desc=desc)
        for suffix, desc in (("T1w", "preproc"), ("mask", "brain"))
    ]
    t1w, brain = map(nib.Nifti1Image.from_filename, paths)
    return t1w, np.asarray(brain.dataobj) > 0


def reference_of(inputs: Any) -> scans.Reference:
    """Return the reference and its mask that a step was given."""
    mask = np.asarray(nib.Nifti1Image.from_filename(inputs.mask_file).dataobj) > 0
    return scans.Reference(nib.Nifti1Image.from_filename(inputs.reference_file), mask)


class _ResampleInput(AlignInput):
    acquired_file = File(exists=True, desc="the reference, distorted")
    field = traits.Any(None, usedefault=True, desc="Field, or None where distortions are not corrected")
    series_file = File(exists=True, mandatory=True)
    motion_file = File(exists=True, mandatory=True)
    transforms = traits.List(traits.Str, mandatory=True)


class _ResampleOutput(TraitedSpec):
    standard_file = File(desc="(T, N) float32: the template's brain")
    brain_file = File(desc="the reference, its brain and the run's mask in the template")


class ResampleRun(Step):
    """Every volume as acquired to the template, in one interpolation."""

    input_spec, output_spec = _ResampleInput, _ResampleOutput

    def _run_interface(self, runtime: Any) -> Any:
        inputs, job, folder = self.inputs, self.inputs.job, Path(runtime.cwd)
        template, reference = target_of(job), reference_of(inputs)
        everywhere = map_points(scans.template_points(template), inputs.transforms)
        points = everywhere[template.mask.ravel()]
        series = np.load(inputs.series_file, mmap_mode="r")
        out = np.lib.format.open_memmap(
            folder / "standard.npy", mode="w+", dtype=np.float32, shape=(len(series), len(points))
        )
        motion = np.load(inputs.motion_file)["transforms"]
        shift = shift_of(inputs.field, job.run.metadata, series.shape[1:], points)
        seen = resample_series(series, reference.image.affine, points, motion, out, shift)
        out.flush()
        brain = anatomical(job, template.mask, "mask", desc="brain") > 0
        found: dict[str, Any] = scans.brain_in_template(reference, everywhere, template.spread(seen), brain)
        if inputs.field is not None and job.run.fit is None:
            acquired = nib.Nifti1Image.from_filename(inputs.acquired_file)
            found["acquired"] = read_at(acquired, np.asarray(acquired.dataobj), everywhere).reshape(brain.shape)
        np.savez(folder / "brain.npz", **found)
        self._results |= {"standard_file": str(folder / "standard.npy"), "brain_file": str(folder / "brain.npz")}
        return runtime


class _WrittenOutput(TraitedSpec):
    out_files = traits.List(traits.Any, desc="paths")


class _ConfoundsInput(JobInput):
    standard_file = File(exists=True, mandatory=True)
    brain_file = File(exists=True, mandatory=True)
    motion_file = File(exists=True, mandatory=True)


class MakeConfounds(Step):
    """The resampled series and the motion to the table of confounds."""

    input_spec, output_spec = _ConfoundsInput, _WrittenOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs, job, template = self.inputs, self.inputs.job, target_of(self.inputs.job)
        brain, motion = np.load(inputs.brain_file)["mask"], np.load(inputs.motion_file)
        tissues = {name: anatomical(job, template.tissues[name], "probseg", label=name) for name in TISSUES}
        masks = {"brain": brain, **noise_masks(tissues, brain)}
        table, described = make_confounds(
            np.load(inputs.standard_file, mmap_mode="r"),
            motion["parameters"],
            {name: mask[template.mask] for name, mask in masks.items()},
            repetition_time=job.repetition_time,
            n_dummy=int(motion["n_dummy"]),
        )
        self._results["out_files"] = [files.write_confounds(job, table, described)]
        return runtime


class _DrawInput(JobInput):
    brain_file = File(exists=True, mandatory=True)
    confounds = traits.List(traits.Any, mandatory=True, desc="path of the table")


class DrawRun(Step):
    """A run's reference in the template and its confounds to the figures of the participant's page."""

    input_spec, output_spec = _DrawInput, _WrittenOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        job, template = self.inputs.job, target_of(self.inputs.job)
        brain = dict(np.load(self.inputs.brain_file))
        table = pd.read_csv(self.inputs.confounds[0], sep="\t", na_values="n/a")
        white_matter = anatomical(job, template.tissues["WM"], "probseg", label="WM")
        drawn = {
            "alignment": alignment_figure(template, brain, white_matter),
            "motion": motion_figure(table, job.repetition_time),
        }
        if "acquired" in brain:
            drawn["distortion"] = distortion_figure(template, brain, white_matter)
        paths = {what: job.place.figure(job.run.entities, what, "bold") for what in drawn}
        for what, figure in drawn.items():
            save_figure(paths[what], figure)
        self._results["out_files"] = list(paths.values())
        return runtime


class _WriteInput(JobInput):
    standard_file = File(exists=True, mandatory=True)
    brain_file = File(exists=True, mandatory=True)
    motion_file = File(exists=True, mandatory=True)
    reference_file = File(exists=True, mandatory=True)
    acquired_file = File(exists=True, mandatory=True)
    field = traits.Any(None, usedefault=True, desc="Field, or None where distortions are not corrected")
    transforms = traits.List(traits.Str, mandatory=True)
    motion_facts = traits.Dict(mandatory=True)
    distortion_facts = traits.Dict(mandatory=True)
    alignment_facts = traits.Dict(mandatory=True)
    others = traits.List(traits.Any, mandatory=True, desc="what was written of the run before")


class WriteRun(Step):
    """A resampled run to BIDS derivatives: transforms, reference, mask, series, and the note that all is there."""

    input_spec, output_spec = _WriteInput, _WrittenOutput
    _always_run = True

    def _run_interface(self, runtime: Any) -> Any:
        inputs, job, template = self.inputs, self.inputs.job, target_of(self.inputs.job)
        brain = dict(np.load(inputs.brain_file))
        facts = inputs.motion_facts | inputs.distortion_facts | inputs.alignment_facts
        facts |= scans.quality(template, brain, job.run.target)
        written = [Path(path) for path in inputs.others]
        written += files.write_reference(job, template, brain, nib.Nifti1Image.from_filename(inputs.reference_file))
        written += files.write_transforms(job, np.load(inputs.motion_file)["transforms"], inputs.transforms[-1])
        if inputs.field is not None and job.run.fit is None:
            written += files.write_field(job, inputs.field, nib.Nifti1Image.from_filename(inputs.acquired_file))
        series = np.load(inputs.standard_file, mmap_mode="r")
        written.append(files.write_bold(job, template, brain["mask"], series, facts))
        finish(job.record, job.state, written)
        self._results["out_files"] = written
        return runtime
