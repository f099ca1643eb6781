"""The names that version 2.0 of the BIDS Apps execution specification has for folders, levels and options."""

import argparse
import re
from collections.abc import Sequence

from bids_app.errors import UsageError

LEVEL_NAMES = {"subject": "participant", "dataset": "group"}
PLACES = ("--input-dataset", "--output-location", "--analysis-level")
# By the name of an option: its id in a descriptor. The others are called as they are, in CamelCase.
IDS = {
    "bids_dir": "InputDataset",
    "output_dir": "OutputLocation",
    "level": "AnalysisLevel",
    "participant_label": "SubjectLabel",
    "session_label": "SessionLabel",
    "task_id": "TaskLabel",
    "space": "SpaceLabel",
    "res": "ResolutionLabel",
}


def execution_id(name: str) -> str:
    """Return the id of an option in a descriptor of version 2.0.

    Examples
    --------
    >>> execution_id("participant_label"), execution_id("n_cpus")
    ('SubjectLabel', 'NCpus')
    """
    return IDS.get(name, "".join(word.capitalize() for word in name.split("_")))


def dashed(argv: Sequence[str]) -> list[str]:
    """Read --option_name as --option-name."""
    return [
        re.sub(r"^--[^=]+", lambda name: name.group().replace("_", "-"), word) if word.startswith("--") else word
        for word in argv
    ]


def as_placed(argv: Sequence[str]) -> list[str]:
    """Read what the specification calls folders and levels as the app does.

    Parameters
    ----------
    argv : list of str
        The arguments of a run, not of another command.

    Returns
    -------
    list of str
        The dataset, the output folder and the level in their places. Of several datasets the first is analysed, the
        others hold preprocessed data.

    Raises
    ------
    UsageError
        If some of the three are named by flags and others are missing, or preprocessed data are named twice.

    Examples
    --------
    >>> as_placed(["bids", "out", "subject", "--n-cpus", "2"])
    ['bids', 'out', 'participant', '--n-cpus', '2']
    >>> as_placed(["--input-dataset", "bids", "prep", "--output-location", "out", "--analysis-level", "dataset"])
    ['bids', 'out', 'group', '--derivatives', 'prep']
    """
    if not any(word.partition("=")[0] in PLACES for word in argv):
        return [*argv[:2], *(LEVEL_NAMES.get(word, word) for word in argv[2:3]), *argv[3:]]
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--input-dataset", nargs="+")
    parser.add_argument("--output-location", nargs="?")
    parser.add_argument("--analysis-level", nargs="?")
    found, rest = parser.parse_known_args(argv)
    told = (found.input_dataset, found.output_location, found.analysis_level)
    if missing := [name for name, value in zip(PLACES, told, strict=True) if not value]:
        raise UsageError(f"{', '.join(missing)} not given: {', '.join(PLACES)} go together.")
    dataset, *others = found.input_dataset
    if others and {"--derivatives", "-d"} & {word.partition("=")[0] for word in rest}:
        raise UsageError(
            "preprocessed data are named by --input-dataset and by --derivatives: name all by one of them."
        )
    level = LEVEL_NAMES.get(found.analysis_level, found.analysis_level)
    return [dataset, found.output_location, level, *rest, *(["--derivatives", *others] if others else [])]
