"""Which files of raw data a run reads, by their names: an error in one of them stops it, others do not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.bids.datasets import find_derivatives
from bids_app.bids.names import Name
from bids_app.errors import TrialgraphError
from bids_app.settings.settings import Settings

TABLES = re.compile(
    r"/?( dataset_description\.json | participants\.(tsv|json) | sessions\.json"
    r"| sub-[^/]+/(ses-[^/]+/)?[^/]*_(sessions|scans)\.(tsv|json) )?",
    re.VERBOSE,
)
SIDECARS = re.compile(r"/?(sub-[^/]+/)?(ses-[^/]+/)?[^/]*_(bold|T1w)\.json")  # above the scans they speak of
# What the standard wants of columns such as sex. Whether a column that is used can be read is told by its reader.
OF_VALUES = ("TSV_VALUE_INCORRECT_TYPE", "TSV_VALUE_INCORRECT_TYPE_NONREQUIRED")
# What is wrong with one field of a sidecar, which the error names; these are the fields that a run reads.
OF_FIELDS = ("JSON_SCHEMA_VALIDATION_ERROR", "SIDECAR_KEY_REQUIRED")
FIELDS = {
    *("RepetitionTime", "VolumeTiming", "SamplingFrequency", "SliceTiming", "SliceEncodingDirection"),
    *("PhaseEncodingDirection", "TotalReadoutTime", "EffectiveEchoSpacing"),
}
SCANS = re.compile(r"/?sub-[^/]+/(ses-[^/]+/)?(func|anat)/.*")
# What lies beside the scans and is never read. What has none of these names might be a scan that is misnamed.
BESIDE = {
    *("events", "physio", "stim", "physioevents", "sbref", "cbv", "phase", "noRF", "aslcontext"),
    *("T2w", "FLAIR", "PDw", "PDT2", "PDT2w", "T2star", "T2starw", "inplaneT1", "inplaneT2", "angio", "defacemask"),
    *("T1map", "T2map", "T2starmap", "R1map", "R2map", "PDmap", "MTRmap", "MTsat", "MTVmap", "UNIT1", "FLASH"),
    *("MEGRE", "MESE", "MP2RAGE", "MPM", "MTR", "MTS", "VFA", "IRT1", "photo", "coordsystem", "electrodes"),
}


@dataclass(frozen=True)
class RawReading:
    """What a run reads of raw data.

    Attributes
    ----------
    scans : bool
        BOLD and T1w images, which are preprocessed; else the tables alone.
    participants, sessions : sequence of str
        Labels of those that are analysed; all if empty.
    task : str or None
        The one that is analysed; all if None.
    """

    scans: bool = True
    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    task: str | None = None

    def concerns(self, error: Mapping[str, Any]) -> bool:
        """Say whether an error is of the dataset or of someone who is analysed."""
        owner = re.match(r"/sub-([^/]+)/", _place(error))
        return not self.participants or owner is None or owner.group(1) in self.participants

    def stops(self, error: Mapping[str, Any]) -> bool:
        """Say whether an error is in a file that is read, or that may be misnamed.

        Parameters
        ----------
        error : dict
            Its ``code`` and ``location``, and as ``subCode`` the field of a sidecar, as the validator has them.

        Returns
        -------
        bool

        Examples
        --------
        >>> func, rest = "/sub-01/func/sub-01_", RawReading(task="rest")
        >>> names = ["task-rest_bold.nii.gz", "task-x_bold.nii.gz", "task-rest_events.tsv", "task-rest_bld.nii.gz"]
        >>> [rest.stops({"location": func + name}) for name in names]
        [True, False, False, True]
        """
        place = _place(error)
        if error.get("code") in OF_FIELDS and not self._reads_field(place, error.get("subCode")):
            return False
        table = TABLES.fullmatch(place) is not None and error.get("code") not in OF_VALUES
        return self.concerns(error) and (table or (self.scans and self._reads(place)))

    @staticmethod
    def _reads_field(place: str, field: str | None) -> bool:
        """Say whether a field that is named is read: of a T1w none is, of the dataset's own description any may be."""
        suffix = Name.parse(place).suffix
        return field is None or suffix not in ("bold", "T1w") or (suffix == "bold" and field in FIELDS)

    def _reads(self, place: str) -> bool:
        name = Name.parse(place)
        known = name.entities
        if SCANS.fullmatch(place) is None:
            return SIDECARS.fullmatch(place) is not None and self._may_be(known, "task", self.task)
        if name.suffix in BESIDE or known.get("part", "mag") != "mag":
            return False
        if name.suffix == "T1w":  # that of another visit may be taken
            return True
        of_session = not self.sessions or known.get("ses", self.sessions[0]) in self.sessions
        return of_session and self._may_be(known, "task", self.task)

    @staticmethod
    def _may_be(known: Mapping[str, str], entity: str, wanted: str | None) -> bool:
        return wanted is None or known.get(entity, wanted) == wanted


def _place(error: Mapping[str, Any]) -> str:
    return error.get("location") or ""


def reading_of(settings: Settings) -> RawReading:
    """Say what a run with these settings reads of the raw data."""
    selection = settings.selection
    raw = _reads_scans(settings)
    return RawReading(raw, selection.participants, selection.sessions, _task(settings) if raw else None)


def _reads_scans(settings: Settings) -> bool:
    """Say whether raw scans are read; where there are no others too, as what is wrong with them is then the reason."""
    from bids_app.preproc.extra import require_ants
    from bids_app.preproc.raw_runs import wants_preprocessing  # here, as pybids takes a second to import

    try:
        wanted = wants_preprocessing(settings)
        there = wanted or find_derivatives(settings.bids_dir, settings.selection.derivatives)
    except TrialgraphError:
        return True
    if wanted:
        require_ants()  # before the validator is waited for
    return wanted or not there


def _task(settings: Settings) -> str | None:
    """Return the task that is analysed: the one named, else that of rest where it is one of several."""
    if settings.selection.task:
        return settings.selection.task
    from bids_app.bids.selection import prefer_rest

    found: list[Path] = list(settings.bids_dir.glob("sub-*/**/func/*_bold.nii*"))
    return prefer_rest(map(Name.parse, found))
