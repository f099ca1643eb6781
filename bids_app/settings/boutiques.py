"""The Boutiques descriptor of the app, made from its parser."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from bids_app import __version__
from bids_app.errors import BY_EXIT_CODE
from bids_app.settings.execution_names import LEVEL_NAMES, PLACES, execution_id

IMAGE = f"bids/trialgraph:{__version__}"
# Of one scan at 3 mm: docs/hpc.md.
RESOURCES = {"cpu-cores": 2, "ram": 4, "walltime-estimate": 600}
SEVERAL = "; of several the first is analysed, and the others, in any order, hold preprocessed data"


def descriptor_json(parser: argparse.ArgumentParser, execution: str = "2.0") -> str:
    """Return the descriptor as text, as committed and as ``--bids-exec-spec`` prints it."""
    return json.dumps(descriptor(parser, execution), indent=2, ensure_ascii=False)


def descriptor(parser: argparse.ArgumentParser, execution: str = "2.0") -> dict[str, Any]:
    """Describe a parser of a BIDS App in the Boutiques schema 0.5.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Its three positional arguments are dataset, output, level.
    execution : {"2.0", "1.0"}, optional
        Version of the BIDS Apps execution specification. By 1.0 everything is called as the option is.

    Returns
    -------
    dict
    """
    name_of = str if execution == "1.0" else execution_id
    options = [action for action in parser._actions if _is_option(action)]
    places = [action for action in parser._actions if not action.option_strings]
    inputs = [*(_positional(one, name_of) for one in places), *(_option(one, name_of) for one in options)]
    if execution == "2.0":
        for entry, flag in zip(inputs, PLACES, strict=False):
            entry["command-line-flag"] = flag
        inputs[0] |= {"list": True, "description": inputs[0]["description"] + SEVERAL}
        inputs[2]["value-choices"] = list(LEVEL_NAMES)
        inputs += [_leaving("Help", "--help", "say what most calls need, and leave")]
        inputs += [_leaving("ToolVersion", "--version", "print the version, and leave")]
    key = "output_dir" if execution == "1.0" else "OutputLocation"
    return {
        "name": "trialgraph",
        "description": parser.description,
        "tool-version": __version__,
        "schema-version": "0.5",
        "command-line": " ".join(["/run.py", *(entry["value-key"] for entry in inputs)]),
        "container-image": {"type": "docker", "image": IMAGE},
        "inputs": inputs,
        "output-files": [
            {
                "id": "output",
                "name": "Output folder",
                "description": "A BIDS derivative: maps, tables, pages and logs",
                "path-template": _key(key),
            }
        ],
        "error-codes": [{"code": code, "description": what} for code, what in BY_EXIT_CODE.items()],
        "suggested-resources": RESOURCES,
        "tags": {"domain": ["neuroinformatics", "fmri"]},
        # The text of the specification asks for either name.
        "custom": {"BIDSApplicationVersion": execution, "BIDSAppSpecVersion": execution},
    }


def _leaving(name: str, flag: str, what: str) -> dict[str, Any]:
    """Describe what prints and leaves."""
    about = {"id": name, "name": name, "description": what, "optional": True, "type": "Flag"}
    return about | {"value-key": _key(name), "command-line-flag": flag}


def leaving_words(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options that print something and leave.

    Examples
    --------
    >>> from bids_app.settings.parser import demo_parser
    >>> sorted(leaving_words(demo_parser()))
    ['--help', '-h']
    """
    return {name for action in parser._actions if _leaves(action) for name in action.option_strings}


def _leaves(action: argparse.Action) -> bool:
    return (action.nargs == 0 and action.default is argparse.SUPPRESS) or action.dest == "bids_exec_spec"


def _is_option(action: argparse.Action) -> bool:
    """Leave out the positionals, and what prints and leaves."""
    return bool(action.option_strings) and not _leaves(action)


def _key(name: str) -> str:
    """Return what stands for an argument in the command line: brackets keep one from being a part of another."""
    return f"[{name.upper() if name.islower() else name}]"


def _positional(action: argparse.Action, name_of: Callable[[str], str]) -> dict[str, Any]:
    entry = {
        "id": name_of(action.dest),
        "name": action.dest,
        "description": (action.help or "").replace("%%", "%"),
        "type": "File" if action.dest == "bids_dir" else "String",
        "value-key": _key(name_of(action.dest)),
    }
    return entry | ({"value-choices": ["participant", "group"]} if action.dest == "level" else {})


def _option(action: argparse.Action, name_of: Callable[[str], str]) -> dict[str, Any]:
    entry = {
        "id": name_of(action.dest),
        "name": action.dest,
        "description": (action.help or "").replace("%%", "%") + _default(action),
        "optional": True,
        "type": _type(action),
        "value-key": _key(name_of(action.dest)),
        "command-line-flag": next(name for name in action.option_strings if name.startswith("--")),
    }
    if entry["type"] == "Number":
        entry["integer"] = action.type is int
    if action.choices:
        entry["value-choices"] = list(action.choices)
    if action.nargs == "+":
        entry["list"] = True
    return entry


def _type(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "Flag"
    return "Number" if action.type in (int, float) else "String"


def _default(action: argparse.Action) -> str:
    """Say a default that says something, in the form in which it would be given.

    It is no ``default-value``: what runs descriptors gives each of those on the command line, where it would go before
    a plan, and before what the participant level was given.
    """
    if action.nargs == 0 or action.default is None or action.default == []:
        return ""
    several = isinstance(action.default, list)
    return f" (default: {' '.join(map(str, action.default)) if several else action.default})"
