"""The labels of an image as whole numbers."""

import logging

import numpy as np

from bids_app.errors import DataError

logger = logging.getLogger("bids_app")

ROUNDING = 1e-3  # of labels that went through fractions
EXACT_IN_FLOAT32 = 2**24


def whole_labels(values: np.ndarray, called: str) -> np.ndarray:
    """Return labels as whole numbers.

    Parameters
    ----------
    values : ndarray
        As they are in the file; NaN and what is negative is background.
    called : str
        What messages call it.

    Returns
    -------
    int64 ndarray
        0 where there is no label.

    Raises
    ------
    DataError
        It holds fractions, or its type cannot tell its labels apart.
    """
    filled = np.where(np.isnan(values), 0, values)
    rounded = np.round(filled)
    with np.errstate(invalid="ignore"):
        off = np.abs(filled - rounded)
    if not (off <= ROUNDING).all():  # infinite ones are NaN there
        raise DataError(f"{called}: a 3D image of whole-number labels is needed, or a 4D one with a map per volume.")
    if values.dtype == np.float32 and rounded.max(initial=0) > EXACT_IN_FLOAT32:
        raise DataError(
            f"{called}: it is stored as float32, which cannot tell labels above {EXACT_IN_FLOAT32} apart, and has "
            f"{rounded.max():.0f}. Save it as whole numbers (int32)."
        )
    done = {"NaN was taken for background": np.isnan(values).any(), "labels were rounded": off.any()}
    done["negative values were taken for background"] = (rounded < 0).any()
    if said := "; ".join(text for text, is_so in done.items() if is_so):
        logger.warning("%s: %s.", called, said)
    return np.maximum(rounded, 0).astype(np.int64)
