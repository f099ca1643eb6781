"""The files of a simulated trial: a raw BIDS dataset, derivatives named as fMRIPrep names them, an atlas."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.datasets import fetch_coords_dosenbach_2010
from scipy.spatial import cKDTree

from bids_app.simulate.people import Participant
from bids_app.simulate.scenarios import Scenario
from bids_app.space.grid import template_grid

if TYPE_CHECKING:
    from bids_app.simulate.trial import Scan

SPACE = "MNI152NLin2009cAsym"
RAW_STRIDE = 2
ATLAS_VOXEL_MM = 3
ATLAS_REACH_MM = 15.0

RAW_README = """# A simulated study

Nobody was scanned. `trialgraph demo` made every number here from a random seed: {title}, with
resting-state fMRI, HAM-D-17 and C-SSRS scores.
`code/planted.json` holds the true answer. The raw images are a coarse copy of the simulated
signal; the analysis reads the preprocessed images in `derivatives/fmriprep`.
"""
DERIVATIVE_README = """# Simulated preprocessed data

fMRIPrep did not make these files. They follow the names and the confounds of fMRIPrep 25, so that
any tool that reads fMRIPrep can read them.
"""
RAW_DESCRIPTION = {
    "Name": "Simulated study",
    "BIDSVersion": "1.10.0",
    "DatasetType": "raw",
    "License": "CC0",
    "Authors": ["trialgraph simulator"],
    "GeneratedBy": [{"Name": "trialgraph simulator"}],
}
DERIVATIVE_DESCRIPTION = {
    "Name": "Simulated preprocessed data of a simulated study",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "License": "CC0",
    "Authors": ["trialgraph simulator"],
    "GeneratedBy": [
        {
            "Name": "trialgraph simulator",
            "Description": "Simulated; file names and confounds follow fMRIPrep 25",
        }
    ],
    "DatasetLinks": {"raw": "../.."},
}
ARM_COLUMN = {
    "parallel": "Randomized arm",
    "groups": "Group; nobody was randomized",
    "crossover": "Randomized order of the treatments",
}
PARTICIPANT_COLUMNS = {
    "age": {"Description": "Age at baseline", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"F": "Female", "M": "Male"}},
}
SESSION_COLUMNS = {
    "acq_time": {"Description": "Start of the scan"},
    "hamd17": {"Description": "Hamilton Depression Rating Scale, 17 items, total score from 0 to 52"},
    "cssrs": {"Description": "Columbia Suicide Severity Rating Scale, worst ideation from 0 to 5"},
}


def write_json(path: Path, content: Any) -> None:
    """Write JSON with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a BIDS table with its folders; what is missing becomes n/a."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", float_format="%.8g", lineterminator="\n")


def write_dataset(bids_dir: Path, fmriprep_dir: Path, scenario: Scenario, participants: Sequence[Participant]) -> None:
    """Write what stands at the roots of the two datasets, and each participant's sessions.

    Parameters
    ----------
    bids_dir, fmriprep_dir : Path
    scenario : Scenario
    participants : list of Participant
    """
    for folder, description, readme in (
        (bids_dir, RAW_DESCRIPTION, RAW_README.format(title=scenario.title)),
        (fmriprep_dir, DERIVATIVE_DESCRIPTION, DERIVATIVE_README),
    ):
        write_json(folder / "dataset_description.json", description)
        (folder / "README.md").write_text(readme, encoding="utf-8")
    # As in fMRIPrep: the schema knows no confounds tables.
    (fmriprep_dir / ".bidsignore").write_text("*_timeseries.tsv\n*_timeseries.json\n", encoding="utf-8")
    own = [{"age": who.age, "sex": who.sex} for who in participants]
    arms: list[dict[str, str]] = [{scenario.column: who.arm} if scenario.column else {} for who in participants]
    rows = [{"participant_id": who.label, **a, **o} for who, a, o in zip(participants, arms, own, strict=True)]
    write_table(bids_dir / "participants.tsv", pd.DataFrame(rows))
    about = {"Description": ARM_COLUMN.get(scenario.design), "Levels": dict(scenario.arms)}
    write_json(
        bids_dir / "participants.json", {**({scenario.column: about} if scenario.column else {}), **PARTICIPANT_COLUMNS}
    )
    told = {name: text for name, text in SESSION_COLUMNS.items() if scenario.is_dated or name != "acq_time"}
    write_json(bids_dir / "sessions.json", told)
    for who in participants:
        path = bids_dir / who.label / f"{who.label}_sessions.tsv"
        visits = [{"session_id": v.session_id, "acq_time": v.acq_time, **v.scores} for v in who.visits]
        write_table(path, pd.DataFrame(visits)[["session_id", *told]])


def write_scan(bids_dir: Path, fmriprep_dir: Path, names: tuple[str, str], scan: "Scan") -> None:
    """Write one scan to both datasets.

    Parameters
    ----------
    bids_dir, fmriprep_dir : Path
    names : (str, str)
        Labels of participant and session, with ``sub-`` and ``ses-``.
    scan : Scan
    """
    stem = "_".join((*names, "task-rest"))
    raw_func, func = (folder.joinpath(*names, "func") for folder in (bids_dir, fmriprep_dir))
    timing = {"RepetitionTime": scan.repetition_time, "TaskName": "rest"}
    write_json(raw_func / f"{stem}_bold.json", {**timing, "Manufacturer": "none, simulated"})
    _write_bold(raw_func / f"{stem}_bold.nii.gz", scan, stride=RAW_STRIDE)

    sources = {"Sources": [f"bids:raw:{'/'.join(names)}/func/{stem}_bold.nii.gz"]}
    image, mask = (f"{stem}_space-{SPACE}_desc-{desc}" for desc in ("preproc_bold", "brain_mask"))
    write_json(func / f"{image}.json", {**timing, **sources, "SkullStripped": True})
    _write_bold(func / f"{image}.nii.gz", scan)
    write_json(func / f"{mask}.json", {**sources, "Type": "Brain"})
    scan.grid.mask_image().to_filename(func / f"{mask}.nii.gz")
    write_json(func / f"{stem}_desc-confounds_timeseries.json", scan.confounds_metadata)
    write_table(func / f"{stem}_desc-confounds_timeseries.tsv", scan.confounds)


def _write_bold(path: Path, scan: "Scan", stride: int = 1) -> None:
    """Put the series into a volume, whole or every few voxels, with its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = np.zeros((*scan.grid.mask.shape, scan.bold.shape[1]), dtype=np.int16)
    volume[scan.grid.mask] = scan.bold
    affine = scan.grid.affine @ np.diag([stride, stride, stride, 1])
    image = nib.Nifti1Image(volume[::stride, ::stride, ::stride], affine)
    code = "mni" if stride == 1 else "scanner"
    image.set_sform(affine, code=code)
    image.set_qform(affine, code=code)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((*image.header.get_zooms()[:3], scan.repetition_time))
    image.to_filename(path)


def write_atlas(folder: Path) -> Path:
    """Write parcels of grey matter around the coordinates of Dosenbach et al. (2010).

    Coordinates that share name, network and hemisphere make one parcel.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        The label image; the table of names lies beside it.
    """
    coordinates = fetch_coords_dosenbach_2010()
    centers = coordinates.rois.to_numpy()
    names = [
        f"{network} {label.rsplit(maxsplit=1)[0]} {'R' if center[0] > 0 else 'L'}"
        for label, network, center in zip(coordinates.labels, coordinates.networks, centers, strict=True)
    ]
    unique, parcel = np.unique(names, return_inverse=True)
    grid = template_grid("gm", ATLAS_VOXEL_MM)
    distance, nearest = cKDTree(centers).query(grid.coordinates)
    volume = np.zeros(grid.mask.shape, dtype=np.uint8)
    volume[grid.mask] = np.where(distance <= ATLAS_REACH_MM, parcel[nearest] + 1, 0)
    table = pd.DataFrame({"index": np.arange(1, len(unique) + 1), "name": unique})
    stem = f"atlas-Demo_space-{SPACE}_dseg"
    write_table(folder / f"{stem}.tsv", table)
    nib.Nifti1Image(volume, grid.affine, grid.mask_image().header).to_filename(folder / f"{stem}.nii.gz")
    return folder / f"{stem}.nii.gz"
