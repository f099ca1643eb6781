"""What can go wrong, and the exit code that says so (BIDS Apps execution specification)."""

import errno
import os

NO_ROOM = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))


def full_disk(text: str) -> str | None:
    """Return what the text of an error says of a disk, a quota or a limit that is full, or None.

    Examples
    --------
    >>> full_disk("[Errno 27] File too large: 'x.nii'")
    'File too large'
    """
    return next((said for said in NO_ROOM if said in text), None)


class TrialgraphError(Exception):
    """Anything the user is told in one message instead of a traceback.

    The message becomes one line, whatever a library put into it: it is read back from the last line of a
    crash file.
    """

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split()))


class InvalidDatasetError(TrialgraphError):
    """The input is not valid BIDS."""

    exit_code = 16


class UsageError(TrialgraphError):
    """The command line does not make sense."""

    exit_code = 64


class UnknownLevelError(TrialgraphError):
    """The analysis level is neither participant nor group."""

    exit_code = 17


class NothingSelectedError(TrialgraphError):
    """The filters select no file."""

    exit_code = 18


class DataError(TrialgraphError):
    """An input was read, and its content is wrong."""

    exit_code = 65


class MissingInputError(TrialgraphError):
    """An input is missing or cannot be read."""

    exit_code = 66


class OutputError(TrialgraphError):
    """The output cannot be created."""

    exit_code = 73


class BusyError(TrialgraphError):
    """Another run works in the same folder; later it may be free."""

    exit_code = 75


class KilledError(TrialgraphError):
    """A process or job ended before it had a result; it may end well next time."""

    exit_code = 75


def _by_exit_code() -> dict[int, str]:
    """Return what each exit code says."""
    found = {TrialgraphError.exit_code: "Failures of several kinds, or a fault of the app."}
    for kind in sorted(TrialgraphError.__subclasses__(), key=lambda kind: kind.exit_code):
        found[kind.exit_code] = f"{found.get(kind.exit_code, '')} {kind.__doc__}".strip()
    return found | {130: "Interrupted.", 143: "Terminated."}


BY_EXIT_CODE = _by_exit_code()
