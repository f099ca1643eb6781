"""Public trees whose images are empty files, as their owners have them: with headers that agree with the sidecars."""

import gzip
import json
import os
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np

from bids_app.bids.index import index_of
from bids_app.bids.names import Name
from bids_app.bids.sidecars import Sidecars

FOUR_D = ("bold", "cbv", "dwi", "epi", "asl")
N_VOLUMES = 8


def is_hollow(tree):
    """Say whether a folder is raw data, with images that are empty files."""
    described = tree / "dataset_description.json"
    if not described.exists() or json.loads(described.read_text()).get("DatasetType") == "derivative":
        return False
    return any(path.stat().st_size == 0 for path in tree.glob("sub-*/**/*_bold.nii*"))


def fill(tree, target):
    """Copy a tree, with a small image in place of each empty one, and return the copy."""
    for folder, _, names in os.walk(tree):
        place = target / Path(folder).relative_to(tree)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / name).write_bytes((Path(folder) / name).read_bytes())
    empty = [path for path in sorted(target.rglob("*.nii*")) if path.stat().st_size == 0]
    sidecars = Sidecars.of_layout(index_of(target))
    for path in empty:
        path.write_bytes(_image(path, sidecars.metadata(path)))
    return target


def _image(path, metadata):
    times, repetition = metadata.get("SliceTiming") or (), metadata.get("RepetitionTime")
    seconds = float(repetition) if isinstance(repetition, int | float) else 0.0
    four_d = Name.parse(path).suffix in FOUR_D
    content = _bytes(len(times) or 4, N_VOLUMES if four_d else 0, seconds)
    return gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content


@cache
def _bytes(n_slices, n_volumes, seconds):
    shape = (4, 4, n_slices, n_volumes) if n_volumes else (4, 4, n_slices)
    image = nib.Nifti1Image(np.zeros(shape, np.uint8), np.diag([3.0, 3, 3, 1]))
    image.header.set_xyzt_units("mm", "sec")
    if n_volumes:
        image.header.set_zooms((3.0, 3, 3, seconds))
    return image.to_bytes()
