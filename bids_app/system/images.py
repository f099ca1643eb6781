"""Opening the user's images: what is missing, empty, broken or cut is said in one sentence."""

import logging
import math
import os
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from bids_app.errors import DataError, MissingInputError
from bids_app.system.machine import available_memory_gb
from bids_app.system.small_files import regular

logger = logging.getLogger(__name__)

COPIES = 2  # of the voxels that are held at once, at the least
UNREADABLE = (ImageFileError, OSError, EOFError, zlib.error, ValueError, ExpatError, HeaderDataError)


def require(path: Path) -> None:
    """Refuse a file that is not there, whose content was never fetched, or that is empty.

    Raises
    ------
    MissingInputError
        The file is not there, is a link to content that is not, or may not be read.
    DataError
        It is no file (a folder, a pipe, a device), or has 0 bytes.
    """
    if path.is_symlink() and not path.exists():
        raise MissingInputError(f"{path.name} is a link to content that is not on this machine (try datalad get).")
    if not path.exists():
        raise MissingInputError(f"{path} does not exist.")
    if not os.access(path, os.R_OK):
        raise MissingInputError(f"{path.name} cannot be read: Permission denied to user {os.getuid()}.")
    regular(path, called=path.name, most=math.inf)
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty (0 bytes).")


def open_image(path: Path, called: str | None = None) -> Any:
    """Open an image without reading its voxels.

    Parameters
    ----------
    path : Path
    called : str, optional
        What messages call it; the file's name by default.

    Raises
    ------
    MissingInputError, DataError
        As `require`; DataError also if it is no image.
    """
    require(path)
    try:
        if path.name.endswith(".gii"):
            return nib.load(path)
        image: Any = nib.load(path, keep_file_open=True)  # volumes are read in order: gzip must not start over for each
    except UNREADABLE as error:
        raise DataError(f"{called or path.name} is no readable image: {error}") from error
    if image.get_data_dtype().kind not in "biuf":
        raise DataError(f"{called or path.name} holds no numbers but {image.get_data_dtype()}.")
    _require_place(image, called or path.name)
    _require_room(image.shape[:3], image.get_data_dtype(), called or path.name)
    return image


_memory_gb = cache(available_memory_gb)  # asked once: of a trial thousands of images are opened


def _require_room(shape: Sequence[int], dtype: np.dtype[Any], called: str) -> None:
    """Refuse voxels that would not fit into the memory that this process may use, as a header can claim any number."""
    needed, there = math.prod(map(int, shape)) * COPIES * dtype.itemsize / 2**30, _memory_gb()
    if there is not None and needed > there:
        size = " x ".join(map(str, shape))
        raise DataError(
            f"{called}: by its header the image has {size} voxels, which would take {needed:.0f} GB of memory; there "
            f"are {there:.0f} GB. Its header is damaged, or it is far larger than what is needed here."
        )


def _require_place(image: Any, called: str) -> None:
    """Refuse an image of voxels whose header does not say where it lies, for which nibabel makes a place up."""
    if isinstance(image, nib.AnalyzeImage) and not isinstance(image, nib.Nifti1Pair):
        raise DataError(f"{called}: an Analyze header does not say where the image lies; convert it to NIfTI.")
    if not isinstance(image, nib.Nifti1Pair):
        return
    (sform, of_sform), (qform, of_qform) = image.get_sform(coded=True), image.get_qform(coded=True)
    if not of_sform and not of_qform:
        raise DataError(
            f"{called}: the header does not say where the image lies (sform_code and qform_code are both 0). Set the "
            "one that is right, for example with nibabel or fslorient."
        )
    affine = image.affine
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise DataError(f"{called}: the header puts all voxels at one place or nowhere (its affine is singular).")
    if of_sform and of_qform and not np.allclose(_corners(sform, image.shape), _corners(qform, image.shape), atol=1):
        logger.warning("%s: sform and qform put the image at different places; the sform is used.", called)


def _corners(affine: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return nib.affines.apply_affine(affine, np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape[:3]) - 1))


def read_image(path: Path, called: str | None = None) -> tuple[Any, np.ndarray]:
    """Open an image as `open_image` does, and read its voxels.

    Returns
    -------
    image : nibabel image
    values : ndarray
        In the type of the file, scaled if the header says so.
    """
    image = open_image(path, called)
    if not path.name.endswith(".gii"):
        _require_room(image.shape, image.get_data_dtype(), called or path.name)
    try:
        return image, np.asanyarray(image.dataobj)
    except (*UNREADABLE, MemoryError) as error:
        raise DataError(f"{called or path.name} is no readable image: {error}") from error


def open_bold(path: Path) -> Any:
    """Open a 4D image without reading its voxels.

    Raises
    ------
    MissingInputError
        The file is not there, or is a link to content that is not.
    DataError
        The file is empty, no image, or not 4D.
    """
    image = open_image(path)
    if image.ndim != 4 or image.shape[3] < 2:
        raise DataError(f"{path.name} has shape {image.shape}; a 4D BOLD series is needed.")
    return image
