"""How an option of the command line is described."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from bids_app.settings.fields import said_default
from bids_app.settings.settings import BY_OPTION

Option = tuple[tuple[str, ...], dict[str, Any]]


class Flatten(argparse.Action):
    """Make one list of the lists that the words were read as."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the list."""
        setattr(namespace, self.dest, [value for some in values or () for value in some])


def option(*names: str, **words: Any) -> Option:
    """Return an option as ``add_argument`` takes it."""
    return names, words


def each(known: Mapping[str, str]) -> str:
    """Say what each choice is."""
    return "; ".join(f"{name}: {what}" for name, what in known.items())


def add_options(parser: argparse.ArgumentParser, title: str, options: Sequence[Option]) -> None:
    """Add a group of options, each with the default and the choices of the setting that it sets.

    A default that is given here depends on other options, or on the machine.
    """
    group = parser.add_argument_group(title)
    for names, words in options:
        action = group.add_argument(*names, **words)
        if of := BY_OPTION.get(action.dest):
            action.choices = of.metadata.get("choices")
            if "default" not in words:
                action.default = said_default(of)
