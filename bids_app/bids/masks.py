"""Where an image is a mask: whole numbers, or fractions that are cut at one half, which is said."""

from pathlib import Path

import numpy as np

from bids_app.errors import DataError
from bids_app.system.images import read_image


def binarized(values: np.ndarray, called: str) -> tuple[np.ndarray, str | None]:
    """Say which voxels are in a mask.

    Parameters
    ----------
    values : ndarray
        Whole numbers (above 0 is inside), fractions from 0 to 1 (from one half on), or percent (from 50 on); what is
        not finite is outside.
    called : str
        What messages call the image.

    Returns
    -------
    inside : bool ndarray
    note : str or None
        A whole sentence if it had to be cut.

    Raises
    ------
    DataError
        It holds something else.

    Examples
    --------
    >>> inside, note = binarized(np.array([0.0, 0.4, 0.6, np.nan]), "x.nii")
    >>> inside.tolist(), note
    ([False, False, True, False], 'x.nii holds fractions; it is cut at 0.5.')
    """
    known = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    if np.issubdtype(known.dtype, np.bool_) or np.issubdtype(known.dtype, np.integer):
        return known > 0, None
    if np.allclose(known, np.round(known), rtol=0, atol=1e-3):
        return np.round(known) > 0, None
    least, most = float(known.min()), float(known.max())
    if least >= -1e-3 and most <= 1 + 1e-3:
        return known >= 0.5, f"{called} holds fractions; it is cut at 0.5."
    if least >= -1e-3 and 50 <= most <= 100 + 1e-3:
        return known >= 50, f"{called} holds percentages; it is cut at 50 %."
    raise DataError(
        f"{called} is no mask: its values are not whole and go from {least:g} to {most:g}. A mask has 0 and 1, or the "
        "share of each voxel that is inside."
    )


def read_mask(path: Path, called: str) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Read a mask image of the user's.

    Parameters
    ----------
    path : Path
    called : str
        What messages call it.

    Returns
    -------
    inside : (X, Y, Z) bool ndarray
    affine : (4, 4) ndarray
    note : str or None
        As from `binarized`.

    Raises
    ------
    DataError
        It is not 3D, or no mask.
    """
    image, values = read_image(path, called)
    if values.ndim != 3:
        raise DataError(f"{called}: a 3D image is needed, this has shape {values.shape}.")
    inside, note = binarized(values, called)
    return inside, image.affine, note
