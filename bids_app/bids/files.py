"""What is written: whole files or none, and the dataset's description."""

import csv
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app import __version__
from bids_app.bids.datasets import Dataset
from bids_app.bids.names import Name, build
from bids_app.errors import OutputError

HOUR = 3600
WRITTEN = (  # below the output folder
    *(
        "sub-*",
        "group",
        "power",
        "logs",
        "atlases",
        "surfaces",
        "derivatives",
        "prov",
        "*.html",
        "*.tsv",
        "*.json",
        "README.md",
    ),
    *(".bidsignore", ".partial-*"),
)
BIDS_VERSION = "1.10.0"
# A trailing slash would leave the folder itself as an error (bids-validator#291).
BIDSIGNORE = (
    "*.html",
    "figures",
    "surfaces",
    "atlases",
    "group",
    "power",
    "prov",
    "work",
    "*_boldmap.*",
    "*_timeseries.*",
    "*_relmat.*",
    "*_nodes.*",
    "*_global.*",
)
README = """# trialgraph derivatives

Graph maps of resting-state fMRI made by trialgraph {version}.

- `sub-*/`: per scan, the maps (`*_boldmap.nii.gz`), the nodes that had a signal (`*_desc-nodes_mask.nii.gz`), and for
  each atlas the correlation matrix (`*_relmat.tsv`), the measures of each parcel (`*_nodes.tsv`) and of the graph as
  a whole (`*_global.tsv`), each with a JSON beside it.
- `atlases/`: the atlases, as they were laid over the nodes.
- `index.html`: every participant and scan; `sub-*.html`: a page per participant.
- `group/`: the comparison of the arms; open `group/index.html`. Tables are in `group/tables/`, maps in
  `group/maps/<measure>/`, pictures in `group/figures/`.
- `power/`: the size of a trial as planned by `trialgraph power`; open `power/index.html`.
- `logs/`: settings, messages and errors of every run, the methods in words (`CITATION`), and a checklist.
- `derivatives/preproc/`: raw scans preprocessed here, if any.
"""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to, and move it there once it is whole."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the process id: in containers that share this folder it is often the same.
        partial = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


def sweep(output_dir: Path) -> None:
    """Remove what runs that were killed left half-written, and refuse links that lead out of where it is written.

    No file takes an hour to write, by the disk's own clock. What else lies in the output folder (sourcedata, code) is
    the user's, and is left alone.
    """
    with replacing(output_dir / "logs" / "clock") as now:
        now.touch()
        oldest = now.stat().st_mtime - HOUR
    (output_dir / "logs" / "clock").unlink(missing_ok=True)
    for path in _where_it_is_written(output_dir):
        if path.is_symlink() and not path.resolve().is_relative_to(output_dir.resolve()):
            raise OutputError(f"{path} is a link that leads out of the output folder; nothing is written through it.")
        with suppress(OSError):  # another run may sweep too
            if path.name.startswith(".partial-") and path.stat().st_mtime < oldest:
                path.unlink()


def _where_it_is_written(output_dir: Path) -> Iterator[Path]:
    """List everything below the places of the output folder that runs write to."""
    for place in WRITTEN:
        for top in output_dir.glob(place):
            yield top
            yield from () if top.is_symlink() else top.rglob("*")


def save_text(path: Path, text: str) -> None:
    """Write text, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def save_json(path: Path, content: Any) -> None:
    """Write JSON: nine digits, n/a for numbers that are not finite, nothing for None."""
    save_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.9g}") if np.isfinite(value) else "n/a"
    return str(value) if isinstance(value, Path) else value


def save_table(path: Path, table: pd.DataFrame, **options: Any) -> None:
    """Write a DataFrame as BIDS TSV."""
    with replacing(path) as partial:
        written: dict[str, Any] = {"sep": "\t", "na_rep": "n/a", "index": False, "float_format": "%.9g"}
        table.to_csv(partial, **written | options)


def save_matrix(path: Path, values: np.ndarray, columns: Sequence[str], rows: Sequence[str] = ()) -> None:
    """Write numbers as the very TSV that `save_table` writes of them, in a third of the time.

    Parameters
    ----------
    path : Path
    values : (R, C) ndarray
    columns : sequence of str
    rows : sequence of str, optional
        Names of the rows, for a first column ``name``; there is none by default.
    """
    pattern = "\t".join(["%.9g"] * len(columns))
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter="\t", lineterminator="\n")
        lines.writerow(["name", *columns] if rows else columns)
        for place, row in enumerate(np.asarray(values, dtype=float).tolist()):
            lines.writerow([*rows[place : place + 1], *(pattern % tuple(row)).replace("nan", "n/a").split("\t")])


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """Read a BIDS TSV as `save_table` wrote it: a parcel may be called NA, and an arm None."""
    return pd.read_csv(path, sep="\t", na_values=["n/a", ""], keep_default_na=False, **options)


def save_described(path: Path, table: pd.DataFrame, columns: Mapping[str, Any], **more: Any) -> Path:
    """Write a table and what its columns mean; ``more`` is what must be known to read it."""
    described = {str(name): columns[str(name)] for name in table}
    content = {name: text if isinstance(text, dict) else {"Description": text} for name, text in described.items()}
    save_json(sidecar_of(path), content | more)
    save_table(path, table)
    return path


def save_image(path: Path, image: Any, sidecar: Mapping[str, Any] | None = None) -> None:
    """Write an image and its sidecar; the image last, so that it is never without."""
    if sidecar is not None:
        save_json(sidecar_of(path), sidecar)
    with replacing(path) as partial:
        nib.save(image, partial)


def save_map(path: Path, grid: Any, values: np.ndarray, sidecar: Mapping[str, Any] | None = None) -> None:
    """Write one value per node as an image with its sidecar, and beside a surface's the GIFTI of each hemisphere."""
    name, values = Name.parse(path), without_noise(np.asarray(values))
    for side, half in grid.halves(values).items():
        save_image(path.with_name(build({**name.entities, "hemi": side}, name.suffix, ".shape.gii")), half, sidecar)
    save_image(path, grid.image(values), sidecar)


def without_noise(values: np.ndarray) -> np.ndarray:
    """Round float64 to 40 binary digits, before float32 has it rounded to 24.

    A mean of float32 often lies half way between two of them, where the last bit of float64, which libraries compute by
    the processor, would decide. So rounded it lies there exactly, and the even one is taken.

    Parameters
    ----------
    values : ndarray
        What is no float64 is returned as it is.

    Examples
    --------
    >>> half = 1 + 2.0**-24
    >>> without_noise(np.array([half - 2.0**-52, half, half + 2.0**-52])).astype(np.float32) == 1
    array([ True,  True,  True])
    """
    if values.dtype != np.float64:
        return values
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(mantissa * 2.0**40), exponent - 40))


def save_figure(path: Path, figure: Any, dpi: int = 110) -> None:
    """Write a matplotlib figure, PNG or SVG by its name, and close it; the same figure gives the same bytes."""
    import matplotlib.pyplot as plt

    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with replacing(path) as partial, plt.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(partial, dpi=dpi, metadata=metadata)
    plt.close(figure)


def sidecar_of(path: Path) -> Path:
    """Return the path of the JSON beside a file."""
    path = Path(path)
    return path.with_name(path.name.partition(".")[0] + ".json")


def write_dataset_files(output_dir: Path, bids_dir: Path, datasets: Sequence[Dataset]) -> None:
    """Write dataset_description.json, README.md and .bidsignore.

    Parameters
    ----------
    output_dir, bids_dir : Path
    datasets : sequence of runs.Dataset
        The preprocessed data that the outputs come from.
    """
    save_json(output_dir / "dataset_description.json", _description(output_dir, bids_dir, datasets))
    save_text(output_dir / "README.md", README.format(version=__version__))
    save_text(output_dir / ".bidsignore", "\n".join(BIDSIGNORE) + "\n")


def _description(output_dir: Path, bids_dir: Path, datasets: Sequence[Dataset]) -> dict[str, Any]:
    made_here = {"Name": "trialgraph", "Version": __version__, "Container": container()}
    upstream = [entry for dataset in datasets for entry in dataset.description.get("GeneratedBy", [])]
    licences = {dataset.description.get("License") for dataset in datasets}
    links = {"raw": bids_dir, **{dataset.name: dataset.path for dataset in datasets}}
    return {
        "Name": "trialgraph: graph maps of resting-state fMRI",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": licences.pop() if len(licences) == 1 else None,
        "GeneratedBy": [made_here, *upstream],
        "SourceDatasets": [{"DOI": doi} for dataset in datasets if (doi := dataset.description.get("DatasetDOI"))]
        or None,
        "DatasetLinks": {name: relative(path, output_dir) for name, path in links.items()},
    }


def relative(path: Path, start: Path) -> str:
    """Return the path of a file or folder as seen from a folder."""
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()


def container() -> dict[str, str] | None:
    """Return what a description says of the container that this runs in, or None."""
    if "APPTAINER_CONTAINER" in os.environ or "SINGULARITY_CONTAINER" in os.environ:
        return {"Type": "singularity", "Tag": f"trialgraph:{__version__}"}
    return {"Type": "docker", "Tag": f"trialgraph:{__version__}"} if Path("/.dockerenv").exists() else None
