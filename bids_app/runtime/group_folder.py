"""The folder of the group's results: made beside, with a record of all that is in it, and put in place whole.

A run writes into a folder of its own. Only when all is there, that folder takes the place of the one before, whose
files go: those that a run wrote and nobody changed. So the results, the figures and the page are always of one run.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bids_app import __version__
from bids_app.bids.files import save_json
from bids_app.bids.result_names import FIGURES
from bids_app.errors import DataError, OutputError
from bids_app.settings.settings import GROUP
from bids_app.system.locks import alone_in
from bids_app.system.provenance import digest_of_code, digest_of_file
from bids_app.system.small_files import Record, read_record

logger = logging.getLogger("bids_app")

STAGED, REPLACED = ".partial-group", ".partial-group-before"
MANIFEST, PAGE = "manifest.json", "index.html"
ANSWER = "results.json"  # what the page begins with, made with it
EARLIER = "group-earlier"
AGAIN = "Run the group level again."
SHOWN = 4


@contextmanager
def staged_group(output_dir: Path) -> Iterator[Path]:
    """Lend a folder for the group's results to one run alone; what is not put in place by `publish` goes.

    Parameters
    ----------
    output_dir : Path
        Its folder ``logs`` is there.

    Yields
    ------
    Path

    Raises
    ------
    BusyError
        Another run makes the group's results of this output folder.
    """
    staged = output_dir / STAGED
    with alone_in(output_dir / "logs", busy=f"Another run makes {output_dir / GROUP} now: wait for it."):
        finish_replacing(output_dir)
        _remove(staged)
        staged.mkdir()
        try:
            yield staged
        finally:
            with suppress(OSError):
                _remove(staged)


def publish(output_dir: Path, record: Mapping[str, Any]) -> None:
    """Write the record of what is in the staged folder, and put it in the place of the group's results.

    Parameters
    ----------
    output_dir : Path
    record : dict
        What the results were made from and how.
    """
    staged, group = output_dir / STAGED, (output_dir / GROUP).resolve()  # a link stays a link
    files = {name: digest_of_file(staged / name) for name in _names(staged)}
    about = {"Results": _id_of(files), "Software": f"trialgraph {__version__}", "Code": digest_of_code()}
    save_json(staged / MANIFEST, {**about, **record, "Files": files})
    try:
        if group.exists():
            group.rename(output_dir / REPLACED)
        staged.rename(group)
    except OSError as error:
        raise OutputError(f"{group} cannot be replaced: {error.strerror or error}.") from error
    finish_replacing(output_dir)


def results_id(folder: Path) -> str:
    """Return a digest of the results in a folder: of its tables and maps, not of the page and the figures.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        12 hexadecimal digits; the same results have the same.
    """
    return _id_of({name: digest_of_file(folder / name) for name in _names(folder) if _is_result(name)})


def _id_of(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(filter(_is_result, files)):
        digest.update(f"{name}\0{files[name]}\0".encode())
    return digest.hexdigest()[:12]


def _is_result(name: str) -> bool:
    """Tell results, which the page and its figures are made from, from these."""
    *folders, file = name.split("/")
    return file not in (MANIFEST, PAGE, ANSWER) and FIGURES not in folders


def finish_replacing(output_dir: Path) -> None:
    """Finish what a run that was killed left between two folders; returns at once where nothing is left.

    Files of the folder before that no run wrote stay in the new one; those that were changed, and all of a folder
    without a record, are kept aside.
    """
    group, before = (output_dir / GROUP).resolve(), output_dir / REPLACED
    if not before.exists():
        return
    if not group.exists():
        before.rename(group)
        return
    if not before.is_dir():
        _keep_aside(output_dir, before, GROUP)
        return
    manifest = _manifest_of(before)
    for name in _names(before):
        path = before / name
        if manifest is None:
            _keep_aside(output_dir, path, name)
        elif name not in manifest and name != MANIFEST:
            kept = group / name
            if kept.exists():
                _keep_aside(output_dir, path, name)
            else:
                kept.parent.mkdir(parents=True, exist_ok=True)
                path.rename(kept)
        elif name != MANIFEST and manifest[name] != digest_of_file(path):
            _keep_aside(output_dir, path, name)
    _remove(before)


def _manifest_of(folder: Path) -> Mapping[str, str] | None:
    """Return the digests of the files that a run left in a folder, or None if no record says so."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    with suppress(DataError):
        return read_record(path, AGAIN)["Files"]
    return None


def _keep_aside(output_dir: Path, path: Path, name: str) -> None:
    """Move a file that no run may remove to a folder of its own."""
    kept = output_dir / EARLIER / name
    number = 2
    while kept.exists():
        kept = output_dir / EARLIER / f"{number}-{name}"
        number += 1
    kept.parent.mkdir(parents=True, exist_ok=True)
    path.rename(kept)
    logger.warning("%s is not as a run of this version left it: it is kept as %s.", output_dir / GROUP / name, kept)


def _names(folder: Path) -> list[str]:
    """List the files below a folder by their names as seen from it."""
    found = (Path(where, name) for where, _, names in os.walk(folder) for name in names)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def read_manifest(output_dir: Path) -> Record | None:
    """Read the record of the group's results.

    Returns
    -------
    Record or None
        None where there are no results, or those of a version that kept no record.
    """
    path = output_dir / GROUP / MANIFEST
    return read_record(path, AGAIN) if path.exists() else None


def require_whole(output_dir: Path) -> None:
    """Refuse results that are not, file by file, as one run left them.

    Raises
    ------
    DataError
        A file is missing or has another content, or nothing says what the run left.
    """
    group, manifest = output_dir / GROUP, _require_manifest(output_dir)
    results = {name: digest for name, digest in manifest["Files"].items() if _is_result(name)}
    wrong = [name for name, digest in results.items() if not _holds(group / name, digest)]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError(
            f"{group} does not hold what one run left: {', '.join(wrong[:SHOWN])}{more} missing or changed. {AGAIN}"
        )


def _require_manifest(output_dir: Path) -> Record:
    manifest = read_manifest(output_dir)
    if manifest is None:
        path = output_dir / GROUP / MANIFEST
        raise DataError(f"{path} is missing: nothing says that the files there are of one run. {AGAIN}")
    return manifest


def restage(output_dir: Path) -> dict[str, Any]:
    """Bring the results into the staged folder again, without the page and its figures, to be made anew.

    Returns
    -------
    dict
        What the results were made from and how, also by which code.
    """
    group, staged, manifest = output_dir / GROUP, output_dir / STAGED, _require_manifest(output_dir)
    for name in filter(_is_result, manifest["Files"]):
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            (staged / name).hardlink_to(group / name)
        except OSError:  # not every file system has links
            shutil.copy2(group / name, staged / name)
    return {key: value for key, value in manifest.items() if key not in ("Results", "Files")}


def changed_sources(output_dir: Path, participants: Collection[str] | None = None) -> list[str]:
    """List files of participants that the group's results were made from and that are gone or were made anew since.

    Parameters
    ----------
    output_dir : Path
    participants : collection of str, optional
        Whose files to look at; everyone's by default.

    Returns
    -------
    list of str
        As seen from the output folder; empty also where there are no results.
    """
    manifest = read_manifest(output_dir)
    sources = manifest.get("Sources", {}) if manifest else {}
    wanted = None if participants is None else {f"sub-{label}" for label in participants}
    return [
        name
        for name, digest in sources.items()
        if (wanted is None or name.partition("/")[0] in wanted) and not _holds(output_dir / name, digest)
    ]


def _holds(path: Path, digest: str) -> bool:
    """Tell whether a file is there with this content."""
    return path.is_file() and digest_of_file(path) == digest
