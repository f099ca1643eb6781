"""Which field map is that of a scan, by what the sidecars say. Imports nothing heavy."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.bids.names import Name
from bids_app.bids.sidecars import Sidecars
from bids_app.preproc.distortion.readout import lacks, phase_encoding

ENDINGS = (".nii", ".nii.gz")
ECHO_PLANAR = ("epi", "sbref", "bold")
PEPOLAR, FIELDMAP, PHASEDIFF, PHASES, SYN = "pepolar", "fieldmap", "phasediff", "phases", "syn"
WORDS = {
    PEPOLAR: "images of opposite phase encoding",
    FIELDMAP: "a measured field",
    PHASEDIFF: "a difference of phases",
    PHASES: "the phases of two echoes",
    SYN: "the T1w, to which the scan was deformed along its phase encoding (SyN)",
}
HALF_A_MILLISECOND = 0.0005  # of echo times: no two echoes are nearer to each other


@dataclass(frozen=True)
class Image:
    """An image, and what its sidecars say."""

    path: Path
    metadata: dict[str, Any]

    @property
    def name(self) -> Name:
        """Its name, taken apart."""
        return Name.parse(self.path)


@dataclass(frozen=True)
class FieldMap:
    """What distortions of a scan are corrected by.

    Attributes
    ----------
    kind : str
        One of `WORDS`.
    evidence : str
        Why it is that of the scan, for people.
    images : tuple of Image
        Of opposite phase encoding: two, or the one that is opposite to the scan itself; or the field, the
        difference of phases or two phases. None for SyN.
    magnitude : Image or None
        By which a field or phases are aligned with the scan.
    """

    kind: str
    evidence: str
    images: tuple[Image, ...] = ()
    magnitude: Image | None = None

    @property
    def paths(self) -> list[Path]:
        """The files that it consists of."""
        return [one.path for one in (*self.images, *([self.magnitude] if self.magnitude else []))]

    @property
    def words(self) -> str:
        """What it is, for people."""
        names = ", ".join(one.path.name for one in self.images)
        return f"{WORDS[self.kind]}{f' ({names})' if names else ''}, {self.evidence}"


def images_of(root: Path, participant: str) -> list[Image]:
    """List what may tell the field of a participant: all of ``fmap``, and echo-planar images of ``func``."""
    own = root / f"sub-{participant}"
    paths = sorted(path for kind in ("fmap", "func") for path in own.glob(f"**/{kind}/sub-*"))
    sidecars = Sidecars([*root.glob("*.json"), *own.glob("**/*.json")])
    found = [path for path in paths if Name.parse(path).extension in ENDINGS]
    return [Image(path, sidecars.metadata(path)) for path in found if _may_tell(Name.parse(path), path.parent.name)]


def _may_tell(name: Name, folder: str) -> bool:
    whole = name.entities.get("part", "mag") == "mag" and name.entities.get("echo", "1") == "1"
    return folder == "fmap" or (name.suffix in ECHO_PLANAR and whole)


def fieldmap_of(scan: Image, images: Sequence[Image], root: Path) -> FieldMap | str:
    """Say which field map is that of a scan.

    What names it counts most: B0FieldSource of the scan, then IntendedFor of the field map; then an image of the
    same task and visit whose name differs by its direction.

    Parameters
    ----------
    scan : Image
    images : sequence of Image
        As from `images_of`.
    root : Path
        The dataset, which IntendedFor is relative to.

    Returns
    -------
    FieldMap or str
        Or why there is none.
    """
    if lacking := lacks(scan.metadata):
        return f"the sidecar of the scan has {lacking}"
    if sources := _listed(scan.metadata.get("B0FieldSource")):
        named = [one for one in images if set(_listed(one.metadata.get("B0FieldIdentifier"))) & set(sources)]
        if not named:
            return f"its B0FieldSource is {', '.join(sources)}, which no B0FieldIdentifier names"
        return _best(scan, named, images, "by B0FieldSource")
    intended = [one for one in images if one.path.parent.name == "fmap" and _is_intended(one, scan.path, root)]
    if intended:
        return _best(scan, intended, images, "by IntendedFor")
    beside = [one for one in images if _differs_by_direction(one, scan)]
    if beside:
        return _best(scan, beside, images, "of the same task and visit by its name")
    there = sorted({one.path.name for one in images if one.path.parent.name == "fmap"})
    if there:
        return (
            f"neither B0FieldSource nor IntendedFor says that a field map is that of the scan (there are "
            f"{', '.join(there[:3])}{' and others' if len(there) > 3 else ''})"
        )
    return "there is no field map"


def or_syn(fieldmap: FieldMap | str, metadata: Mapping[str, Any]) -> FieldMap | str:
    """Correct by SyN where there is no field map, and the sidecar of the scan says along which axis.

    Examples
    --------
    >>> or_syn("there is no field map", {"PhaseEncodingDirection": "j", "TotalReadoutTime": 0.05}).evidence
    'by --use-syn-sdc: there is no field map'
    """
    if isinstance(fieldmap, FieldMap) or lacks(metadata):
        return fieldmap
    return FieldMap(SYN, f"by --use-syn-sdc: {fieldmap}")


def _listed(value: object) -> list[str]:
    """Return what a sidecar says once or as a list."""
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


def _is_intended(image: Image, scan: Path, root: Path) -> bool:
    own = f"sub-{image.name.entities.get('sub')}"
    return any(_resolved(one, root, own) == scan for one in _listed(image.metadata.get("IntendedFor")))


def _resolved(text: str, root: Path, participant: str) -> Path:
    """Return the path that an entry of IntendedFor means: a URI of BIDS, or relative to the participant.

    Examples
    --------
    >>> for text in ("bids::sub-01/func/a.nii", "func/a.nii", "/func/a.nii", "sub-01/func/a.nii"):
    ...     print(_resolved(text, Path("/data"), "sub-01"))
    /data/sub-01/func/a.nii
    /data/sub-01/func/a.nii
    /data/sub-01/func/a.nii
    /data/sub-01/func/a.nii
    """
    if text.startswith("bids:"):
        return root / text.split(":", 2)[-1]
    plain = text.lstrip("/").removeprefix("./")
    return root / plain if plain.startswith(f"{participant}/") else root / participant / plain


def _differs_by_direction(image: Image, scan: Image) -> bool:
    """Say whether an image of ``func`` is that of the scan but for its direction; the number of the run may differ."""
    mine, its = (one.name.without("run", "dir", "echo", "part") for one in (scan, image))
    encodings = [phase_encoding(one.metadata) for one in (scan, image)]
    opposite = encodings[0] is not None and encodings[1] == (encodings[0][0], -encodings[0][1])
    return image.path.parent.name == "func" and mine == its and opposite


def _best(scan: Image, some: Sequence[Image], images: Sequence[Image], evidence: str) -> FieldMap | str:
    """Take of the images that are meant what tells the field best; else say what is lacking of each."""
    reasons = []
    for kind, make in _MAKERS.items():
        made = make(scan, some, images)
        if isinstance(made, FieldMap):
            return FieldMap(kind, evidence, made.images, made.magnitude)
        if made:
            reasons.append(made)
    return "; ".join(reasons) or f"{', '.join(one.path.name for one in some)} ({evidence}) cannot tell the field"


def _blips(scan: Image, some: Sequence[Image], images: Sequence[Image]) -> FieldMap | str | None:
    """Take two images of opposite phase encoding, rather along the axis of the scan; or the one opposite to it."""
    planar = [one for one in some if one.name.suffix in ECHO_PLANAR and one.path != scan.path]
    if not planar:
        return None
    ready: dict[tuple[int, int], list[Image]] = defaultdict(list)
    for one in sorted(planar, key=lambda one: ECHO_PLANAR.index(one.name.suffix)):
        encoding = phase_encoding(one.metadata)
        if encoding is not None and not lacks(one.metadata):
            ready[encoding].append(one)
    if not ready:
        return f"the sidecar of {planar[0].path.name} has {lacks(planar[0].metadata)}"
    axis, sign = phase_encoding(scan.metadata) or (1, 1)
    for along in dict.fromkeys((axis, *(one for one, _ in ready))):
        if (along, 1) in ready and (along, -1) in ready:
            return FieldMap(PEPOLAR, "", (ready[along, 1][0], ready[along, -1][0]))
    if (axis, -sign) in ready:
        return FieldMap(PEPOLAR, "", (ready[axis, -sign][0],))
    return f"no image is opposite to {', '.join(one.path.name for one in planar)} or to the scan in its phase encoding"


def _measured(scan: Image, some: Sequence[Image], images: Sequence[Image]) -> FieldMap | str | None:
    field = next((one for one in some if one.name.suffix == "fieldmap"), None)
    if field is None:
        return None
    units = field.metadata.get("Units")
    if units not in ("Hz", "rad/s", "T"):
        return f"the Units of {field.path.name} are {units!r}, not Hz, rad/s or T"
    magnitude = _beside(field, "magnitude", images)
    return _with_magnitude(FIELDMAP, (field,), magnitude)


def _difference(scan: Image, some: Sequence[Image], images: Sequence[Image]) -> FieldMap | str | None:
    phases = next((one for one in some if one.name.suffix == "phasediff"), None)
    if phases is None:
        return None
    if echo_difference([phases]) is None:
        return f"the sidecar of {phases.path.name} has no EchoTime1 and EchoTime2 in seconds"
    return _with_magnitude(PHASEDIFF, (phases,), _magnitude_of_phases(phases, images))


def _two_phases(scan: Image, some: Sequence[Image], images: Sequence[Image]) -> FieldMap | str | None:
    both = tuple(next((one for one in some if one.name.suffix == name), None) for name in ("phase1", "phase2"))
    first, second = both
    if first is None or second is None:
        return None
    if echo_difference([first, second]) is None:
        return f"the sidecars of {first.path.name} and {second.path.name} have no EchoTime in seconds"
    return _with_magnitude(PHASES, (first, second), _magnitude_of_phases(first, images))


def _with_magnitude(kind: str, images: tuple[Image, ...], magnitude: Image | None) -> FieldMap | str:
    if magnitude is None:
        return f"there is no magnitude image beside {images[0].path.name}"
    return FieldMap(kind, "", images, magnitude)


def _magnitude_of_phases(phases: Image, images: Sequence[Image]) -> Image | None:
    return _beside(phases, "magnitude1", images) or _beside(phases, "magnitude2", images)


def _beside(image: Image, suffix: str, images: Iterable[Image]) -> Image | None:
    """Return the image of the same name but for the suffix."""
    return next((one for one in images if one.name.suffix == suffix and one.name.entities == image.name.entities), None)


_MAKERS: Mapping[str, Callable[[Image, Sequence[Image], Sequence[Image]], FieldMap | str | None]] = {
    PEPOLAR: _blips,
    FIELDMAP: _measured,
    PHASEDIFF: _difference,
    PHASES: _two_phases,
}


def echo_difference(images: Sequence[Image]) -> float | None:
    """Return by how many seconds the second echo is later, as the sidecars of a phase difference or of two phases say.

    Examples
    --------
    >>> echo_difference([Image(Path("a_phasediff.nii"), {"EchoTime1": 0.005, "EchoTime2": 0.00746})])
    0.00246
    """
    told = [images[0].metadata.get(f"EchoTime{index}") for index in (1, 2)]
    told = told if len(images) == 1 else [one.metadata.get("EchoTime") for one in images]
    first, second = (one if isinstance(one, int | float) else None for one in told)
    if first is None or second is None or not HALF_A_MILLISECOND <= second - first < 0.05:
        return None
    return round(second - first, 9)
