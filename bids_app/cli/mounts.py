"""What a container must see so that every word of a call means inside what it means outside. Imports nothing heavy."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bids_app.errors import UsageError
from bids_app.settings.named_paths import Named

# Of the image: what no folder of the host may cover, nor lie in.
OF_IMAGE = (
    "/bin",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/opt/trialgraph",
    "/opt/venv",
    "/proc",
    "/sys",
    "/usr/bin",
    "/usr/lib",
)


class Mount(NamedTuple):
    """A file or folder of the host, and where a container sees it.

    Attributes
    ----------
    destination : Path
        As it is named, which is where it is seen.
    source : Path
        Without links.
    writable : bool
    """

    destination: Path
    source: Path
    writable: bool = False

    def __str__(self) -> str:
        """Return the mount as ``--mount`` of Docker and Apptainer takes it: fields of CSV."""
        fields = ("type=bind", f"source={self.source}", f"destination={self.destination}")
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow((*fields, *(() if self.writable else ("ro",))))
        return line.getvalue()


def mounts_of(named: Sequence[Named], *, writes: bool = True) -> list[Mount]:
    """Return what a container must see of what a call names, at the places that the words name.

    Parameters
    ----------
    named : list of Named
    writes : bool, optional
        Whether the call writes at all.

    Returns
    -------
    list of Mount
        Outer ones first. What is not there is left out, but for a folder that will be written into.

    Raises
    ------
    UsageError
        A path cannot be seen inside as it is outside.
    """
    found: dict[Path, Mount] = {}
    for one in named:
        for mount in _mounts_of(one, writes):
            known = found.get(mount.destination)
            found[mount.destination] = mount if known is None or mount.writable else known
    for folder in (start for one in named for start in _starts(one.path)):
        if not is_shown(folder, found.values()):
            found[folder] = _mount(folder)
    return [found[place] for place in sorted(found) if not _is_seen_anyway(found[place], found.values())]


def is_shown(folder: Path, mounts: Iterable[Mount]) -> bool:
    """Say whether a folder is there for being mounted, or for holding or lying in what is."""
    return any(_is_in(one.destination, folder) or _is_in(folder, one.destination) for one in mounts)


def missing_folders(mounts: Iterable[Mount]) -> list[Path]:
    """Return the folders that are written into and are not there yet."""
    return [mount.source for mount in mounts if mount.writable and not mount.source.exists()]


def _mounts_of(named: Named, writes: bool) -> Iterator[Mount]:
    path = _plain(named.path)
    if named.writes == "folder" and writes:
        yield _mount(path, writable=True)
    elif named.writes == "file" and writes and path.parent.is_dir():
        yield _mount(path.parent, writable=True)
    elif path.exists():
        yield _mount(path)
    for link in _links(path) if path.is_dir() else ():
        place = _plain(link.parent / link.readlink())
        if link.exists() and not _is_in(link.resolve(), path.resolve()):
            yield _mount(place, source=link.resolve())


def _links(folder: Path) -> Iterator[Path]:
    """Return the links that lie directly in a dataset, or in its folder of derivatives."""
    for place in (folder, folder / "derivatives"):
        if place.is_dir() and os.access(place, os.R_OK | os.X_OK):
            with os.scandir(place) as entries:
                yield from sorted(Path(entry.path) for entry in entries if entry.is_symlink())


def _mount(path: Path, *, source: Path | None = None, writable: bool = False) -> Mount:
    covered = [one for one in OF_IMAGE if _is_in(Path(one), path) or _is_in(path, Path(one))]
    if covered:
        raise UsageError(f"{path} cannot be mounted: it would cover {covered[0]} of the image. Use a folder elsewhere.")
    return Mount(path, (source or path).resolve(), writable)


def _plain(path: Path) -> Path:
    """Return a path without going up, which is refused where a link leads elsewhere."""
    plain = Path(os.path.normpath(path))
    if plain.resolve() != path.resolve():
        raise UsageError(f"{path} goes up from a link, where a container cannot follow: write it as {path.resolve()}.")
    return plain


def _starts(path: Path) -> list[Path]:
    """Return the folders that a path goes up from: they must be there as well."""
    return [Path(*path.parts[:place]) for place, part in enumerate(path.parts) if part == ".."][:1]


def _is_seen_anyway(mount: Mount, others: Iterable[Mount]) -> bool:
    """Say whether another mount shows the same at the same place, with the same rights."""
    return any(
        _is_in(mount.destination, one.destination)
        and mount.destination != one.destination
        and one.source / mount.destination.relative_to(one.destination) == mount.source
        and one.writable == mount.writable
        for one in others
    )


def _is_in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
