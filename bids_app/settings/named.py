"""What is given a name on the command line: NAME=PATH."""

from pathlib import Path
from typing import NamedTuple


class NamedPath(NamedTuple):
    """A folder, and what it is called.

    Attributes
    ----------
    name : str
    path : Path
    """

    name: str
    path: Path

    def __repr__(self) -> str:
        return tuple.__repr__(self)  # of which a digest is in the name of the work folder


class NamedRegion(NamedTuple):
    """A region that is looked at: a mask and what it is called, or a parcel by its name.

    Attributes
    ----------
    name : str
    mask : Path or None
    """

    name: str
    mask: Path | None

    def __repr__(self) -> str:
        return tuple.__repr__(self)


class Call(NamedTuple):
    """The words of a call, dataset, output and level before all others, and the folder that paths are seen from.

    Attributes
    ----------
    words : tuple of str
    folder : str
    """

    words: tuple[str, ...]
    folder: str
