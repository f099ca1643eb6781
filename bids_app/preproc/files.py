"""The files of a preprocessed scan: images, transforms and sidecars, as fMRIPrep names them."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.files import replacing, save_image, save_json, save_table, sidecar_of
from bids_app.preproc.anatomy import Anatomy, in_template
from bids_app.preproc.dataset import RESOLUTION_TEXT, Job, Place, fieldmap_label
from bids_app.preproc.distortion.field import Field
from bids_app.preproc.distortion.found import FieldMap
from bids_app.preproc.masks import as_image
from bids_app.preproc.registration import save_as_text, write_series_of_transforms
from bids_app.preproc.template import Template
from bids_app.space.templates import TISSUES

HIGHEST_INTEGER = 32767


def spatial(place: Place) -> dict[str, str]:
    """Return what sidecars say of images in template space."""
    return {"SpatialReference": place.space, "Resolution": RESOLUTION_TEXT}


def write_anatomy(
    place: Place, owner: Mapping[str, str], t1w: Path, anatomy: Anatomy, template: Template
) -> tuple[list[Path], dict[str, np.ndarray]]:
    """Write a T1w, its mask and tissues, as they are and in the template, and the transforms between both.

    Parameters
    ----------
    place : dataset.Place
    owner : dict
        Entities of the anatomy, as `raw_runs.RawRun.anatomy`.
    t1w : Path
        The raw image.
    anatomy : preprocess.anatomy.Anatomy
    template : preprocess.template.Template

    Returns
    -------
    written : list of Path
    standard : dict of (X, Y, Z) ndarray
        What was written in the template.
    """
    common: dict[str, Any] = {"Sources": place.sources(t1w)}
    standard, quality = in_template(anatomy, template)
    native = {"T1w": np.asarray(anatomy.t1w.dataobj), "mask": anatomy.mask.astype(np.uint8)}
    native |= {"dseg": anatomy.labels, **anatomy.tissues}
    written = _write_tissues(place, owner, native, anatomy.t1w.affine, common)
    written += write_standard_anatomy(place, owner, [t1w], standard, template, quality)
    ends = {("T1w", place.space): anatomy.forward, (place.space, "T1w"): anatomy.inverse}
    written += [_copied(path, place.transform(owner, *names)) for names, path in ends.items()]
    return written, standard


def write_standard_anatomy(
    place: Place,
    owner: Mapping[str, str],
    sources: Iterable[Path],
    images: Mapping[str, np.ndarray],
    template: Template,
    quality: Mapping[str, float],
) -> list[Path]:
    """Write a T1w, its mask and tissues in the template, with how well they agree with it."""
    common: dict[str, Any] = {"Sources": place.sources(*sources), **spatial(place), "Quality": dict(quality)}
    return _write_tissues(place, owner, images, template.affine, common, **place.standard)


def _write_tissues(
    place: Place,
    owner: Mapping[str, str],
    values: Mapping[str, np.ndarray],
    affine: np.ndarray,
    common: dict[str, Any],
    **entities: str,
) -> list[Path]:
    kinds: dict[tuple[str, str, str | None], tuple[str, dict[str, Any]]] = {
        ("T1w", "desc", "preproc"): ("T1w", {"SkullStripped": False}),
        ("mask", "desc", "brain"): ("mask", {"Type": "Brain"}),
        ("dseg", "desc", None): ("dseg", {"Description": "1 grey matter, 2 white matter, 3 CSF"}),
        **{("probseg", "label", name): (name, {}) for name in TISSUES},
    }
    written = []
    for (suffix, entity, value), (name, said) in kinds.items():
        written.append(place.anatomical(owner, suffix, **entities, **({entity: value} if value else {})))
        save_image(written[-1], as_image(values[name], affine), common | said)
    return written


def _copied(source: Path | str, path: Path) -> Path:
    with replacing(path) as partial:
        shutil.copyfile(source, partial)
    return path


def write_confounds(job: Job, table: pd.DataFrame, described: Mapping[str, Any]) -> Path:
    """Write the table of a run's confounds."""
    path = job.place.functional(job.run, "timeseries", ".tsv", desc="confounds")
    save_json(sidecar_of(path), described)
    save_table(path, table)
    return path


def write_reference(
    job: Job, template: Template, brain: Mapping[str, np.ndarray], reference: nib.Nifti1Image
) -> list[Path]:
    """Write a run's reference as it is and in the template, and its brain mask there."""
    place, run = job.place, job.run
    common: dict[str, Any] = {"Sources": place.sources(run.bold)}
    native = place.functional(run, "boldref", desc="coreg")
    save_image(native, as_image(np.asarray(reference.dataobj), reference.affine), common)
    standard = place.functional(run, "boldref", **place.standard)
    common |= spatial(place)
    save_image(standard, as_image(brain["reference"], template.affine), common | {"SkullStripped": False})
    mask = place.functional(run, "mask", desc="brain", **place.standard)
    save_image(mask, as_image(brain["mask"].astype(np.uint8), template.affine), common | {"Type": "Brain"})
    return [native, standard, mask]


def write_transforms(job: Job, motion: np.ndarray, last: str) -> list[Path]:
    """Write the transform of every volume, and the one between the reference and the T1w or the template."""
    ends = {"from": "orig", "to": "boldref", "mode": "image", "desc": "hmc"}
    moved = job.place.functional(job.run, "xfm", ".txt", **ends)
    with replacing(moved) as partial:
        write_series_of_transforms(motion, partial)
    if job.run.t1w is None:
        aligned = job.place.functional(
            job.run, "xfm", ".h5", **{**ends, "from": "boldref", "to": job.place.space, "desc": None}
        )
        return [moved, _copied(last, aligned)]
    aligned = job.place.functional(job.run, "xfm", ".txt", **{**ends, "from": "boldref", "to": "T1w", "desc": "coreg"})
    with replacing(aligned) as partial:
        save_as_text(last, partial)
    return [moved, aligned]


def write_field(job: Job, field: Field, acquired: nib.Nifti1Image) -> list[Path]:
    """Write the field of a run, what leads to it, and the reference as acquired, as fMRIPrep does."""
    place, run = job.place, job.run
    path = place.fieldmap(run)
    coefficients = nib.Nifti1Image.from_filename(field.coefficients[0])
    said = {"Units": "Hz", "Description": "Coefficients of cubic B-splines, one knot to a voxel"}
    sources = {"Sources": place.sources(*(run.fieldmap.paths if isinstance(run.fieldmap, FieldMap) else ()))}
    save_image(path, as_image(np.asarray(coefficients.dataobj), coefficients.affine), sources | said)
    ends = {"from": "boldref", "to": fieldmap_label(run.entities), "mode": "image"}
    moved = _copied(field.to_fieldmap, place.functional(run, "xfm", ".txt", **ends))
    before = place.functional(run, "boldref", desc="hmc")
    save_image(before, as_image(np.asarray(acquired.dataobj), acquired.affine), {"Sources": place.sources(run.bold)})
    return [path, moved, before]


def write_bold(job: Job, template: Template, mask: np.ndarray, series: np.ndarray, facts: Mapping[str, Any]) -> Path:
    """Write the preprocessed series, what is outside of the brain mask as 0."""
    place = job.place
    sidecar = {
        "TaskName": job.run.metadata.get("TaskName") or job.run.entities.get("task"),
        "RepetitionTime": job.repetition_time,
        "SkullStripped": True,
        **spatial(place),
        **facts,
        "Sources": place.sources(*job.run.sources),
    }
    write_series(job.bold, series, mask[template.mask], template, sidecar)
    return job.bold


def write_series(
    path: Path, series: np.ndarray, brain: np.ndarray, template: Template, sidecar: Mapping[str, Any]
) -> None:
    """Write the series of a template's brain as a 4D image of 16-bit integers with a scale; zero elsewhere.

    Parameters
    ----------
    path : Path
    series : (T, N) float32 ndarray
        May lie on disk.
    brain : (N,) bool ndarray
        Voxels that are written.
    template : template.Template
    sidecar : dict
    """
    scale = max(float(np.abs(values[brain]).max(initial=0)) for values in series) / HIGHEST_INTEGER or 1.0
    save_json(sidecar_of(path), sidecar)
    with TemporaryFile() as scratch:
        volumes = np.memmap(scratch, np.int16, "w+", shape=(*template.mask.shape, len(series)), order="F")
        for index, values in enumerate(series):
            volumes[..., index][template.mask] = np.where(brain, np.round(values / scale), 0)
        image = as_image(volumes, template.affine)
        image.header.set_zooms((*nib.affines.voxel_sizes(template.affine), sidecar["RepetitionTime"]))
        image.header.set_slope_inter(scale, 0)
        with replacing(path) as partial:
            nib.save(image, partial)
