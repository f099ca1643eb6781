"""Linear transforms in files of ITK, as matrices."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bids_app.errors import DataError
from bids_app.preproc.registration import LPS

PARAMETERS = re.compile(r"^Parameters:(.*)$", re.MULTILINE)
FIXED = re.compile(r"^FixedParameters:(.*)$", re.MULTILINE)
TRANSFORM = re.compile(r"^#Transform \d+\s*$", re.MULTILINE)
RIGID = 0.01  # how far rotation times its transpose may be from 1


def read_affines(path: Path) -> np.ndarray:
    """Read all linear transforms of an ITK text file.

    Parameters
    ----------
    path : Path
        Of twelve parameters each, a matrix by rows and a translation in mm, and of a centre.

    Returns
    -------
    (T, 4, 4) float64 ndarray
        World coordinates (RAS) of the image that is resampled to, to those of the image that is resampled.

    Raises
    ------
    DataError
        The file cannot be read, or is none of that kind.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} cannot be read as text: {error}.") from error
    blocks = TRANSFORM.split(text)[1:]
    if not blocks:
        raise DataError(f"{path.name} holds no transform of ITK (looked for lines #Transform and Parameters).")
    return np.array([_matrix(block, path) for block in blocks])


def _matrix(block: str, path: Path) -> np.ndarray:
    parameters, centre = _numbers(PARAMETERS, block), _numbers(FIXED, block)
    if len(parameters) != 12 or len(centre) not in (0, 3) or not np.isfinite(parameters).all():
        raise DataError(f"{path.name} holds a transform that is not a matrix of 3 x 3 and a translation.")
    matrix, centre = np.eye(4), centre if len(centre) else np.zeros(3)
    matrix[:3, :3] = parameters[:9].reshape(3, 3)
    matrix[:3, 3] = parameters[9:] + centre - matrix[:3, :3] @ centre
    flip = np.diag([*LPS, 1])
    return flip @ matrix @ flip


def _numbers(pattern: re.Pattern[str], block: str) -> np.ndarray:
    found = pattern.search(block)
    try:
        return np.array([float(word) for word in found.group(1).split()] if found else [])
    except ValueError:
        return np.array([np.nan])


def read_motion(path: Path, n_volumes: int) -> np.ndarray:
    """Read the rigid transform of every volume of a run.

    Parameters
    ----------
    path : Path
    n_volumes : int
        Of the raw scan.

    Returns
    -------
    (T, 4, 4) float64 ndarray
        World coordinates of the reference to those of each volume.

    Raises
    ------
    DataError
        There are more or fewer than volumes, or one is not rigid.
    """
    motion = read_affines(path)
    if len(motion) != n_volumes:
        raise DataError(f"{path.name} holds {len(motion)} transforms, the raw BOLD image {n_volumes} volumes.")
    rotations = motion[:, :3, :3]
    stretched = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    if stretched.max() > RIGID or (np.linalg.det(rotations) < 0).any():
        raise DataError(f"{path.name}: the transform of volume {int(stretched.argmax())} is not rigid.")
    return motion


def read_chain(paths: Iterable[Path]) -> np.ndarray:
    """Return the product, (4, 4), of transforms of one matrix each, the first to be applied first.

    Raises
    ------
    DataError
        A file holds several.
    """
    product = np.eye(4)
    for path in paths:
        matrices = read_affines(path)
        if len(matrices) != 1:
            raise DataError(f"{path.name} holds {len(matrices)} transforms; one is needed.")
        product = matrices[0] @ product
    return product
