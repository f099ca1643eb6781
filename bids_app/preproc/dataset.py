"""The preprocessed dataset that is made here: names, sidecars, and which of it is finished."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app import __version__
from bids_app.bids.datasets import Dataset
from bids_app.bids.files import BIDS_VERSION, container, relative, save_json, save_text, sidecar_of
from bids_app.bids.names import build, folder, label
from bids_app.bids.pipelines import APPLIED
from bids_app.bids.timing import declared, in_header, repetition_time
from bids_app.errors import DataError, MissingInputError
from bids_app.preproc.raw_runs import RawRun
from bids_app.system.images import open_bold
from bids_app.system.small_files import read_json

NAME = "preproc"
FITTED = "resampled"
RESOLUTION = "2"
RESOLUTION_TEXT = "2 mm isotropic voxels"
IGNORED = ("*.html", "figures", "*_xfm.*", "*_boldref.*", "*_timeseries.*", "*_fieldmap.*")
README = """# Preprocessed by trialgraph

A small preprocessing by trialgraph {version}, made because the dataset came without one: motion, slice timing,
alignment with the T1w and the template by ANTs, one interpolation, confounds named as fMRIPrep names them.

Susceptibility distortions are corrected where a field map is named for the scan; each sidecar says whether and
why not. There is no surface, and no boundary-based registration. For a publication, preprocess with fMRIPrep. Look at
`sub-*.html` before you use the data.
"""
README_FITTED = """# Resampled by trialgraph

What {made_by} fitted at its level minimal or resampling ({path}), applied to the raw scans by trialgraph {version}:
slice timing, then motion, distortion where fMRIPrep had a field map, alignment with the T1w and with the template in
one interpolation. Confounds are made here and named as fMRIPrep names them. Each sidecar says what was done.

Brain masks are those of the T1w, brought to the template here. Look at `sub-*.html` before you use the data.
"""


@dataclass(frozen=True)
class Place:
    """Where preprocessed data are written, and what they come from.

    Attributes
    ----------
    root : Path
        The preprocessed dataset.
    raw : Path
        The raw dataset.
    space : str
        The template's name in BIDS.
    fitted : Dataset or None
        fMRIPrep's, if what it fitted is applied.
    """

    root: Path
    raw: Path
    space: str
    fitted: Dataset | None = None

    @property
    def standard(self) -> dict[str, str]:
        """Entities of what is in template space."""
        return {"space": self.space, "res": RESOLUTION}

    def anatomical(
        self, anatomy: Mapping[str, str], suffix: str, extension: str = ".nii.gz", **entities: str | None
    ) -> Path:
        """Return the path of a file of an anatomy, `RawRun.anatomy`."""
        return self.root / folder(anatomy).parent / "anat" / build({**anatomy, **entities}, suffix, extension)

    def functional(self, run: RawRun, suffix: str, extension: str = ".nii.gz", **entities: str | None) -> Path:
        """Return the path of a file of a run."""
        return self.root / folder(run.entities) / build({**run.entities, **entities}, suffix, extension)

    def fieldmap(self, run: RawRun) -> Path:
        """Return the path of the coefficients of a run's field."""
        owner = {key: value for key, value in run.entities.items() if key in ("sub", "ses")}
        name = build({**owner, "fmapid": fieldmap_label(run.entities), "desc": "coeff"}, "fieldmap", ".nii.gz")
        return self.root / folder(owner).parent / "fmap" / name

    def figure(self, entities: Mapping[str, str], what: str, suffix: str) -> Path:
        """Return the path of a figure."""
        return self.root / f"sub-{entities['sub']}" / "figures" / build({**entities, "desc": what}, suffix, ".png")

    def transform(self, anatomy: Mapping[str, str], source: str, target: str) -> Path:
        """Return the path of a transform between the T1w and the template."""
        ends = {"from": source, "to": target, "mode": "image"}
        return self.anatomical(anatomy, "xfm", ".h5", **ends)

    def sources(self, *paths: Path | None) -> list[str]:
        """Return BIDS URIs of raw files and of fMRIPrep's."""
        raw = Dataset("raw", self.raw, {})
        fitted = self.fitted or raw
        return [(fitted if path.is_relative_to(fitted.path) else raw).uri(path) for path in paths if path is not None]

    def record(self, entities: Mapping[str, str], suffix: str) -> Path:
        """Return the path of the note that something is finished."""
        return self.root / "logs" / "finished" / build(entities, suffix, ".json")


@dataclass(frozen=True)
class Job:
    """What every part of a run's preprocessing is told.

    Attributes
    ----------
    run : raw_runs.RawRun
    place : Place
    template : Path or None
        Folder of the template; None for the one that nilearn carries.
    state : dict
        What the result depends on.
    """

    run: RawRun
    place: Place
    template: Path | None
    state: dict[str, Any]

    @property
    def record(self) -> Path:
        """Where it is noted that the run is finished."""
        return self.place.record(self.run.entities, "bold")

    @property
    def bold(self) -> Path:
        """The preprocessed series."""
        return self.place.functional(self.run, "bold", desc="preproc", **self.place.standard)

    @property
    def repetition_time(self) -> float:
        """Seconds from one volume to the next, of the sidecar or else of the header."""
        header = in_header(open_bold(self.run.bold))
        return repetition_time(self.run.bold.name, declared(self.run.metadata), header).seconds


def fieldmap_label(entities: Mapping[str, str]) -> str:
    """Name the field of a run, which is estimated for each.

    Examples
    --------
    >>> fieldmap_label({"sub": "01", "task": "rest", "run": "2"})
    'taskRestRun2'
    """
    return label(" ".join(f"{key} {value}" for key, value in entities.items() if key not in ("sub", "ses")))


def is_finished(record: Path, state: Mapping[str, Any]) -> bool:
    """Say whether something was finished from the same inputs by the same version, and is still there."""
    try:
        kept = read_json(record)
    except (MissingInputError, DataError):
        return False
    root = record.parents[2]
    return kept.get("State") == state and all((root / path).is_file() for path in kept.get("Files", []))


def finish(record: Path, state: Mapping[str, Any], files: Iterable[Path]) -> None:
    """Note that something is finished: the last thing that is written of it."""
    save_json(record, {"State": state, "Files": [relative_to(record, path) for path in files]})


def relative_to(record: Path, path: Path) -> str:
    """Return a file's path within the dataset of a record."""
    return path.relative_to(record.parents[2]).as_posix()


def discard(record: Path, *images: Path) -> None:
    """Take away the note and the images that would be taken for a finished scan."""
    for path in (record, *images):
        path.unlink(missing_ok=True)


def state_of(place: Place, template_folder: Path | None, *inputs: Path | None) -> dict[str, Any]:
    """Return what a result depends on: version, template, and size and time of the raw files."""
    files = {}
    for path in filter(None, inputs):  # a run may have no T1w
        for one in (path, sidecar_of(path)):
            if one.exists():
                files[relative(one, place.raw)] = [one.stat().st_size, one.stat().st_mtime_ns]
    return {"Version": __version__, "Template": str(template_folder or place.space), "Inputs": files}


def write_description(place: Place) -> None:
    """Write dataset_description.json, README.md and .bidsignore."""
    described = place.raw / "dataset_description.json"
    raw = read_json(described) if described.is_file() else {}
    made_here = {"Name": "trialgraph", "Version": __version__, "Description": "preprocessing", "Container": container()}
    before, links, readme = [], {"raw": place.raw}, README.format(version=__version__)
    if place.fitted is not None:
        before = [one for one in place.fitted.description.get("GeneratedBy", []) if one.get("Name")]
        links |= {place.fitted.name: place.fitted.path}
        made_by = " ".join(filter(None, (before[0]["Name"], before[0].get("Version")))) if before else "fMRIPrep"
        readme = README_FITTED.format(made_by=made_by, path=place.fitted.name, version=__version__)
        made_here["Description"] = APPLIED
    content = {
        "Name": "trialgraph: preprocessed resting-state fMRI",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": raw.get("License"),
        "GeneratedBy": [made_here, *before],
        "SourceDatasets": [{"DOI": raw["DatasetDOI"]}] if raw.get("DatasetDOI") else None,
        "DatasetLinks": {name: relative(path, place.root) for name, path in links.items()},
    }
    save_json(place.root / "dataset_description.json", content)
    save_text(place.root / "README.md", readme)
    save_text(place.root / ".bidsignore", "\n".join(IGNORED) + "\n")
