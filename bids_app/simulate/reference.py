"""A small trial made of whole numbers alone, so that its files are the same wherever they are made.

`trialgraph verify` analyses it: what comes out can only differ by the analysis. No random numbers of a library, no
logarithms and no products in floating point are in it.
"""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.simulate.files import SPACE, write_dataset, write_scan, write_table
from bids_app.simulate.people import Participant, Visit
from bids_app.simulate.scenarios import SCENARIOS
from bids_app.simulate.trial import Scan
from bids_app.space.grid import Grid

VOXEL_MM, SHAPE, CORNER = 15, (12, 14, 12), (-82, -115, -75)
N_VOLUMES, REPETITION_TIME = 100, 2.0
SCENARIO = SCENARIOS["two-arms"]
SESSIONS = ("ses-baseline", "ses-day3")
CENTRES = ((3, 4, 8), (9, 4, 8), (6, 10, 6), (6, 6, 4))  # of the sources, in voxels
PARCELS_ALONG = (2, 3, 2)
OF_PARAMETERS = 10_000  # parameters of motion are whole multiples of one over this, mm or rad


def write_reference(folder: Path) -> tuple[Path, Path]:
    """Write the trial.

    Parameters
    ----------
    folder : Path
        Gets ``bids/`` and ``atlas/``.

    Returns
    -------
    bids_dir, atlas : Path
    """
    bids_dir, derivatives_dir = folder / "bids", folder / "bids" / "derivatives" / "fmriprep"
    grid, people = _grid(), [_participant(number) for number in range(6)]
    write_dataset(bids_dir, derivatives_dir, SCENARIO, people)
    for number, who in enumerate(people):
        for visit, session in enumerate(SESSIONS):
            more = 2 * visit * (who.arm == "ketamine")
            scan = _scan(grid, whole_numbers(1 + 2 * number + visit), more)
            write_scan(bids_dir, derivatives_dir, (who.label, session), scan)
    return bids_dir, _write_atlas(folder / "atlas")


def whole_numbers(seed: int) -> Iterator[int]:
    """Yield whole numbers from 0 to 2**31 - 1 that look random.

    Parameters
    ----------
    seed : int

    Notes
    -----
    The upper bits of Knuth's linear congruential generator MMIX, modulo 2**64.

    Examples
    --------
    >>> numbers = whole_numbers(1)
    >>> [next(numbers) for _ in range(2)]
    [908834774, 1093944153]
    """
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def _draw(numbers: Iterator[int], shape: tuple[int, ...], most: int) -> np.ndarray:
    """Draw whole numbers from -most to most."""
    count = int(np.prod(shape))
    return np.array([next(numbers) % (2 * most + 1) - most for _ in range(count)], dtype=np.int64).reshape(shape)


def _participant(number: int) -> Participant:
    arm, visits = list(SCENARIO.arms)[number % 2], []
    for visit, session in enumerate(SESSIONS):
        scores = {"hamd17": 24 - (5 + 4 * (arm == "ketamine")) * visit + number % 3, "cssrs": 3 - visit}
        when = f"2024-01-{1 + 7 * (number // 2) + 3 * visit:02d}T10:00:00"
        visits.append(Visit(session, when, scores, {}, np.random.SeedSequence(0)))
    sex, nobody = "FM"[number // 2 % 2], np.zeros(0)
    return Participant(f"sub-{number + 1:02d}", arm, 30 + 5 * number % 17, sex, False, nobody, tuple(visits))


def _grid() -> Grid:
    """Return an ellipsoid as large as the template's brain."""
    affine = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
    affine[:3, 3] = CORNER
    x, y, z = VOXEL_MM * np.indices(SHAPE) + np.reshape(CORNER, (3, 1, 1, 1))
    return Grid((25 * x**2 + 16 * (y + 18) ** 2 + 20 * (z - 8) ** 2) <= 25 * 75**2, affine)


def _scan(grid: Grid, numbers: Iterator[int], more: int) -> Scan:
    """Mix slow sources that fall off with the distance from their centres; the first speaks `more` loudly."""
    places = np.argwhere(grid.mask)
    sources = _draw(numbers, (len(CENTRES), N_VOLUMES), 9).cumsum(axis=1)
    distance = np.abs(places[:, np.newaxis] - np.array(CENTRES)).sum(axis=2)
    weights = np.maximum(9 - distance, 0) * (2 + _draw(numbers, (len(CENTRES),), 1))
    weights[:, 0] += more * np.maximum(6 - distance[:, 0], 0)
    noise = _draw(numbers, (len(places), N_VOLUMES), 150)
    bold = (10_000 + weights @ (sources - sources[:, :1]) + noise).astype(np.int16)
    described = {"framewise_displacement": {"Description": "Framewise displacement, mm"}}
    return Scan(grid, bold, _confounds(numbers), described, REPETITION_TIME)


def _confounds(numbers: Iterator[int]) -> pd.DataFrame:
    columns = {}
    for axis in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"):
        columns[axis] = _draw(numbers, (N_VOLUMES,), 99).cumsum() / (OF_PARAMETERS * (1 + 49 * axis.startswith("rot")))
    for tissue in ("csf", "white_matter", "global_signal"):
        columns[tissue] = (100_000 + _draw(numbers, (N_VOLUMES,), 300).cumsum()) / 100
    displacement = (20 + _draw(numbers, (N_VOLUMES,), 15)) / 100
    displacement[[40, 41, 70]] = 0.9
    displacement[0] = np.nan
    return pd.DataFrame({**columns, "framewise_displacement": displacement})


def _write_atlas(folder: Path) -> Path:
    """Cut the box into parcels, with a table of their names beside."""
    numbers = np.indices(SHAPE) * np.reshape(PARCELS_ALONG, (3, 1, 1, 1)) // np.reshape(SHAPE, (3, 1, 1, 1))
    labels = 1 + (numbers[0] * PARCELS_ALONG[1] + numbers[1]) * PARCELS_ALONG[2] + numbers[2]
    stem = f"atlas-Boxes_space-{SPACE}_dseg"
    names = [f"box {index}" for index in range(1, int(labels.max()) + 1)]
    write_table(folder / f"{stem}.tsv", pd.DataFrame({"index": range(1, len(names) + 1), "name": names}))
    image = nib.Nifti1Image(labels.astype(np.uint8), _grid().affine)
    image.set_sform(image.affine, code="mni")
    image.to_filename(folder / f"{stem}.nii.gz")
    return folder / f"{stem}.nii.gz"
