"""The key of a blinded trial: which letter stands for which arm, sealed by a digest that tells nothing of it."""

import hashlib
import json
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bids_app.errors import DataError, OutputError
from bids_app.settings.named import Call
from bids_app.system.small_files import read_json

SALT_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Key:
    """Which letter stands for which arm, or treatment.

    Attributes
    ----------
    letters : dict of str
        By the arm's name in the tables.
    salt : str
        Random; without it nobody can try the few keys there are against the `digest`.
    call : tuple of str
        The words of the call that drew the key, which `unblind` repeats.
    folder : str
        Where that call was made, which paths among its words are seen from.
    """

    letters: Mapping[str, str]
    salt: str
    call: tuple[str, ...] = ()
    folder: str = ""

    @property
    def digest(self) -> str:
        """What the record holds: SHA-256 of letters and salt, by which a key is known and not found.

        Examples
        --------
        >>> one, other = (Key(letters={"drug": letter}, salt="0") for letter in "AB")
        >>> len(one.digest), one.digest == other.digest
        (64, False)
        """
        sealed = json.dumps([dict(sorted(self.letters.items())), self.salt], ensure_ascii=False)
        return hashlib.sha256(sealed.encode()).hexdigest()

    @property
    def in_use(self) -> tuple[str, ...]:
        """All letters, in their order."""
        return tuple(sorted(self.letters.values(), key=lambda letter: (len(letter), letter)))

    def write(self, path: Path) -> None:
        """Write the key for its owner alone; a file that is there stays as it is.

        Raises
        ------
        OutputError
            It cannot be written, or is there.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"--key {path} cannot be written: {error.strerror or error}.") from error


def draw_key(compared: Collection[str], others: Collection[str] = (), call: Call | None = None) -> Key:
    """Give everyone's arm a letter, by chance.

    Parameters
    ----------
    compared : list of str
        The arms that are compared, which share the first letters.
    others : list of str, optional
        Arms that are in the tables too.
    call : Call, optional
        What `unblind` is to repeat.

    Examples
    --------
    >>> sorted(draw_key(["placebo", "drug"], ["healthy"]).letters.values())
    ['A', 'B', 'C']
    """
    by_chance = secrets.SystemRandom()
    names = [*by_chance.sample(sorted(compared), len(compared)), *by_chance.sample(sorted(others), len(others))]
    letters = {name: letter_of(place) for place, name in enumerate(names)}
    words, folder = (call.words, call.folder) if call else ((), "")
    return Key(letters=letters, salt=secrets.token_hex(SALT_BYTES), call=words, folder=folder)


def letter_of(place: int) -> str:
    """Return a letter by its place in the alphabet, which begins anew with a number.

    Examples
    --------
    >>> letter_of(0), letter_of(27)
    ('A', 'B1')
    """
    return chr(ord("A") + place % 26) + (str(place // 26) if place >= 26 else "")


def read_key(path: Path) -> Key:
    """Read a key.

    Raises
    ------
    MissingInputError, DataError
        It is not there, or is no key.
    """
    content = read_json(path, called=f"--key {path}")
    letters, salt = content.get("letters"), content.get("salt")
    words = content.get("call", [])
    if not (isinstance(letters, dict) and isinstance(salt, str) and isinstance(words, list)):
        raise DataError(f"--key {path} is no key of trialgraph.")
    given = [letter for letter in letters.values() if isinstance(letter, str)]
    if len(set(given)) < len(letters):
        raise DataError(f"--key {path} is no key of trialgraph: every arm has a letter of its own.")
    return Key(letters=letters, salt=salt, call=tuple(map(str, words)), folder=str(content.get("folder", "")))
