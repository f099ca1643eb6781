"""The options that the group level takes from what the participant level was given."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bids_app.errors import TrialgraphError, UsageError
from bids_app.settings.fields import flag, option_of
from bids_app.settings.settings import Graph, ParcelGraph, Settings, Signal, keyed_fields
from bids_app.system.small_files import read_json

# The options that say which results are read. Task, space and atlases are those that there are results of, whichever
# call made them.
CHOOSING = (
    *("voxel_size", "smooth_maps", "metrics", "threshold", "density"),
    *("matrix", "negative", "backbone", "parcel_metrics", "parcel_threshold", "parcel_density"),
)
# Those that say how the results were made, and which visits have enough.
MAKING = (
    *("min_minutes", "denoise", "bandpass", "fd_threshold", "dummy_scans", "detrend"),
    *("distance", "n_null_graphs"),
)
# Where the setting of an option stands in settings.json.
PLACES = {
    option_of(key): (*place, field.name)
    for place, part in ((("signal",), Signal), (("graph",), Graph), (("graph", "parcels"), ParcelGraph))
    for key, field in keyed_fields(part).items()
}
# What settles one of these settles the others: parcels are measured as voxels are, where nothing else is said.
FAMILIES = (("metrics", "parcel_metrics"), ("threshold", "density", "parcel_threshold", "parcel_density"))
SAID = 4  # participants that are named


class Adopted(NamedTuple):
    """What was taken over.

    Attributes
    ----------
    options : dict
        As the command line would have read them, by the name of the option.
    text : str
        The same for people.
    """

    options: dict[str, Any]
    text: str


def find_adopted(output_dir: Path, told: Mapping[str, Any]) -> Adopted | None:
    """Return the options of the participant level that nothing else settles and that are not the default.

    Parameters
    ----------
    output_dir : Path
    told : dict
        What the command line, a file of options or a plan says, by the name of the option.

    Returns
    -------
    Adopted or None

    Raises
    ------
    UsageError
        The participant level was given two values of an option that says which results are read.
    """
    runs = _settings_of_runs(output_dir)
    default = _content(Settings(Path(), Path(), "participant", Path()))
    options, said = {}, []
    for name in (*CHOOSING, *MAKING):
        if _settled(name, told) or not runs:
            continue
        place = PLACES[name]
        values = {json.dumps(_at(content, place)) for content, _ in runs}
        if len(values) > 1 and name in CHOOSING:
            raise UsageError(_asked(name, runs, place))
        value = _at(runs[0][0], place)
        if len(values) == 1 and value != _at(default, place):
            options[name] = _as_option(name, value)
            said.append(f"{flag(name)} {_words(name, value)}".strip())
    if not options:
        return None
    return Adopted(options, f"As the participant level was called: {', '.join(said)}.")


def _settings_of_runs(output_dir: Path) -> list[tuple[dict[str, Any], list[str]]]:
    """Return the settings of the runs that last were on some participants, each with whom; nothing that is damaged."""
    from bids_app.bids.status import participants_with_status, read_status  # here, for it loads what reads images

    by_run: dict[str, list[str]] = {}
    for participant in participants_with_status(output_dir):
        try:
            by_run.setdefault(str(read_status(output_dir, participant)["Run"]), []).append(participant)
        except TrialgraphError:
            return []  # which is said by who reads the scans
    return list(_read(output_dir, by_run))


def _read(output_dir: Path, by_run: Mapping[str, list[str]]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for run, participants in by_run.items():
        try:
            yield read_json(output_dir / "logs" / run / "settings.json"), participants
        except TrialgraphError:
            continue


def _content(settings: Settings) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(settings.to_json())
    return content


def _at(content: Mapping[str, Any], place: Sequence[str]) -> Any:
    """Return what stands at a place; None where it does not, as in what an earlier version wrote."""
    found: Any = content
    for key in place:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _settled(name: str, told: Mapping[str, Any]) -> bool:
    family = next((one for one in FAMILIES if name in one), (name,))
    return any(one in told for one in family)


def _asked(name: str, runs: Sequence[tuple[Mapping[str, Any], list[str]]], place: Sequence[str]) -> str:
    from bids_app.bids.values import people  # here, for it loads what reads tables

    calls: dict[str, list[str]] = {}
    for content, who in runs:
        calls.setdefault(f"{flag(name)} {_words(name, _at(content, place))}".strip(), []).extend(who)
    said = "; ".join(f"{call} for {people(who, SAID)}" for call, who in calls.items())
    return f"The participant level was last called with {said}. Say which is compared with {flag(name)}."


def _words(name: str, value: Any) -> str:
    """Return what the command line would say."""
    if value is None:
        return {"voxel_size": "native", "bandpass": "off", "dummy_scans": "auto"}.get(name, "not given")
    if isinstance(value, bool):
        return {True: "linear", False: "none"}[value] if name == "detrend" else "" if value else "not given"
    return " ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in _listed(value)) or "none"


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _as_option(name: str, value: Any) -> Any:
    """Return a setting as the parser would have read it."""
    if name == "bandpass" and value is None:
        return ["off"]
    if name == "fd_threshold" and value == "off":
        return math.inf
    return ("linear" if value else "none") if name == "detrend" else value
