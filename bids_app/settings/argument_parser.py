"""A parser that asks what was meant, and whose help fits on a page."""

import argparse
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from bids_app.errors import UsageError
from bids_app.settings.everyday import LEVEL_OF, LEVELS


class Given(argparse.Namespace):
    """What the command line says, and nothing else: that it knows every name keeps the defaults of the parser out."""

    def __getattr__(self, name: str) -> None:
        """Say that nothing is said."""
        if name.startswith("_"):
            raise AttributeError(name)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Show the defaults that say something, as they would be given, and which level a group of options is for."""

    def start_section(self, heading: str | None) -> None:
        """Begin a group of options."""
        level = LEVEL_OF.get(heading or "")
        super().start_section(f"{heading} [{level}]" if level else heading)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if action.help is None or default in (None, False, [], argparse.SUPPRESS) or not action.option_strings:
            return action.help
        said = " ".join(map(str, default)) if isinstance(default, list) else str(default)
        return f"{action.help} (default: {said.replace('%', '%%')})"


class Parser(argparse.ArgumentParser):
    """A parser that leaves with the exit code for a wrong call (64) in place of argparse's 2."""

    def error(self, message: str) -> NoReturn:
        """Raise in place of leaving."""
        raise UsageError(f"{message}. See {self.prog} --help.")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments; of those that are unknown say what may be meant."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
            near = [meant(option, self._option_string_actions) for option in options]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(near)}")
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = list(map(str, action.choices))
            said = f"invalid choice: {value!r}{meant(str(value), choices)}; it is one of {', '.join(choices)}"
            raise argparse.ArgumentError(action, said)


def meant(word: str, known: Sequence[str] | Any) -> str:
    """Ask whether one of the known words is meant.

    Examples
    --------
    >>> meant("--treshold", ["--threshold", "--atlas"]), meant("xyz", ["--atlas"])
    (' (did you mean --threshold?)', '')
    """
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


class Help(argparse.Action):
    """Print the help of all, or of the level that is named before, and leave."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, *, print_help: Callable[[str | None], str], help: str
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self.print_help = print_help

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print and leave."""
        first = getattr(namespace, "bids_dir", None)
        said = (getattr(namespace, "level", None), first.name if first else None)
        print(self.print_help(next((level for level in LEVELS if level in said), None)), end="")
        parser.exit()
