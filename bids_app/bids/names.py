"""BIDS file names: entities to name and back."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_app.errors import UsageError

# The order of the schema, with the draft entities contrast and stat where fitlins and XCP-D put them.
ENTITIES = (
    *("sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "hemi"),
    *("space", "cohort", "atlas", "seg", "scale", "res", "den", "contrast", "stat", "label"),
    "fmapid",
    *("from", "to", "mode", "desc"),
)


Key = tuple[tuple[str, str], ...]  # entities, by which files that belong together are found


@dataclass(frozen=True)
class Name:
    """A file name taken apart.

    Examples
    --------
    >>> name = Name.parse("sub-01/func/sub-01_task-rest_run-01_desc-preproc_bold.nii.gz")
    >>> name.entities["run"], name.suffix, name.extension
    ('01', 'bold', '.nii.gz')
    """

    entities: dict[str, str]
    suffix: str
    extension: str

    @classmethod
    def parse(cls, path: Path | str) -> "Name":
        """Take a path's last part apart; words that are no entity are left out."""
        stem, dot, extension = Path(path).name.partition(".")
        *pairs, suffix = stem.split("_")
        entities = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
        return cls(entities, suffix, dot + extension)

    def without(self, *keys: str) -> Key:
        """Return the entities that remain without some, as a hashable key."""
        return tuple(sorted((key, value) for key, value in self.entities.items() if key not in keys))


def known_entities(entities: Mapping[str, str]) -> dict[str, str]:
    """Put what is no entity of BIDS, as other tools have, into desc, so that their files stay apart.

    Examples
    --------
    >>> known_entities({"sub": "01", "feature": "corrMatrix", "atlas": "power"})
    {'sub': '01', 'atlas': 'power', 'desc': 'corrMatrix'}
    """
    known = {key: value for key, value in entities.items() if key in ENTITIES and key != "desc"}
    rest = [value for key, value in entities.items() if key not in ENTITIES or key == "desc"]
    return known | ({"desc": "".join(rest)} if rest else {})


def build(entities: Mapping[str, str | None], suffix: str, extension: str) -> str:
    """Make a file name, entities in the order of the schema, those that are None left out.

    Examples
    --------
    >>> build({"desc": "r025", "sub": "01", "stat": "degree", "task": "rest"}, "boldmap", ".nii.gz")
    'sub-01_task-rest_stat-degree_desc-r025_boldmap.nii.gz'
    """
    unknown = set(entities) - set(ENTITIES)
    if unknown:
        raise ValueError(f"unknown entities {sorted(unknown)}")
    pairs = [f"{key}-{entities[key]}" for key in ENTITIES if entities.get(key) is not None]
    return "_".join([*pairs, suffix]) + extension


def folder(entities: Mapping[str, str]) -> Path:
    """Return the folder of a participant's functional files, relative to the dataset."""
    levels = [f"{key}-{entities[key]}" for key in ("sub", "ses") if entities.get(key)]
    return Path(*levels, "func")


SEPARATORS = frozenset(" _-.,:;/()[]'\"\t\n")
LONGEST = 40


def label(text: object, longest: int = LONGEST) -> str:
    """Reduce text to what a BIDS label may hold, in camel case; what is lost or cut becomes the end of a hash.

    Texts that differ by more than what separates their words, or the case of a letter after it, have different labels.

    Parameters
    ----------
    text : str
    longest : int, optional
        Letters and digits of the result at the most.

    Examples
    --------
    >>> label("usual care"), label("clustering-weighted"), label("drug+")
    ('usualCare', 'clusteringWeighted', 'drug2bede6')
    """
    given, text = str(text), str(text).strip()
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in plain).split()
    camel = "".join([*words[:1], *(word[0].upper() + word[1:] for word in words[1:])])
    lost = any(not letter.isascii() or not (letter.isalnum() or letter in SEPARATORS) for letter in text)
    if not lost and text[-1:] != "-" and len(camel) <= longest and (camel or not given):
        return camel
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return camel[: longest - len(digest)] + digest


def contrast_label(active: str, reference: str | None = None) -> str:
    """Name the comparison of two arms, or the one group, as the names of its files do.

    Raises
    ------
    UsageError
        The two have the same label.

    Examples
    --------
    >>> contrast_label("ketamine", "usual care")
    'ketamineVsUsualCare'
    """
    if reference is None:
        return label(active, 30)
    first, second = label(active, 30), label(reference, 30)
    if first.lower() == second.lower():
        raise UsageError(
            f"The arms {active!r} and {reference!r} cannot be told apart in names of files (both are {first}): rename "
            "one of them in participants.tsv."
        )
    return f"{first}Vs{second[0].upper()}{second[1:]}"


def scan_label(entities: Mapping[str, str]) -> str:
    """Name a scan for people: its entities up to the hemisphere.

    Examples
    --------
    >>> scan_label({"sub": "01", "ses": "day3", "space": "T1w"})
    'sub-01 ses-day3'
    """
    source = ENTITIES[: ENTITIES.index("space")]
    return " ".join(f"{key}-{entities[key]}" for key in source if entities.get(key))


def session_in(label: str) -> str | None:
    """Return the session that the label of a scan says, or None.

    Examples
    --------
    >>> session_in("sub-01 ses-day3 task-rest"), session_in("sub-01")
    ('day3', None)
    """
    return next((word.removeprefix("ses-") for word in label.split() if word.startswith("ses-")), None)


EXTENSION = ".dscalar.nii"


def is_surface(path: Path | str) -> bool:
    """Say by its name whether a file holds grayordinates."""
    return Path(path).name.endswith((".dtseries.nii", EXTENSION, ".func.gii"))


def other_hemisphere(path: Path) -> Path:
    """Return the file of the right hemisphere beside that of the left one."""
    return path.with_name(path.name.replace("_hemi-L_", "_hemi-R_"))
