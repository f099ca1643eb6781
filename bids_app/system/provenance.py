"""What a derived file was made from: the content of its inputs, and the code. What differs is made anew, and said."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
HEAD_BYTES = 2**20
ABSOLUTE = re.compile(r"(^|(?<=[=:+,]))/[^=:+,]*")


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        As ``sha256sum`` prints it.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def digest_of_code() -> str:
    """Return a digest of the program: another version, or a checkout that was edited, has another."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def files_of(run: object) -> list[Path]:
    """List the files that a run is read from, in the order of its fields.

    Parameters
    ----------
    run : runs.BoldRun, inputs.SeriesRun or raw_runs.RawRun
    """
    values = [value if isinstance(value, tuple) else (value,) for value in vars(run).values()]
    return list(dict.fromkeys(one for several in values for one in several if isinstance(one, Path)))


def digests_of(run: object) -> dict[str, str]:
    """Return the SHA-256 of each file of a run, by its name."""
    return {path.name: digest_of_file(path) for path in files_of(run) if path.is_file()}


def quick_state(path: Path) -> Sequence[Any]:
    """Return what changes with a file or folder, without reading all of it: its times, its size and how it begins.

    The time of the last change of the inode cannot be set by hand, so that a file of the same size and date is noticed.
    """
    if path.is_dir():
        return [
            (one.relative_to(path).as_posix(), quick_state(one)) for one in sorted(path.rglob("*")) if one.is_file()
        ]
    found = path.stat()
    if not path.is_file():  # a pipe or a device: who reads it says so
        return (found.st_mode,)
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(HEAD_BYTES)).hexdigest()
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, head)


def state_of(paths: Iterable[Path]) -> list[Sequence[Any]]:
    """Return `quick_state` of those of some files that are there and can be read; who reads them says the others."""
    states = []
    for path in paths:
        with suppress(OSError):
            states.append(quick_state(path))
    return states


def files_of_atlas(source: Any) -> list[Path]:
    """List the files and folders that an atlas is read from, but for what libraries carry.

    Parameters
    ----------
    source : atlas_source.AtlasSource or None
    """
    words = [word for part in source.parts for word in (part.what, part.labels) if word] if source else []
    paths = [Path(word) for word in words if Path(word).is_absolute() and Path(word).exists()]
    return [one for path in paths for one in (path, *_beside(path))]


def _beside(path: Path) -> list[Path]:
    """List the files beside an image that may name its labels."""
    if path.is_dir():
        return []
    stem = path.name.partition(".")[0]
    return [one for one in sorted(path.parent.glob(f"{stem}.*")) if one != path and one.is_file()]


def shareable(content: Any, output_dir: Path) -> Any:
    """Write absolute paths in text, lists and objects as seen from the output folder, which may be given to others.

    Examples
    --------
    >>> shareable(["--atlas", "A=/data/atlas.nii.gz", {"alpha": 0.05}], Path("/data/out"))
    ['--atlas', 'A=../atlas.nii.gz', {'alpha': 0.05}]
    """
    if isinstance(content, dict):
        return {key: shareable(value, output_dir) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [shareable(value, output_dir) for value in content]
    if isinstance(content, str):
        return ABSOLUTE.sub(lambda found: os.path.relpath(found[0], output_dir.absolute()), content)
    return content
