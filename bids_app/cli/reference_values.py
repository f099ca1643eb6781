"""What came out of the reference trial, held against what came out of it when the release was made."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from bids_app.bids.files import read_table

DATA = Path(__file__).parents[1] / "data" / "reference"
HASHES, VALUES = DATA / "hashes.json", DATA / "values.npz"
CLOSE = 1e-6  # of the largest value of an output: what rounding to float32, and of it a sum, leaves
LIBRARIES = ("numpy", "scipy", "pandas", "nibabel", "nilearn", "numba", "scikit-learn", "statsmodels")


@dataclass(frozen=True)
class Output:
    """One file that came out.

    Attributes
    ----------
    digest : str
        SHA-256 of its bytes, of an image as they are before compression.
    values : (n,) ndarray
        Its numbers: those of the voxels that are not 0 or missing, or in float64 those of the columns of a table.
    """

    digest: str
    values: np.ndarray


@dataclass(frozen=True)
class Difference:
    """One output as it was and as it is.

    Attributes
    ----------
    output : str
        Path below the output folder.
    verdict : {"same", "close", "different", "missing", "new"}
        The same bytes; the same numbers but for `CLOSE`; other numbers or other text; not there; not known.
    n_values, n_differing : int
    largest : float or None
        The largest difference, relative to the largest value. None where the numbers are not as many as they were.
    """

    output: str
    verdict: str
    n_values: int = 0
    n_differing: int = 0
    largest: float | None = None


def outputs_of(output_dir: Path) -> dict[str, Output]:
    """Read every map and table of both levels; sidecars and pages hold versions and dates.

    Parameters
    ----------
    output_dir : Path

    Returns
    -------
    dict of Output
        By path below the folder.
    """
    found = (path for pattern in ("sub-*", "group") for path in output_dir.glob(f"{pattern}/**/*") if path.is_file())
    kept = (path for path in sorted(found) if path.name.endswith((".nii.gz", ".tsv")))
    return {path.relative_to(output_dir).as_posix(): _output(path) for path in kept}


def _output(path: Path) -> Output:
    content = path.read_bytes()
    if path.name.endswith(".nii.gz"):
        content = gzip.decompress(content)  # what compresses may be of another version
        image = nib.Nifti1Image.from_bytes(content)
        values = np.asarray(image.dataobj).ravel()
        values = values[np.isfinite(values) & (values != 0)]
    else:
        values = read_table(path).select_dtypes("number").to_numpy(np.float64).ravel()
    return Output(hashlib.sha256(content).hexdigest(), values)


def kept_outputs() -> tuple[dict[str, Output], dict[str, str]]:
    """Return what ships with the release: every output, and the versions of the libraries that it was made with."""
    record = json.loads(HASHES.read_text())
    with np.load(VALUES) as values:
        outputs = {name: Output(digest, values[name]) for name, digest in record["Outputs"].items()}
    return outputs, record["Libraries"]


def keep(outputs: Mapping[str, Output]) -> None:
    """Write outputs as those that ship with the release."""
    DATA.mkdir(exist_ok=True)
    values: dict[str, Any] = {name: one.values for name, one in outputs.items()}
    np.savez_compressed(VALUES, **values)
    digests = {name: one.digest for name, one in outputs.items()}
    HASHES.write_text(json.dumps({"Libraries": libraries(), "Outputs": digests}, indent=1) + "\n")


def libraries() -> dict[str, str]:
    """Return the versions of what computes."""
    return {name: version(name) for name in LIBRARIES}


def differences(kept: Mapping[str, Output], found: Mapping[str, Output]) -> Iterator[Difference]:
    """Hold outputs against those that were kept, in the order of their names.

    Examples
    --------
    >>> was, now = Output("a", np.array([1.0, 2])), Output("b", np.array([1.0, 2.5]))
    >>> [one.verdict for one in differences({"x": was, "y": was}, {"x": now, "y": was, "z": now})]
    ['different', 'same', 'new']
    """
    for name in sorted({*kept, *found}):
        if name not in found or name not in kept:
            yield Difference(name, "missing" if name in kept else "new")
        elif kept[name].digest == found[name].digest:
            yield Difference(name, "same", kept[name].values.size, 0, 0.0)
        else:
            yield _difference(name, kept[name].values, found[name].values)


def _difference(name: str, was: np.ndarray, now: np.ndarray) -> Difference:
    if was.shape != now.shape or not np.array_equal(np.isnan(was), np.isnan(now)):
        return Difference(name, "different", was.size)
    known = ~np.isnan(was)
    was, now = (values[known].astype(np.float64) for values in (was, now))
    apart = np.abs(now - was)
    largest = float(apart.max(initial=0) / max(np.abs(was).max(initial=0), np.finfo(float).tiny))
    close = 0 < largest <= CLOSE  # other bytes, but no other number: it is the text that differs
    return Difference(name, "close" if close else "different", was.size, int((apart > 0).sum()), largest)
