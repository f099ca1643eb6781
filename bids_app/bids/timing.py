"""The repetition time of a series: one reading of sidecar and header, in seconds, or a refusal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bids_app.errors import DataError, TrialgraphError

SHORTEST, LONGEST = 0.05, 30.0  # seconds; no whole-brain BOLD series is faster or slower
IN_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
DIFFERENCE = 0.01  # of the sidecar's; headers are rounded
DIRECTIONS = ("i", "j", "k", "i-", "j-", "k-")  # of slices and of the phase encoding, along the axes of an image


@dataclass(frozen=True)
class RepetitionTime:
    """Seconds from one volume to the next.

    Attributes
    ----------
    seconds : float
    source : {"sidecar", "header"}
    warnings : tuple of str
        What is odd about it, in whole sentences.
    """

    seconds: float
    source: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class InHeader:
    """What the header of an image says: a number, and the unit or None where it has none."""

    value: float
    unit: str | None


def in_header(image: Any) -> InHeader | None:
    """Return the repetition time of a NIfTI image's header as it stands there, or None.

    Parameters
    ----------
    image : nibabel image, 4D
    """
    zooms = image.header.get_zooms()
    if len(zooms) < 4 or not math.isfinite(zooms[3]) or zooms[3] <= 0:
        return None
    units = getattr(image.header, "get_xyzt_units", lambda: (None, None))()
    return InHeader(float(zooms[3]), units[1] if units[1] in IN_SECONDS else None)


def declared(metadata: Mapping[str, Any]) -> object:
    """Return what a sidecar says of the repetition time, unchecked: RepetitionTime, else VolumeTiming or a frequency.

    Examples
    --------
    >>> declared({"RepetitionTime": 2.0}), declared({"SamplingFrequency": 0.5}), declared({})
    (2.0, 2.0, None)
    """
    if metadata.get("RepetitionTime") is not None:
        return metadata["RepetitionTime"]
    if metadata.get("VolumeTiming") is not None:
        return metadata["VolumeTiming"]
    frequency = metadata.get("SamplingFrequency")
    return 1 / frequency if isinstance(frequency, (int, float)) and frequency > 0 else frequency


def repetition_time(name: str, sidecar: object, header: InHeader | None) -> RepetitionTime:
    """Settle the repetition time of a series.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    sidecar : object
        As `declared` returns it; None if the sidecar does not say; the error if it could not be read.
    header : InHeader or None

    Returns
    -------
    RepetitionTime

    Raises
    ------
    DataError
        Neither says it, or what they say cannot be.

    Examples
    --------
    >>> repetition_time("x.nii", None, InHeader(2000.0, "msec")).seconds
    2.0
    >>> repetition_time("x.nii", 2.0, InHeader(3.0, "sec")).warnings
    ('x.nii: RepetitionTime is 2 s in the sidecar and 3 s in the header; the sidecar is used.',)
    """
    if isinstance(sidecar, TrialgraphError):
        raise sidecar
    if sidecar is None:
        if header is None:
            raise DataError(f"{name}: no repetition time in the sidecar nor in the header.")
        return _of_header(name, header)
    seconds = _plausible(name, _number(name, sidecar), "RepetitionTime in the sidecar")
    return RepetitionTime(seconds, "sidecar", _disagreement(name, seconds, header))


def _of_header(name: str, header: InHeader) -> RepetitionTime:
    if header.unit is None and header.value == 1:
        raise DataError(
            f"{name}: no repetition time in the sidecar, and the header says 1 without a unit, which is what libraries "
            "write where it is not known. Add RepetitionTime to the sidecar."
        )
    if header.unit is None:
        seconds = _plausible(name, header.value, "the repetition time in the header, which has no unit,")
        warning = f"{name}: the header gives no unit of time, and there is no RepetitionTime: {seconds:g} s is assumed."
        return RepetitionTime(seconds, "header", (warning,))
    seconds = header.value * IN_SECONDS[header.unit]
    return RepetitionTime(_plausible(name, seconds, "the repetition time in the header"), "header")


def _number(name: str, value: object) -> float:
    """Return a repetition time that is a number, or the step of regular times of volumes."""
    if isinstance(value, list):
        return _step(name, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{name}: RepetitionTime is {value!r}; a number of seconds is needed.")
    return float(value)


def _step(name: str, times: Any) -> float:
    known = times if all(isinstance(one, (int, float)) for one in times) else []
    steps = np.diff(np.asarray(known, dtype=float))
    if len(steps) == 0:
        raise DataError(f"{name}: VolumeTiming is no list of times.")
    if np.ptp(steps) > 1e-3 * abs(steps.mean()):
        raise DataError(
            f"{name}: VolumeTiming is irregular ({steps.min():g} to {steps.max():g} s from volume to volume); only "
            "volumes at equal distances in time can be analysed."
        )
    return float(steps.mean())


def _plausible(name: str, seconds: float, what: str) -> float:
    if math.isfinite(seconds) and SHORTEST <= seconds <= LONGEST:
        return seconds
    hint = f" Is it {seconds / 1000:g} s, written in milliseconds?" if SHORTEST <= seconds / 1000 <= LONGEST else ""
    raise DataError(
        f"{name}: {what} is {seconds:g} s; it must be between {SHORTEST:g} and {LONGEST:g} s.{hint} Mend the file."
    )


def _disagreement(name: str, seconds: float, header: InHeader | None) -> tuple[str, ...]:
    if header is None or (header.unit is None and header.value == 1):  # what libraries write where it is not known
        return ()
    other = header.value * IN_SECONDS.get(header.unit or "", 1.0)
    if header.unit is None and abs(other / 1000 - seconds) <= DIFFERENCE * seconds:
        return ()
    if abs(other - seconds) <= DIFFERENCE * seconds:
        return ()
    return (
        f"{name}: RepetitionTime is {seconds:g} s in the sidecar and {other:g} s in the header; the sidecar is used.",
    )
