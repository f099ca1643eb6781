"""How far 1 Hz shifts the signal of an image, and what its sidecar lacks to say so. Imports nothing heavy."""

import math
from collections.abc import Mapping
from typing import Any

from bids_app.bids.timing import DIRECTIONS


def readout_time(metadata: Mapping[str, Any], n_lines: int) -> float | None:
    """Return the total readout time of a scan in seconds, or None where its sidecar says none.

    Parameters
    ----------
    metadata : dict
    n_lines : int
        Voxels along the phase encoding.

    Examples
    --------
    >>> readout_time({"EffectiveEchoSpacing": 0.0005}, 65)
    0.032
    """
    total, spacing = (_positive(metadata.get(key)) for key in ("TotalReadoutTime", "EffectiveEchoSpacing"))
    if total is not None:
        return total
    return None if spacing is None else spacing * (n_lines - 1)


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < math.inf else None


def phase_encoding(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the axis of an image that its phase encoding goes along, and 1 if to its end or -1; None if not said.

    Examples
    --------
    >>> phase_encoding({"PhaseEncodingDirection": "j-"}), phase_encoding({})
    ((1, -1), None)
    """
    direction = metadata.get("PhaseEncodingDirection")
    if direction not in DIRECTIONS:
        return None
    return "ijk".index(direction[0]), -1 if direction.endswith("-") else 1


def lacks(metadata: Mapping[str, Any]) -> str | None:
    """Name the field that a sidecar lacks to say how far the signal is shifted, or None.

    Examples
    --------
    >>> lacks({"PhaseEncodingDirection": "j"})
    'neither TotalReadoutTime nor EffectiveEchoSpacing'
    """
    if phase_encoding(metadata) is None:
        return "no PhaseEncodingDirection"
    return "neither TotalReadoutTime nor EffectiveEchoSpacing" if readout_time(metadata, 2) is None else None


def voxels_per_hertz(metadata: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[int, float]:
    """Return the axis of the phase encoding, and by how many voxels to its end 1 Hz shifts the signal.

    Parameters
    ----------
    metadata : dict
        That `lacks` nothing.
    shape : tuple of int
        Of the image.

    Examples
    --------
    >>> voxels_per_hertz({"PhaseEncodingDirection": "i-", "TotalReadoutTime": 0.05}, (64, 64, 30))
    (0, -0.05)
    """
    encoding = phase_encoding(metadata)
    assert encoding is not None  # `lacks` was asked
    axis, sign = encoding
    return axis, sign * (readout_time(metadata, shape[axis]) or 0.0)
