"""The sections of a plan that say its objectives and what the trial as a whole is, read key by key."""

from collections.abc import Callable, Collection
from dataclasses import fields
from typing import Any, TypeVar

from bids_app.errors import UsageError
from bids_app.graph.measures import GLOBALS
from bids_app.settings.argument_parser import meant
from bids_app.settings.objectives import (
    CORRECTIONS,
    HEDGES_G,
    OF_OBJECTIVE,
    STRATEGIES,
    SUMMARIES,
    Event,
    Objective,
    Protocol,
)

Part = TypeVar("Part")
_OF_CHOICES = {
    "role": OF_OBJECTIVE,
    "summary": (*SUMMARIES, HEDGES_G),
    "strategy": tuple(STRATEGIES),
    "whole_graph": tuple(GLOBALS),
    "correction": tuple(CORRECTIONS),
}


def objective_of(content: object, number: int) -> Objective:
    """Return an objective of the file.

    Parameters
    ----------
    content : object
        A section ``[[objective]]``.
    number : int
        Which one, from 1, for what is said of it.

    Raises
    ------
    UsageError
        A key or value is not one that an objective has.
    """
    called = f"objective {number}"
    if not isinstance(content, dict):
        raise UsageError(f"{called} must be a section, [[objective]], not {content!r}.")
    content = dict(content)
    events = content.pop("event", [])
    if not isinstance(events, list):
        raise UsageError(f"{called}: events are sections, [[objective.event]].")
    if "visit" in content and isinstance(content["visit"], str):
        content["visit"] = content["visit"].removeprefix("ses-")
    read = tuple(_part(Event, one, f"event {n} of {called}") for n, one in enumerate(events, 1))
    found: Objective = _part(Objective, content, called, without=("events",), events=read)
    return found


def protocol_of(content: object) -> Protocol:
    """Return what the section ``[protocol]`` says.

    Raises
    ------
    UsageError
        A key or value is not one that it has.
    """
    return _part(Protocol, content, "protocol")


def _part(kind: type[Part], content: object, called: str, without: Collection[str] = (), **made: Any) -> Part:
    """Return a part of the plan, each value of its type."""
    if not isinstance(content, dict):
        raise UsageError(f"{called} must be a section, not {content!r}.")
    known = {one.name: one for one in fields(kind) if one.name not in without}  # type: ignore[arg-type]
    for key in content:
        if key not in known:
            raise UsageError(f"unknown key in {called}: {key}{meant(key, list(known))}; known are {', '.join(known)}.")
    if lacking := [name for name in ("name", "role", "strategy") if name in known and name not in content]:
        raise UsageError(f"{called} has no {lacking[0]}.")
    return kind(**{key: _value(key, value, str(known[key].type), called) for key, value in content.items()}, **made)


# By what the type of a field holds: what a value must be, in words and as a test.
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "dict": ("whole numbers by arm", lambda value: isinstance(value, dict) and all(map(_counts, value.values()))),
    "tuple": ("a list of texts", lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value)),
    "float": ("a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "str": ("text", lambda value: isinstance(value, str) and bool(value.strip())),
}


def _counts(value: object) -> bool:
    return type(value) is int and value > 0


def _value(key: str, value: Any, kind: str, called: str) -> Any:
    """Return a value as it is kept, or refuse it."""
    wanted, fits = next(one for name, one in _KINDS.items() if name in kind)
    if not fits(value):
        raise UsageError(f"{called}: {key} must be {wanted}, not {value!r}.")
    choices = _OF_CHOICES.get(key)
    if choices and value not in choices:
        raise UsageError(f"{called}: {key} = {value!r}{meant(str(value), choices)}: it is one of {', '.join(choices)}.")
    return tuple(value) if isinstance(value, list) else value
