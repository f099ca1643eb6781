"""The call that a key was drawn by, without its blinding. Imports nothing heavy."""

from collections.abc import Sequence
from pathlib import Path

from bids_app.errors import UsageError
from bids_app.settings.parser import read_given
from bids_app.trial.blinding_key import Key


def call_again(key: Key, output_dir: Path, plan: Path | None = None, bids_dir: Path | None = None) -> list[str]:
    """Return the call of a key without its blinding, on a folder and by a plan.

    Examples
    --------
    >>> key = Key(letters={}, salt="", call=("/bids", "/out", "group", "--blind", "--key", "/k", "--alpha", "0.01"))
    >>> call_again(key, Path("/new"), Path("/plan.toml"))
    ['/bids', '/new', 'group', '--alpha', '0.01', '--plan', '/plan.toml']
    """
    if not key.call:
        raise UsageError("The key does not say how it was drawn: give one that a blinded call wrote.")
    given = read_given(key.call)
    drop = ("--blind", "--key", *(["--plan"] if plan else []))
    words = _without(key.call, drop)
    places = [str(given["bids_dir"]), str(given["output_dir"])]
    return [str(bids_dir or places[0]), str(output_dir), "group", *words[3:], *(["--plan", str(plan)] if plan else [])]


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Leave out options with what follows each of them."""
    kept, leaving = [], False
    for word in words:
        if word.startswith("-") and not word[1:2].isdigit():
            leaving = word.partition("=")[0] in options
        if not leaving:
            kept.append(word)
    return kept
