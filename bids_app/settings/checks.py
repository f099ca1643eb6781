"""What is refused of the settings before anything is read or written."""

import os
from pathlib import Path

from bids_app.errors import MissingInputError, OutputError, UsageError
from bids_app.graph.measures import UNSIGNED, needing_modules
from bids_app.settings.fields import flag, option_of, out_of_range
from bids_app.settings.settings import Graph, Settings, keyed_fields


def check_settings(settings: Settings) -> None:
    """Refuse folders and numbers that cannot work, before anything is read or written.

    Raises
    ------
    MissingInputError
        The BIDS folder, a derivative, a template or a mask does not exist.
    OutputError
        The output or work folder cannot be written.
    UsageError
        A folder lies where it must not, or a number is out of its range.
    """
    _check_folders(settings)
    check_numbers(settings)
    _check_key(settings)


def _check_folders(settings: Settings) -> None:
    for what, path in (("output", settings.output_dir), ("work", settings.work_dir)):
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in str(path)):
            raise UsageError(f"The {what} folder {str(path)!r} has a control character in its name; give another.")
    wanted = {"BIDS folder": [settings.bids_dir], "--derivatives": [one.path for one in settings.selection.derivatives]}
    graph = settings.graph
    wanted["--template"] = [settings.preprocessing.template] if settings.preprocessing.template else []
    wanted["--also"] = [one.path for one in settings.trial.also]
    wanted["--allocations"] = [settings.trial.allocations] if settings.trial.allocations else []
    wanted["--regions"] = [one.mask for one in settings.trial.regions if one.mask]
    wanted["--mask"] = [Path(graph.mask)] if graph.mask not in ("gm", "brain") else []
    for what, paths in wanted.items():
        for path in paths:
            if not _exists(what, path):
                raise MissingInputError(f"{what}: {path} does not exist.")
    if not settings.bids_dir.is_dir():
        raise MissingInputError(f"BIDS folder: {settings.bids_dir} is not a folder.")
    for what, path in (("output", settings.output_dir), ("work", settings.work_dir)):
        if _among_raw_data(path.resolve(), settings.bids_dir.resolve()):
            raise UsageError(
                f"The {what} folder {path} lies inside the BIDS folder {settings.bids_dir}. "
                f"Put it elsewhere, or write to {settings.bids_dir / 'derivatives' / 'trialgraph'}."
            )
        if not settings.dry_run:
            _require_writable(what, path, make=what == "output")


def _exists(what: str, path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise MissingInputError(f"{what}: {path} cannot be looked at: {error.strerror}.") from error


def _among_raw_data(path: Path, bids_dir: Path) -> bool:
    if not path.is_relative_to(bids_dir):
        return False
    parts = path.relative_to(bids_dir).parts
    return len(parts) < 2 or parts[0] != "derivatives"


def _require_writable(what: str, path: Path, *, make: bool) -> None:
    """Make a folder, or see whether it could be made: the work folder is made by who marks it as its own."""
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        while not path.exists() and path != path.parent:
            path = path.parent
    except OSError as error:
        raise OutputError(f"The {what} folder {path} cannot be created: {error.strerror}.") from error
    if not os.access(path, os.W_OK | os.X_OK) or not path.is_dir():
        raise OutputError(f"The {what} folder {path} is not writable by user {os.getuid()}.")


def _check_key(settings: Settings) -> None:
    """Refuse a key that who reads the results would find, or that would go with the work folder."""
    if settings.level != "group" or not (settings.blind or settings.key):
        return
    if settings.key is None:
        raise UsageError("--blind needs --key FILE: where the key is, or is put, to which letter is which arm.")
    if settings.blind is None:
        raise UsageError(f"--key {settings.key} is for --blind, and for trialgraph unblind.")
    if settings.dry_run:
        raise UsageError("--blind with --dry-run: what is said beforehand names the arms. Leave one of them out.")
    for what, folder in (("output", settings.output_dir), ("work", settings.work_dir)):
        if settings.key.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"--key {settings.key} lies in the {what} folder {folder}: put it where only its keeper is."
            )
    if settings.key.is_dir():
        raise UsageError(f"--key {settings.key} is a folder; give a file.")


def check_numbers(settings: Settings) -> None:
    """Refuse numbers that are out of their range, and measures that need what is not given."""
    graph = settings.graph
    for part in (graph, graph.parcels, settings.signal, settings.trial, settings.resources):
        for key, field in keyed_fields(part).items():
            for number, allowed in out_of_range(field, getattr(part, field.name)):
                raise UsageError(f"{flag(option_of(key))} {number}: must be {allowed}.")
    if settings.trial.until_settled and settings.trial.tail_approximation:
        raise UsageError(
            "--n-permutations auto --tail-approximation: p of a fitted tail is not valid where draws stop as soon as p "
            "is settled. Leave one of them out."
        )
    low, high = settings.signal.bandpass or (0, 1)
    if not 0 <= low < high:
        raise UsageError(f"--bandpass {low:g} {high:g}: must be LOW HIGH in Hz with 0 <= LOW < HIGH.")
    _check_metrics(graph)


def _check_metrics(graph: Graph) -> None:
    needing = needing_modules(graph.metrics)
    if needing and not (graph.partition or graph.atlases):
        raise UsageError(
            f"--metrics {' '.join(needing)}: which nodes form a network? Give a label image with --partition."
        )
    signed = [name for name in UNSIGNED if name in graph.parcels.metrics]
    if graph.parcels.negative == "keep" and signed:
        raise UsageError(
            f"--negative keep: {', '.join(signed)} cannot be computed with negative weights; choose others with "
            "--parcel-metrics, or --negative absolute."
        )
