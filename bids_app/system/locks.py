"""Folders that only one run works in at a time. Imports nothing heavy.

The lock is the kernel's: it goes with the process, however that ends. Where a file system has none, nothing is locked.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bids_app.errors import BusyError

BUSY = "Another run works in {} on the same participants: wait for it, or give another --work-dir and output folder."
HELD = (errno.EWOULDBLOCK, errno.EACCES)


@contextmanager
def alone_in(folder: Path, busy: str | None = None) -> Iterator[None]:
    """Work in a folder alone.

    Parameters
    ----------
    folder : Path
    busy : str, optional
        What is said if another run does.

    Raises
    ------
    BusyError
        Another run works in it.
    """
    with _opened(folder) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in HELD:
                raise BusyError(busy or BUSY.format(folder)) from error
        yield


@contextmanager
def turn_in(folder: Path) -> Iterator[None]:
    """Wait for one's turn to change a file, or the files of a folder."""
    with _opened(folder) as handle:
        with suppress(OSError):  # where there are no locks: better unlocked than not at all
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)
