"""What ``--atlas`` names: an image, a surface's labels, a folder, a table, or an atlas. Imports nothing heavy."""

import os
from dataclasses import dataclass
from pathlib import Path

from bids_app.errors import MissingInputError, UsageError

DEBIAN = Path("/usr/share/mricron/templates")  # where the package mricron-data puts them, as it is in the image
IN_DEBIAN = {"aal": ("aal.nii.gz", "AAL"), "aicha": ("AICHAmc.nii.gz", "AICHA")}
SPHERES = {"power": "Power264", "dosenbach": "Dosenbach160", "seitzman": "Seitzman300"}
FETCHED = {
    **{f"schaefer{n}": "schaefer_2018" for n in range(100, 1001, 100)},
    **{f"schaefer{n}-17": "schaefer_2018" for n in range(100, 1001, 100)},
    **{f"difumo{n}": "difumo" for n in (64, 128, 256, 512, 1024)},
    "harvard-oxford": "harvard_oxford",
    "harvard-oxford-sub": "harvard_oxford",
    "destrieux": "destrieux_2009",
    "msdl": "msdl",
    "yeo7": "yeo_2011",
    "yeo17": "yeo_2011",
}
TABLES = (".tsv", ".csv")


@dataclass(frozen=True)
class Part:
    """One of the atlases that a source is made of.

    Attributes
    ----------
    kind : {"image", "folder", "table", "spheres", "fetched", "templateflow"}
    what : str
        A path, or a name.
    labels : str or None
        Table of names given with an image.
    wanted : tuple of (str, str)
        Entities that choose among the images of a folder.
    home : str or None
        The cache of TemplateFlow, as it was when the call began: the work folder may take its place later.
    """

    kind: str
    what: str
    labels: str | None = None
    wanted: tuple[tuple[str, str], ...] = ()
    home: str | None = None


@dataclass(frozen=True)
class AtlasSource:
    """Where an atlas comes from.

    Attributes
    ----------
    word : str
        As it was given.
    parts : tuple of Part
        Several are one atlas together; where they overlap, the first has the node.
    name : str or None
        What the outputs are named by, if that was given too.
    """

    word: str
    parts: tuple[Part, ...]
    name: str | None = None

    def __str__(self) -> str:
        return self.word


def find_atlas(word: str) -> AtlasSource:
    """Read ``[NAME=]WHAT[+WHAT...]``; WHAT is an image with or without ``:LABELS``, a folder, a table or a name.

    Parameters
    ----------
    word : str

    Returns
    -------
    AtlasSource
        Paths are absolute.

    Raises
    ------
    MissingInputError
        A path does not exist.
    UsageError
        A name is not known.

    Examples
    --------
    >>> [part.kind for part in find_atlas("both=power+seitzman").parts], find_atlas("both=power+seitzman").name
    (['spheres', 'spheres'], 'both')
    """
    if Path(word).exists():
        return AtlasSource(word, (_part(word),))
    name, equals, rest = word.partition("=")
    named = bool(equals) and name.isalnum()
    what = rest if named else word
    pieces = [what] if Path(what).exists() else what.split("+")
    return AtlasSource(word, tuple(_part(piece) for piece in pieces), name if named else None)


def _part(word: str) -> Part:
    path, colon, more = word.partition(":")
    if Path(word).exists():
        path, colon, more = word, "", ""
    found = Path(path).absolute()
    if found.is_dir():
        return Part("folder", str(found), wanted=_entities(word, more))
    if found.is_file():
        if found.suffix in TABLES:
            return Part("table", str(found))
        if colon and not Path(more).is_file():
            raise MissingInputError(f"--atlas {word}: the labels {Path(more).absolute()} do not exist.")
        return Part("image", str(found), str(Path(more).absolute()) if colon else None)
    if os.sep in path or "." in path:
        raise MissingInputError(f"--atlas: {found} does not exist.")
    return _by_name(word, path, more)


def _by_name(word: str, name: str, more: str) -> Part:
    known = name.lower()
    if known in SPHERES:
        return Part("spheres", known)
    if known in IN_DEBIAN and (DEBIAN / IN_DEBIAN[known][0]).exists():
        return Part("image", str(DEBIAN / IN_DEBIAN[known][0]))
    if known in FETCHED:
        return Part("fetched", known)
    home = os.environ.get("TEMPLATEFLOW_HOME")
    if home and known not in IN_DEBIAN:
        return Part("templateflow", name, wanted=(("atlas", name), *_entities(word, more)), home=home)
    raise UsageError(
        f"--atlas {word}: no file or folder, and no atlas by this name. By name there are: "
        f"{', '.join(SPHERES)}; {', '.join(IN_DEBIAN)} where Debian's mricron-data is installed, as in the image; "
        "schaefer100 to schaefer1000, schaefer100-17 to schaefer1000-17, difumo64 to difumo1024, harvard-oxford, "
        "harvard-oxford-sub, destrieux, msdl, yeo7, yeo17, from nilearn's cache or the network; and with "
        "TEMPLATEFLOW_HOME the atlases of TemplateFlow, as in Schaefer2018:desc-400Parcels7Networks."
    )


def _entities(word: str, text: str) -> tuple[tuple[str, str], ...]:
    pairs = [piece.partition("-") for piece in text.split("_") if piece]
    if not all(dash for _, dash, _ in pairs):
        raise UsageError(f"--atlas {word}: after the colon comes what chooses an image: seg-7Networks_scale-400.")
    return tuple((key, value) for key, _, value in pairs)
