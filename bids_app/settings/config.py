"""A file of options for both levels, of which the plan may be a section."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bids_app.errors import DataError, UsageError
from bids_app.settings.argument_parser import meant
from bids_app.settings.fields import OPTIONS, option_of
from bids_app.settings.parser import GROUPS, app_parser
from bids_app.settings.plan import Plan, plan_of
from bids_app.settings.plan_keys import SECTIONS, planned_options
from bids_app.system.small_files import read_toml

PLAN = "plan"


class Config(NamedTuple):
    """What a file of options says.

    Attributes
    ----------
    options : dict
        As the command line would have read them, by the name of the option.
    plan : Plan or None
        The section of that name.
    """

    options: dict[str, Any]
    plan: Plan | None


def read_config(path: Path) -> Config:
    """Read a file of options.

    Parameters
    ----------
    path : Path
        A TOML file: names of options, as they are or with underscores, and what the command line would say. They may
        stand in sections that are called like those of a plan, and ``[run]``; ``[plan]`` is the plan itself.

    Returns
    -------
    Config

    Raises
    ------
    MissingInputError
        The file cannot be read.
    UsageError
        It is not TOML, or a name or value is not one that an option has.
    """
    called = f"--config {path}"
    try:
        content = read_toml(path, called=called)
    except DataError as error:
        raise UsageError(str(error)) from error
    try:
        plan = content.pop(PLAN) if isinstance(content.get(PLAN), dict) else None
        options = planned_options(_named(content))
        return Config(options, None if plan is None else plan_of(plan, path))
    except UsageError as error:
        raise UsageError(f"{called}: {error}") from None


def _named(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of each option; refuse names that are none, and one that stands twice."""
    known, found = _known(), dict[str, Any]()
    for section, key, value in _entries(content):
        name = key.replace("-", "_")
        if name not in known:
            where = f" in [{section}]" if section else ""
            raise UsageError(f"{key}{where} is no option{meant(name, known)}; --help-all lists them.")
        option = option_of(name)
        if option in found:
            raise UsageError(f"{key} stands twice.")
        found[option] = value
    return found


def _entries(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    sections = (*SECTIONS.values(), "run")
    for key, value in content.items():
        if not isinstance(value, dict):
            yield "", key, value
        elif key in sections:
            yield from ((key, name, one) for name, one in value.items())
        else:
            raise UsageError(f"[{key}] is no section{meant(key, sections)}; there are {', '.join(sections)}, {PLAN}.")


def _known() -> list[str]:
    """Return the names of the options that a file may hold, and what a plan calls some of them."""
    groups = (group for group in app_parser()._action_groups if group.title in GROUPS)
    options = {action.dest for group in groups for action in group._group_actions} - {"config"}
    return sorted(options | {key for key, option in OPTIONS.items() if option in options})
