"""The page of one participant's preprocessing."""

from pathlib import Path
from typing import Any

from bids_app.bids.datasets import Dataset
from bids_app.bids.files import sidecar_of
from bids_app.bids.names import Name, scan_label
from bids_app.report.pages import write_page
from bids_app.system.small_files import Record, read_record


def write_preprocessing_page(place: Any, participant: str) -> Path:
    """Write ``sub-<label>.html`` of the preprocessed dataset from the participant's files.

    Parameters
    ----------
    place : dataset.Place
    participant : str
        Label without sub-.

    Returns
    -------
    Path
    """
    page = place.root / f"sub-{participant}.html"
    write_page(
        page,
        "preproc.html.jinja",
        participant=participant,
        space=place.space,
        fitted=" and ".join(_makers(place.fitted)) if place.fitted else "",
        anatomies=_anatomies(place, participant),
        scans=_scans(place, participant),
    )
    return page


def _makers(dataset: Dataset) -> list[str]:
    named = [
        " ".join(filter(None, (one.get("Name"), one.get("Version"))))
        for one in dataset.description.get("GeneratedBy", [])
    ]
    return [one for one in named if one] or ["Another program"]


def _anatomies(place: Any, participant: str) -> dict[str, dict[str, Any]]:
    """Collect what the sidecars say of each T1w in the template, with the figure of its registration."""
    found = {}
    for path in sorted(place.root.glob(f"sub-{participant}/**/anat/*_space-{place.space}_*_desc-preproc_T1w.nii.gz")):
        owner = {key: value for key, value in Name.parse(path).entities.items() if key in ("sub", "ses")}
        figure = place.figure(owner, "registration", "T1w")
        if figure.exists():
            found[scan_label(owner)] = {"facts": _sidecar(path), "registration": figure}
    return found


def _scans(place: Any, participant: str) -> dict[str, dict[str, Any]]:
    scans = {}
    pattern = f"sub-{participant}/**/func/*_space-{place.space}_*_desc-preproc_bold.nii.gz"
    for path in sorted(place.root.glob(pattern)):
        entities = Name.parse(path).entities
        source = {key: value for key, value in entities.items() if key not in ("space", "res", "desc")}
        figures = {what: place.figure(source, what, "bold") for what in ("alignment", "distortion", "motion")}
        figures = {what: figure for what, figure in figures.items() if figure.exists()}
        scans[scan_label(source)] = {"facts": _sidecar(path), "figures": figures}
    return scans


def _sidecar(path: Path) -> Record:
    return read_record(sidecar_of(path), "Run the participant level again.")
