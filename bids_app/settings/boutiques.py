"""The Boutiques descriptor of the app, made from its parser."""

import argparse
import json
from typing import Any

from bids_app import __version__


def descriptor_json(parser: argparse.ArgumentParser) -> str:
    """Return the descriptor as text, as committed and as ``--bids-exec-spec`` prints it."""
    return json.dumps(descriptor(parser), indent=2, ensure_ascii=False)


def descriptor(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Describe a parser of a BIDS App in the Boutiques schema 0.5.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Its three positional arguments are dataset, output, level.

    Returns
    -------
    dict
    """
    options = [action for action in parser._actions if _is_option(action)]
    places = [action for action in parser._actions if not action.option_strings]
    return {
        "name": "trialgraph",
        "description": parser.description,
        "tool-version": __version__,
        "schema-version": "0.5",
        "command-line": " ".join(["/run.py", "[BIDS_DIR] [OUTPUT_DIR] [LEVEL]", *map(_key, options)]),
        "container-image": {"type": "docker", "image": f"bids/trialgraph:{__version__}"},
        "inputs": [*map(_positional, places), *map(_option, options)],
        "output-files": [
            {
                "id": "output",
                "name": "Output folder",
                "description": "A BIDS derivative: maps, tables, pages and logs",
                "path-template": "[OUTPUT_DIR]",
            }
        ],
        "tags": {"domain": ["neuroinformatics", "fmri"]},
        # The name of the released Boutiques schema, and that of the draft of the execution specification.
        "custom": {"BIDSApplicationVersion": "1.0", "BIDSAppSpecVersion": "0.1.0"},
    }


def _is_option(action: argparse.Action) -> bool:
    """Leave out the positionals, and what prints and leaves."""
    leaves = (action.nargs == 0 and action.default is argparse.SUPPRESS) or action.dest == "bids_exec_spec"
    return bool(action.option_strings) and not leaves


def _key(action: argparse.Action) -> str:
    return f"[{action.dest.upper()}]"


def _positional(action: argparse.Action) -> dict[str, Any]:
    entry = {
        "id": action.dest,
        "name": action.dest,
        "description": (action.help or "").replace("%%", "%"),
        "type": "File" if action.dest == "bids_dir" else "String",
        "value-key": _key(action),
    }
    return entry | ({"value-choices": ["participant", "group"]} if action.dest == "level" else {})


def _option(action: argparse.Action) -> dict[str, Any]:
    entry = {
        "id": action.dest,
        "name": action.dest,
        "description": (action.help or "").replace("%%", "%"),
        "optional": True,
        "type": _type(action),
        "value-key": _key(action),
        "command-line-flag": next(name for name in action.option_strings if name.startswith("--")),
    }
    if entry["type"] == "Number":
        entry["integer"] = action.type is int
    if action.choices:
        entry["value-choices"] = list(action.choices)
    if action.nargs == "+":
        entry["list"] = True
    return entry | _default(action)


def _type(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "Flag"
    return "Number" if action.type in (int, float) else "String"


def _default(action: argparse.Action) -> dict[str, Any]:
    """Name a default that says something, in the form in which it would be given."""
    if action.nargs == 0 or action.default is None or action.default == []:
        return {}
    if action.type in (int, float):
        return {"default-value": action.default}
    several = isinstance(action.default, list)
    return {"default-value": list(map(str, action.default)) if several else str(action.default)}
