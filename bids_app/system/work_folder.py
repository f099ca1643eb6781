"""The folder that a run works in: private, lent to one run alone, and removed only where a run made it."""

import atexit
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bids_app.errors import BusyError, OutputError, TrialgraphError
from bids_app.system.environment import write_only_in
from bids_app.system.locks import alone_in

MARK = ".made-by-trialgraph"  # lies in each folder that a run made: what lacks it is never removed
TRIES = 20
MARK_TEXT = "A run of trialgraph made this folder for what it works with, and removes it when all went well.\n"


def private_folder(folder: Path) -> Path:
    """Make the work folder, or one within it where others could change what is taken from it.

    What is kept there is trusted by later runs: compiled code and pickles, which can do all that the user can.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        ``folder`` if it is the user's own and nobody else can write to it, else a folder of the user's own in it.

    Raises
    ------
    OutputError
        It cannot be made, or what lies there belongs to another user.
    """
    _make(folder)
    user = os.geteuid()
    if _is_own(folder, user) and not folder.stat().st_mode & stat.S_IWOTH:
        _refuse_others(folder, user)
        return folder
    own = folder / f"trialgraph-uid{user}"
    _make(own, mode=0o700)
    if own.is_symlink() or not _is_own(own, user) or own.stat().st_mode & (stat.S_IWOTH | stat.S_IWGRP):
        raise OutputError(
            f"The work folder {own} belongs to another user or can be changed by others: what is kept there is run by "
            "later runs. Give a folder of your own with --work-dir."
        )
    _refuse_others(own, user)
    print(f"trialgraph: others can write to {folder}; this run works in {own}, which is private.", file=sys.stderr)
    return own


def _make(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and the one above it, each with the mark if it was not there before."""
    try:
        for _ in range(TRIES - 1):
            with suppress(FileNotFoundError):  # a call that ends beside this one may be removing the one above
                return _make_once(folder, mode)
        return _make_once(folder, mode)
    except OSError as error:
        raise OutputError(f"The work folder {folder} cannot be created: {error.strerror or error}.") from error


def _make_once(folder: Path, mode: int) -> None:
    new = [one for one in (folder, folder.parent) if not one.exists()]
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for one in new:
        (one / MARK).write_text(MARK_TEXT)


def _is_own(path: Path, user: int) -> bool:
    return path.lstat().st_uid == user


def _refuse_others(folder: Path, user: int) -> None:
    """Refuse a folder in which another user has left something."""
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(where, name)
            with suppress(FileNotFoundError):  # another run, of its own folder within, may end by now
                if not _is_own(path, user):
                    raise OutputError(
                        f"{path} belongs to another user: what is kept in a work folder is run by later runs. Remove "
                        "it, or give a folder of your own with --work-dir."
                    )


@contextmanager
def working_in(work_dir: Path, keep: bool) -> Iterator[Callable[[int], int]]:
    """Lend a work folder to this run alone, which goes when the process ends if all went well.

    Parameters
    ----------
    work_dir : Path
        As from `private_folder`.
    keep : bool
        Never remove it.

    Yields
    ------
    callable
        Takes the exit code and returns it; after 0 the folder is removed if a run made it.
    """
    at_exit = ExitStack()
    atexit.register(at_exit.close)  # before the libraries register theirs, so that it runs after them
    new = {path.name for path in work_dir.iterdir()} <= {MARK}

    def conclude(code: int) -> int:
        if code == 0 and not keep:
            at_exit.callback(_remove, work_dir)
        return code

    with alone_in(work_dir):
        write_only_in(work_dir)
        before = _current_folder()
        os.chdir(work_dir)  # libraries look for their settings in the current folder, which may be anybody's
        try:
            yield conclude
        except TrialgraphError:
            if new:  # the input was refused: what this call left is of no use, what an earlier one left may be
                conclude(0)
            raise
        finally:
            with suppress(OSError):
                os.chdir(before)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed under the shell
        return Path("/")


def _remove(work_dir: Path) -> None:
    if not (work_dir / MARK).is_file():
        return
    with suppress(OSError, BusyError), alone_in(work_dir):  # another run may work there by now
        shutil.rmtree(work_dir, ignore_errors=True)
    above = work_dir.parent
    with suppress(OSError):  # another run works beside this one
        if (above / MARK).is_file() and {path.name for path in above.iterdir()} == {MARK}:
            (above / MARK).unlink()
            above.rmdir()
