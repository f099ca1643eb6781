"""Which files and folders a call names, by what its parser reads each word as. Imports nothing heavy."""

import argparse
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bids_app.errors import TrialgraphError
from bids_app.settings import words
from bids_app.settings.argument_parser import Given
from bids_app.settings.atlas_source import DEBIAN, find_atlas
from bids_app.settings.fields import option_of
from bids_app.settings.parser import app_parser


class Named(NamedTuple):
    """A file or folder that a call names.

    Attributes
    ----------
    path : Path
        Absolute, as it was written otherwise.
    writes : {"nothing", "file", "folder"}
        Whether it is read only, written as a file, or a folder that is written into.
    """

    path: Path
    writes: Literal["nothing", "file", "folder"] = "nothing"


def _of_atlas(word: str) -> list[Named]:
    """Return the files of an atlas with their folders, where tables of names may lie beside."""
    with suppress(TrialgraphError):  # an atlas that only the image has; what is missing is said where it is read
        found = (Path(one) for part in find_atlas(word).parts for one in (part.what, part.labels) if one)
        files = [path for path in found if path.is_absolute() and path.parent != DEBIAN]
        return [Named(one) for path in files for one in ([path.parent] if path.is_file() else []) + [path]]
    return []


def _of_options(word: str) -> list[Named]:
    """Return a file of options, or a plan, with the files that its options name."""
    path = words.as_path(word)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # which is said where it is read
        return [Named(path)]
    read_as = {action.dest: NAMED_BY[action.type] for action in app_parser()._actions if action.type in NAMED_BY}
    told = [one for name, text in _told(content) if name in read_as for one in read_as[name](text)]
    return [Named(path), *told]


def _told(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return each text of a TOML file with the name of the option that it is of; sections are left aside."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _told(value)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield option_of(key.replace("-", "_")), one


class Understood(NamedTuple):
    """What a parser made of a call.

    Attributes
    ----------
    named : list of Named
    options : argparse.Namespace
        What was said, and None of every other.
    more : list of str
        The words that it does not know.
    """

    named: list[Named]
    options: argparse.Namespace
    more: list[str]


# By what a parser reads a word as: what the word names.
NAMED_BY: dict[Any, Callable[[str], list[Named]]] = {
    words.as_path: lambda word: [Named(words.as_path(word))],
    words.as_output: lambda word: [Named(words.as_output(word), "folder")],
    words.as_new_file: lambda word: [Named(words.as_new_file(word), "file")],
    words.as_listing: lambda word: [Named(words.as_listing(word).parent), Named(words.as_listing(word))],
    words.as_options: _of_options,
    words.as_atlas: _of_atlas,
    words.as_named_path: lambda word: [Named(words.as_named_path(word).path)],
    words.as_region: lambda word: [Named(mask)] if (mask := words.as_region(word).mask) else [],
    words.as_mask: lambda word: [] if words.as_mask(word) == word and "/" not in word else [Named(words.as_path(word))],
    words.as_labels: lambda word: [Named(words.as_path(word))] if words.names_labels(word) else [],
}


def named_paths(parser: argparse.ArgumentParser, argv: Sequence[str]) -> Understood:
    """Find the files and folders that a call names.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        A new one: it is changed.
    argv : list of str

    Returns
    -------
    Understood

    Raises
    ------
    UsageError
        The parser does not understand the call.

    Examples
    --------
    >>> from bids_app.settings.parser import demo_parser
    >>> named_paths(demo_parser(), ["/data/out", "--n-cpus", "2"]).named
    [Named(path=PosixPath('/data/out'), writes='folder')]
    """
    found: list[Named] = []
    for action in _actions(parser):
        if action.type in NAMED_BY:
            action.type = _noting(action.type, found)
    options, more = parser.parse_known_args(list(argv), Given())
    return Understood(list(dict.fromkeys(found)), options, more)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Return every action of a parser and of those within it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)


def _noting(read: Any, found: list[Named]) -> Callable[[str], Any]:
    """Return a reader of words that notes what each names."""

    def noting(word: str) -> Any:
        found.extend(NAMED_BY[read](word))
        return read(word)

    noting.__name__ = read.__name__  # which argparse says where a word does not fit
    return noting
