"""The one reader of small files: JSON, TOML, YAML and text, of regular files within limits, whatever is in them.

Tables are read by who knows what they mean; what a table can be is looked at here before.
"""

import json
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bids_app.errors import DataError, MissingInputError

MOST_BYTES = 64 * 1024**2  # of a description, a sidecar, a table of settings: thousands of times what such files hold
MOST_DEPTH = 100
MOST_OF_TABLE = 512 * 1024**2  # series of a thousand parcels at ten thousand volumes have 100 MB
MOST_OF_LINE, MOST_COLUMNS = 4 * 1024**2, 20_000
NOT_REGULAR = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISDIR, "a folder"), (stat.S_ISSOCK, "a socket"))


class LackingError(DataError, KeyError):
    """A key that a file of ours lacks; for who asks whether it is there, as templates do, a `KeyError`."""

    __str__ = Exception.__str__


class Record(dict[str, Any]):
    """The content of a JSON file; a key that is not there is a fault of the file, which is named."""

    def __init__(self, content: Mapping[str, Any], path: Path, mend: str) -> None:
        super().__init__(content)
        self.path, self.mend = path, mend

    def __missing__(self, key: str) -> Any:
        raise LackingError(f"{self.path} lacks {key}: it is damaged, or of another version of trialgraph. {self.mend}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Record, (dict(self), self.path, self.mend))


def regular(path: Path, *, called: str | None = None, most: float = MOST_BYTES) -> None:
    """Refuse what is no regular file, or larger than a file of its kind can be, without opening it.

    Raises
    ------
    MissingInputError
        It is not there, or cannot be looked at.
    DataError
        It is a folder, a pipe, a device, or too large.
    """
    called = called or str(path)
    try:
        found = path.stat()
    except OSError as error:
        raise MissingInputError(f"{called}: {error.strerror}.") from error
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for fits, name in NOT_REGULAR if fits(found.st_mode)), "a device")
        raise DataError(f"{called} is {kind}, not a file.")
    if found.st_size > most:
        raise DataError(
            f"{called} has {found.st_size / 1024**2:.0f} MB; at most {most / 1024**2:.0f} MB are read of such a file."
        )


def require_table(path: Path, *, called: str | None = None) -> None:
    """Refuse a file that no table of rows and columns can be, before a library takes it into memory.

    Raises
    ------
    MissingInputError, DataError
        As `regular`; DataError also if a line is longer, or the first has more columns, than those of any table.
    """
    called = called or str(path)
    regular(path, called=called, most=MOST_OF_TABLE)
    try:
        with path.open("rb") as file:
            first = line = file.readline(MOST_OF_LINE + 1)
            while line and len(line) <= MOST_OF_LINE:
                line = file.readline(MOST_OF_LINE + 1)
    except OSError as error:
        raise MissingInputError(f"{called}: {error.strerror}.") from error
    if line:
        raise DataError(f"{called} is no table: it has a line of more than {MOST_OF_LINE // 1024**2} MB.")
    n_columns = 1 + max(map(first.count, (b"\t", b",", b";")))
    if n_columns > MOST_COLUMNS:
        raise DataError(f"{called} has {n_columns} columns; at most {MOST_COLUMNS} are read of a table.")


def read_text(path: Path, *, called: str | None = None, most: float = MOST_BYTES) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises
    ------
    MissingInputError, DataError
        As `regular`; DataError also if it is not UTF-8.
    """
    regular(path, called=called, most=most)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise MissingInputError(f"{called or path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{called or path} is not text in UTF-8 ({error}).") from error


OBJECT = "names and their values are needed, as an object"


def read_json(path: Path, *, called: str | None = None, must: str = OBJECT) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Parameters
    ----------
    path : Path
    called : str, optional
        What messages call it; its path by default.
    must : str, optional
        What messages say if it holds something else than an object.

    Returns
    -------
    dict

    Raises
    ------
    MissingInputError, DataError
        As `read_text`; DataError also if it is not JSON, is nested deeper than `MOST_DEPTH`, or holds something else.
    """
    return _parsed(path, called, "JSON", json.loads, must)


def read_toml(path: Path, *, called: str | None = None) -> dict[str, Any]:
    """Read a TOML file, as `read_json`."""
    return _parsed(path, called, "TOML", tomllib.loads)


def read_yaml(path: Path, *, called: str | None = None) -> dict[str, Any]:
    """Read a YAML (or JSON) file, as `read_json`."""
    import yaml  # here, so that a call without such a file does not wait for it

    def load(text: str) -> Any:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error

    return _parsed(path, called, "YAML or JSON", load)


def read_record(path: Path, mend: str) -> Record:
    """Read a JSON file that trialgraph wrote.

    Parameters
    ----------
    path : Path
    mend : str
        A sentence that says what to do if it is damaged.

    Returns
    -------
    Record

    Raises
    ------
    DataError
        It is missing or damaged; later, if a key is asked for that it does not have.
    """
    try:
        return Record(read_json(path), path, mend)
    except (MissingInputError, DataError) as error:
        raise DataError(f"{path} is missing or damaged ({error}) {mend}") from error


def _parsed(
    path: Path, called: str | None, kind: str, load: Callable[[str], Any], must: str = OBJECT
) -> dict[str, Any]:
    text, called = read_text(path, called=called), called or str(path)
    try:
        content = load(text)
        _check(content)
    except (ValueError, OverflowError) as error:  # also of a number of too many digits
        raise DataError(f"{called}: not valid {kind} ({error}).") from error
    except RecursionError:
        raise DataError(f"{called}: nested too deeply to be {kind} of this kind.") from None
    if not isinstance(content, dict):
        raise DataError(f"{called}: {must}; it is {_kind_of(content)}.")
    return content


def _kind_of(content: object) -> str:
    return {list: "a list", str: "text", type(None): "empty"}.get(type(content), f"{content!r}"[:40])


def _check(content: object, depth: int = 0, seen: set[int] | None = None) -> None:
    """Refuse what could not be written again: text that is no Unicode, whole numbers beyond all use, and depth.

    What YAML repeats by name is one object, and is looked at once.
    """
    seen = set() if seen is None else seen
    if depth > MOST_DEPTH:
        raise RecursionError
    if isinstance(content, (dict, list)):
        if id(content) in seen:
            return
        seen.add(id(content))
    if isinstance(content, str):
        content.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
    elif isinstance(content, int) and abs(content) >= 2**63:
        raise ValueError(f"a whole number of {len(str(content))} digits")
    elif isinstance(content, dict):
        for key, value in content.items():
            _check(key, depth + 1, seen)
            _check(value, depth + 1, seen)
    elif isinstance(content, list):
        for value in content:
            _check(value, depth + 1, seen)
