"""What a setting is: its default, its range or choices, and what it is called elsewhere."""

import math
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, field
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Range(NamedTuple):
    """Which numbers a setting may have, and how that is said."""

    fits: Callable[[float], bool]
    words: str


R_VALUE = Range(lambda value: 0 <= value < 1, "at least 0 and below 1")
SHARE = Range(lambda value: 0 < value <= 1, "above 0 and at most 1")
PROBABILITY = Range(lambda value: 0 < value < 1, "above 0 and below 1")
ABOVE_0 = Range(lambda value: 0 < value < math.inf, "above 0")
# Of these, infinity is a setting: no volume is censored, every edge is short-range, memory is not looked at.
ABOVE_0_MM = Range(lambda value: value > 0, "above 0 mm")
ABOVE_0_GB = Range(lambda value: value > 0, "above 0 GB")


def at_least(least: int, unit: str = "") -> Range:
    """Return the range of finite numbers from `least` on."""
    return Range(lambda value: least <= value < math.inf, f"{least} {unit} or more".replace("  ", " "))


def setting(
    default: T, allowed: Range | None = None, *, choices: Collection[Any] | None = None, said: str | None = None
) -> T:
    """Return a field of the settings: the one place of its default and of what is allowed.

    Parameters
    ----------
    default : object
    allowed : Range, optional
        Of the number, or of each of several.
    choices : collection, optional
    said : str, optional
        How the command line says the default, where that is not how the settings keep it.
    """
    made: T = field(default=default, metadata={"allowed": allowed, "choices": choices, "said": said})
    return made


def said_default(of: Field[Any]) -> Any:
    """Return a default in the form of the command line."""
    said = of.metadata.get("said")
    if said is not None or of.default is MISSING:
        return said
    return list(of.default) if isinstance(of.default, tuple) else of.default


def out_of_range(of: Field[Any] | None, value: object) -> list[tuple[float, str]]:
    """Return the numbers of a value that are not allowed, each with what is; text and switches are none.

    Examples
    --------
    >>> from bids_app.settings.settings import BY_OPTION
    >>> out_of_range(BY_OPTION["threshold"], (0.2, 1.2)), out_of_range(BY_OPTION["voxel_size"], "native")
    ([(1.2, 'at least 0 and below 1')], [])
    """
    allowed = of.metadata.get("allowed") if of else None
    listed = value if isinstance(value, (tuple, list)) else (value,)
    numbers = [one for one in listed if isinstance(one, (int, float)) and not isinstance(one, bool)]
    return [(one, allowed.words) for one in numbers if allowed and not allowed.fits(one)]


# Where a key, or the name of a departure, is not called like its option.
OPTIONS = {
    "reference": "reference_arm",
    "seed": "random_seed",
    "population": "participant_label",
    "sessions": "session_label",
    "task": "task_id",
    "resolution": "res",
    "filters": "bids_filter_file",
    "meshes": "surface",
}
# Where a field of the settings is not called like its key.
FIELDS = {
    "participants": "population",
    "mode": "preprocess",
    "thresholds": "threshold",
    "densities": "density",
    "atlases": "atlas",
    "matrices": "matrix",
    "reference_arm": "reference",
    "random_seed": "seed",
}


def option_of(name: str) -> str:
    """Return the name of the option that a key of a plan is about.

    Examples
    --------
    >>> option_of("population"), option_of("hc3")
    ('participant_label', 'hc3')
    """
    return OPTIONS.get(name, name)


def flag(option: str) -> str:
    """Write the name of an option as the command line has it.

    Examples
    --------
    >>> flag("voxel_size")
    '--voxel-size'
    """
    return f"--{option.replace('_', '-')}"
