"""Which preprocessed datasets there are, and what they say of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.errors import MissingInputError, UsageError
from bids_app.settings.named import NamedPath
from bids_app.system.small_files import read_json

TEXTS = ("Name", "Version", "License", "DatasetDOI", "DatasetType")  # of a description and of what made it


KINDS = (("fmriprep*",), ("xcp_d*", "xcpd*", "xcp-d*"))  # folders of preprocessed data, the preferred first


@dataclass(frozen=True)
class Dataset:
    """A derivative dataset that holds preprocessed data."""

    name: str
    path: Path
    description: dict[str, Any]

    def uri(self, path: Path) -> str:
        """Return the BIDS URI of one of its files."""
        return f"bids:{self.name}:{Path(path).relative_to(self.path).as_posix()}"


def raw_dataset(bids_dir: Path) -> Path:
    """Return the raw dataset of a study (``DatasetType`` study, BIDS 1.10.1); any other dataset as it is.

    Parameters
    ----------
    bids_dir : Path
        The folder that was named.

    Returns
    -------
    Path

    Raises
    ------
    MissingInputError, UsageError
        If a study holds no raw dataset in ``sourcedata``, or several.
    """
    if not _is_study(bids_dir) or any(bids_dir.glob("sub-*/")):
        return bids_dir
    found = sorted(path for path in bids_dir.glob("sourcedata/*/") if _is_raw(path))
    if len(found) > 1:
        raise UsageError(
            f"{bids_dir} is a study of several raw datasets: {', '.join(map(str, found))}. Name one in its place."
        )
    if not found:
        raise MissingInputError(
            f"{bids_dir} is a study (DatasetType), and holds no raw dataset: looked for sourcedata/*/ with a "
            "dataset_description.json and folders sub-*. Name the dataset in its place."
        )
    return found[0]


def _is_study(path: Path) -> bool:
    return _description(path).get("DatasetType") == "study"


def _is_raw(path: Path) -> bool:
    described = (path / "dataset_description.json").is_file() and any(path.glob("sub-*/"))
    return described and _description(path).get("DatasetType", "raw") == "raw"


def find_derivatives(bids_dir: Path, given: Sequence[NamedPath] = ()) -> list[Dataset]:
    """Find the preprocessed datasets: those given, else derivatives/fmriprep* of it or its study, else itself.

    Parameters
    ----------
    bids_dir : Path
    given : sequence of NamedPath

    Returns
    -------
    list of Dataset
    """
    named = list(given) or _in_their_place(bids_dir)
    names = [one.name for one in named]
    if len(set(names)) < len(names):
        folders = ", ".join(str(one.path) for one in named)
        raise UsageError(f"--derivatives: two datasets have the same name: {folders}. Give NAME=PATH.")
    return [Dataset(one.name, one.path, _description(one.path)) for one in named]


def _in_their_place(bids_dir: Path) -> list[NamedPath]:
    """Look below the dataset, then below the study whose source data it is."""
    within = bids_dir.resolve().parents[1:2] if bids_dir.resolve().parent.name == "sourcedata" else ()
    roots = [bids_dir, *(study for study in within if _is_study(study))]
    paths = next((found for root in roots for kind in KINDS if (found := _folders(root, kind))), [])
    if len(paths) > 1:
        raise UsageError(
            f"Several preprocessed datasets could be meant: {', '.join(map(str, paths))}. Choose with --derivatives."
        )
    if not paths and _description(bids_dir).get("DatasetType") == "derivative":
        paths = [bids_dir]
    if not paths:
        places = " and ".join(str(root / "derivatives" / "fmriprep*") for root in roots)
        raise MissingInputError(
            f"No preprocessed data: looked for {places} and xcp_d*, and "
            f"{bids_dir / 'dataset_description.json'} does not say DatasetType derivative. {_advice(bids_dir)}"
        )
    return [NamedPath(path.resolve().name, path) for path in paths]


def _advice(bids_dir: Path) -> str:
    """Say what to do; of a dataset without functional MRI, that it is not one for this app."""
    kinds = {path.name for pattern in ("sub-*/*/", "sub-*/ses-*/*/") for path in bids_dir.glob(pattern)}
    kinds = {name for name in kinds if not name.startswith("ses-")}
    if not kinds or any(bids_dir.glob("sub-*/**/func/*_bold.nii*")):
        return "Run fMRIPrep first, or point to its output with --derivatives PATH."
    return (
        f"Nor are there scans that could be preprocessed: its participants have {', '.join(sorted(kinds))} and no "
        "func/*_bold.nii[.gz], and only functional MRI can be analysed. If it is elsewhere, give --derivatives PATH."
    )


def _folders(bids_dir: Path, patterns: Sequence[str]) -> list[Path]:
    folder = bids_dir / "derivatives"
    try:
        return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_dir()})
    except OSError as error:
        raise MissingInputError(f"{folder} cannot be looked into: {error.strerror}.") from error


def _description(path: Path) -> dict[str, Any]:
    """Read what describes a dataset, without the parts that are not of the kind that BIDS says."""
    described = path / "dataset_description.json"
    try:
        there = described.exists() or described.is_symlink()
    except OSError as error:
        raise MissingInputError(f"{path} cannot be looked into: {error.strerror}.") from error
    content = read_json(described) if there else {}
    content = {key: value for key, value in content.items() if key not in TEXTS or isinstance(value, str)}
    if isinstance(makers := content.pop("GeneratedBy", None), list):
        content["GeneratedBy"] = [_maker(one) for one in makers if isinstance(one, dict)]
    return content


def _maker(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in TEXTS or isinstance(value, str)}
