"""What the participant level left: one walk over the output folder, and each sidecar read when it is asked for."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bids_app.bids.files import sidecar_of
from bids_app.bids.names import Name, scan_label
from bids_app.bids.result_names import atlas_of
from bids_app.bids.scan_facts import ScanFacts
from bids_app.bids.status import read_statuses
from bids_app.system.small_files import read_record

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
    part : (str, float), optional
        Of a visit that is a sum of several sessions: which session the scan is of, and the weight it has in the sum.
    kept : Path, optional
        The folder where values that were read are kept, so that the file is read only once.
    """

    entities: dict[str, str]
    path: Path
    known: Mapping[str, Any] | None = None
    part: tuple[str, float] | None = None
    kept: Path | None = None

    @cached_property
    def sidecar(self) -> Mapping[str, Any]:
        """What the sidecar says."""
        if self.known is not None:
            return self.known
        return read_record(sidecar_of(self.path), f"Run the participant level again for sub-{self.participant}.")

    @cached_property
    def facts(self) -> ScanFacts:
        """What the sidecar says of the scan."""
        return ScanFacts.from_json(self.sidecar)

    @property
    def participant(self) -> str:
        """The participant's label, without sub-."""
        return self.entities["sub"]

    @property
    def session(self) -> str | None:
        """The session's label, without ses-, or None."""
        return self.entities.get("ses")


@dataclass(frozen=True)
class ScanIndex:
    """The results of an output folder, by kind.

    Without those of scans that failed or whose input is gone, and of atlases that the last call on a scan did not have.

    Attributes
    ----------
    scans : dict of list of Scan
        By suffix and extension, each sorted by path.
    earlier : frozenset of str
        Atlases of which there are tables of earlier calls.
    """

    scans: dict[tuple[str, str], list[Scan]]
    earlier: frozenset[str] = frozenset()

    def of(self, suffix: str, extension: str, **entities: str | None) -> list[Scan]:
        """List the results of one kind.

        Parameters
        ----------
        suffix, extension : str
            For example boldmap and .nii.gz.
        **entities : str or None
            What the names must say, for example ``stat="degree"``; None is what they must not speak of.
        """
        found = self.scans.get((suffix, extension), [])
        return [scan for scan in found if all(scan.entities.get(key) == value for key, value in entities.items())]

    def one_of_each(self) -> list[Scan]:
        """Return one result of each scan, whatever kind of map or table it is."""
        found: dict[Any, Scan] = {}
        for suffix, extension in (("boldmap", ".nii.gz"), ("boldmap", ".dscalar.nii"), ("nodes", ".tsv")):
            for scan in _first_of_each_name(self.of(suffix, extension)):
                found.setdefault(scan.facts.origin.scan, scan)
        return list(found.values())


def _first_of_each_name(scans: Iterable[Scan]) -> list[Scan]:
    """Return the first result of each name but for the measure: those of one scan, of which one sidecar is enough."""
    first: dict[Any, Scan] = {}
    for scan in scans:
        own = frozenset(pair for pair in scan.entities.items() if pair[0] not in ("stat", "desc"))
        first.setdefault(own, scan)
    return list(first.values())


def index_scans(output_dir: Path, participants: Collection[str] | None = None) -> ScanIndex:
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
    records, earlier = _records(output_dir, participants), set()
    scans: dict[tuple[str, str], list[Scan]] = {kind: [] for kind in KINDS}
    for path in sorted(path for folder in folders for path in folder.rglob("func/sub-*")):
        name = Name.parse(path)
        if (name.suffix, name.extension) in scans:
            scan = Scan(name.entities, path)
            if _is_of_earlier_atlas(scan, records):
                earlier.add(atlas_of(name.entities))
            elif not _is_unused(scan, records):
                scans[name.suffix, name.extension].append(scan)
    return ScanIndex(scans, frozenset(earlier))


def _records(output_dir: Path, participants: Collection[str] | None) -> dict[str, dict[str, Any]]:
    """Return what is recorded of each scan, by its name, sorted by what the names of its files begin with."""
    records: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for status in read_statuses(output_dir, participants):
        for scan in status["Scans"]:
            # Without the atlas of a table of series.
            own = " ".join(word for word in scan["Scan"].split() if "-" in word)
            records[own][scan["Scan"]] = scan
    return dict(records)


def _is_of_earlier_atlas(scan: Scan, records: Mapping[str, Any]) -> bool:
    own = scan_label(scan.entities)
    atlases = records.get(own, {}).get(own, {}).get("Atlases")  # which versions before did not record
    atlas = atlas_of(scan.entities)
    return atlases is not None and atlas != "" and atlas not in atlases and scan.facts.origin.scan == own


def _is_unused(scan: Scan, records: Mapping[str, Any]) -> bool:
    """Tell whether a result is of a scan that no call finished, or that is not to be used any more.

    Tables of series have a longer name than their file says: their sidecar knows it, and is read only where it matters.
    Where nothing is recorded of anyone, as when the logs were tidied away, all that is there is used.
    """
    if not records:
        return False
    own = scan_label(scan.entities)
    states = {record["State"] for record in records.get(own, {}).values()}
    if len(states) == 1:
        return states != {"done"}
    return records.get(own, {}).get(scan.facts.origin.scan, {}).get("State") != "done"
