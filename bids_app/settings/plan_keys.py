"""What a plan can say: every option that changes a result is a key of it, read from the parser itself."""

import argparse
from collections.abc import Mapping
from typing import Any

from bids_app.errors import UsageError
from bids_app.settings.fields import OPTIONS, option_of
from bids_app.settings.parser import app_parser

IN_PARTS = {  # one option holds what is primary, then what is secondary
    "metrics": ("metric", "secondary_metrics"),
    "outcomes": ("primary_outcomes", "secondary_outcomes"),
}
SECTIONS = {
    "which scans": "scans",
    "cleaning the signal": "signal",
    "the graph": "graph",
    "the graph of parcels": "parcels",
    "the trial": "trial",
    "the comparison": "analysis",
    "clinical outcomes": "outcomes",
}
_ELSEWHERE = {"population": "trial", "map_values": "graph", "n_permutations": "analysis", "seed": "analysis"}
# What no plan needs to say, and why.
NOT_PLANNED = {
    "bids_dir": "where the data lie",
    "output_dir": "where the results go",
    "level": "both levels belong to one analysis",
    "plan": "it is the plan",
    "config": "what it says are options, which are planned themselves",
    "adopted": "it says which options came from the participant level; these are planned themselves",
    "departed": "it is what the comparison with the plan found",
    **dict.fromkeys(("look", "interim"), "all looks are planned; which of them it is differs from run to run"),
    "estimator_told": "the estimator itself is planned",
    **dict.fromkeys(("help", "help_all", "version", "bids_exec_spec"), "prints and leaves"),
    **dict.fromkeys(("work_dir", "keep_work_dir"), "intermediate files; results do not depend on them"),
    **dict.fromkeys(
        ("n_cpus", "omp_nthreads", "mem_gb", "nipype_plugin_file", "plugin"),
        "the machine; the same seed gives the same result on any number of processes and threads",
    ),
    **dict.fromkeys(
        ("skip_bids_validation", "skip_validation"), "the validator says whether to go on; it changes no number"
    ),
    **dict.fromkeys(("dry_run", "reports_only"), "nothing is computed"),
    **dict.fromkeys(("blind", "key", "call"), "it says who may know the arms meanwhile"),
    "stop_on_first_crash": "a scan that fails is left out and said either way",
    **dict.fromkeys(("notrack", "verbose"), "what is said, not what is done"),
}


def planned_actions() -> dict[str, dict[str, argparse.Action]]:
    """Return the options that a plan can settle.

    Returns
    -------
    dict of dict of argparse.Action
        By section and key.
    """
    keys = {option: key for key, option in OPTIONS.items()}
    found: dict[str, dict[str, argparse.Action]] = {}
    for group in app_parser()._action_groups:
        for action in group._group_actions:
            key = keys.get(action.dest, action.dest)
            if group.title in SECTIONS and action.dest not in (*NOT_PLANNED, *IN_PARTS):
                found.setdefault(_ELSEWHERE.get(key, SECTIONS[group.title]), {})[key] = action
    return found


def planned_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read the values of a plan as the command line would read them.

    Parameters
    ----------
    values : dict
        Of the plan, by key; ``metrics`` and ``outcomes`` as lists.

    Returns
    -------
    dict
        By the name of the option.

    Raises
    ------
    UsageError
        An option does not take such a value.

    Examples
    --------
    >>> planned_options({"seed": 3, "hc3": True, "bandpass": "off", "population": "all", "voxel_size": 4})
    {'random_seed': 3, 'hc3': True, 'bandpass': ['off'], 'participant_label': [], 'voxel_size': 4}
    """
    parser = app_parser()
    actions = {action.dest: action for action in parser._actions}
    read = {}
    for name, value in values.items():
        action = actions[option_of(name)]
        nothing = value is False or value == [] or value == () or (name, value) == ("population", "all")
        if nothing and action.nargs != 0 and not action.default:
            read[action.dest] = action.default
        else:
            options = parser.parse_args(["bids", "out", "group", *_words(action, value)])
            read[action.dest] = getattr(options, action.dest)
    return read


def _words(action: argparse.Action, value: Any) -> list[str]:
    """Return what the command line would say; a switch that stays as it is says nothing."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{action.dest} must be true or false, not {value!r}.")
        return [action.option_strings[0]] if value is action.const else []
    value = "off" if value is False else value
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    if wrong := [one for one in listed if not _fits(one)]:
        raise UsageError(f"{action.dest} must be text, a number, or a list of them, not {wrong[0]!r}.")
    return [action.option_strings[0], *map(str, listed)]


def _fits(value: object) -> bool:
    """Say whether a value is a word that the parser does not take for an option."""
    if isinstance(value, str):
        return bool(value) and not value.startswith("-")
    return isinstance(value, (int, float)) and not isinstance(value, bool)
