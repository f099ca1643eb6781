"""What the participant level left: one walk over the output folder, and each sidecar read when it is asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bids_app.names import Name, scan_label
from bids_app.outputs import sidecar_of
from bids_app.smallfiles import read_record
from bids_app.status import read_statuses

KINDS = (
    *(("boldmap", ".nii.gz"), ("boldmap", ".dscalar.nii"), ("mask", ".nii.gz")),
    *(("nodes", ".tsv"), ("global", ".tsv"), ("relmat", ".tsv")),
)


@dataclass(frozen=True)
class Scan:
    """One scan of a kind of result as the participant level left it.

    Attributes
    ----------
    entities : dict of str
        Of the file's name.
    path : Path
    known : dict, optional
        What the sidecar says, where that is known without reading it.
    """

    entities: dict[str, str]
    path: Path
    known: dict | None = None

    @cached_property
    def sidecar(self):
        """What the sidecar says."""
        if self.known is not None:
            return self.known
        return read_record(sidecar_of(self.path), f"Run the participant level again for sub-{self.participant}.")

    @property
    def participant(self):
        """The participant's label, without sub-."""
        return self.entities["sub"]

    @property
    def session(self):
        """The session's label, without ses-, or None."""
        return self.entities.get("ses")


@dataclass(frozen=True)
class ScanIndex:
    """The results of an output folder, by kind; without those of scans that failed or whose input is gone.

    Attributes
    ----------
    scans : dict of list of Scan
        By suffix and extension, each sorted by path.
    """

    scans: dict[tuple[str, str], list[Scan]]

    def of(self, suffix, extension, **entities) -> list[Scan]:
        """List the results of one kind.

        Parameters
        ----------
        suffix, extension : str
            For example boldmap and .nii.gz.
        **entities : str
            What the names must say, for example ``stat="degree"``.
        """
        found = self.scans.get((suffix, extension), [])
        return [scan for scan in found if all(scan.entities.get(key) == value for key, value in entities.items())]

    def one_of_each(self) -> list[Scan]:
        """Return one result of each scan, whatever kind of map or table it is."""
        found = {}
        for suffix, extension in (("boldmap", ".nii.gz"), ("boldmap", ".dscalar.nii"), ("nodes", ".tsv")):
            for scan in self.of(suffix, extension):
                found.setdefault(scan.sidecar.get("Scan"), scan)
        return list(found.values())


def index_scans(output_dir, participants=None) -> ScanIndex:
    """Look once at what the participant level left.

    Parameters
    ----------
    output_dir : Path
    participants : collection of str, optional
        Whose results; everyone's by default.

    Returns
    -------
    ScanIndex

    Raises
    ------
    DataError
        What a run left of how the scans ended is damaged.
    """
    names = ["sub-*"] if participants is None else [f"sub-{label}" for label in participants]
    folders = [folder for name in names for folder in output_dir.glob(name)]
    unused, scans = _unused(output_dir, participants), {kind: [] for kind in KINDS}
    for path in sorted(path for folder in folders for path in folder.rglob("func/sub-*")):
        name = Name.parse(path)
        kind = (name.suffix, name.extension)
        if kind in scans:
            scan = Scan(name.entities, path)
            scans[kind] += [] if _is_of(scan, unused) else [scan]
    return ScanIndex(scans)


def _is_of(scan, names):
    """Tell whether a result is of a scan of one of some names; its sidecar is read only where it could be."""
    own = scan_label(scan.entities)
    near = any(name == own or name.startswith(f"{own} ") for name in names)
    return near and scan.sidecar.get("Scan") in names


def _unused(output_dir, participants):
    """Return the names of the scans whose results are not to be used."""
    statuses = read_statuses(output_dir, participants)
    return {scan["Scan"] for status in statuses for scan in status["Scans"] if scan["State"] != "done"}
