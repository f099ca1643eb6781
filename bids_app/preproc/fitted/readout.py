"""Whether what a correction of distortions needs is there. Imports nothing heavy."""

import math
from collections.abc import Mapping
from typing import Any

from bids_app.bids.timing import DIRECTIONS
from bids_app.preproc.fitted.fit import Fit


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


def not_corrected_because(fit: Fit, metadata: Mapping[str, Any]) -> str | None:
    """Say why distortions are not corrected, or None if they are."""
    if fit.to_fieldmap is None:
        return "fMRIPrep used no field map"
    if not fit.coefficients:
        return f"the coefficients of the field map of {fit.to_fieldmap.name} are not there"
    if metadata.get("PhaseEncodingDirection") not in DIRECTIONS:
        return "the sidecar of the raw scan has no PhaseEncodingDirection"
    if readout_time(metadata, 2) is None:
        return "the sidecar of the raw scan has neither TotalReadoutTime nor EffectiveEchoSpacing"
    return None
