"""Provenance in the form of BIDS (BEP028): which runs wrote an output folder, by what, from which datasets."""

import json
import platform
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.files import container, save_described, save_json

LABEL = "prov-trialgraph"
RUN = re.compile(r"(?P<started>\d{8}-\d{6})_(?P<level>\w+)_[0-9a-f]{8}")
COLUMNS = {"provenance_label": "Which files of this folder", "description": "What they say"}


def close_run(log_dir: Path) -> None:
    """Say that a run came to its end, and write the provenance of all runs of the output folder anew.

    Parameters
    ----------
    log_dir : Path
        The folder of the run in ``logs``.
    """
    command = log_dir / "command.json"
    if not (about := _read(command)):  # who removed the record is not stopped at the end
        return
    save_json(command, about | {"Ended": f"{datetime.now():%Y-%m-%dT%H:%M:%S}", "Environment": _environment()})
    write_provenance(log_dir.parent.parent)


def write_provenance(output_dir: Path) -> None:
    """Write ``prov/`` from the logs: activities, software and environments, and the table that names them.

    Parameters
    ----------
    output_dir : Path
    """
    runs = [(found, path) for path in sorted((output_dir / "logs").iterdir()) if (found := RUN.fullmatch(path.name))]
    with_command = [(found, command) for found, path in runs if (command := _read(path / "command.json"))]
    links = _read(output_dir / "dataset_description.json").get("DatasetLinks", {})
    environments = {one["Label"]: one for _, about in with_command if (one := about.get("Environment"))}
    versions = sorted({about["Version"] for _, about in with_command})
    places = {label: f"bids::prov#environment-{number}" for number, label in enumerate(sorted(environments), 1)}
    activities = [
        _activity(found, about, [f"bids:{name}:." for name in links], places) for found, about in with_command
    ]
    software = [{"Id": _id_of(version), "Label": "trialgraph", "Version": version} for version in versions]
    folder = output_dir / "prov"
    save_json(folder / f"{LABEL}_act.json", {"Activities": activities})
    save_json(folder / f"{LABEL}_soft.json", {"Software": software})
    told = [{"Id": places[label], **environments[label]} for label in places]
    save_json(folder / f"{LABEL}_env.json", {"Environments": told})
    row = {"provenance_label": LABEL, "description": "Every run of trialgraph in this folder, from logs"}
    save_described(folder / "provenance.tsv", pd.DataFrame([row]), COLUMNS)


def _activity(
    found: re.Match[str], about: dict[str, Any], datasets: list[str], places: dict[str, str]
) -> dict[str, Any]:
    """Describe a run; of one that never came to its end the end is not said."""
    level = found["level"]
    where = [places[label]] if (label := about.get("Environment", {}).get("Label")) else []
    ended = {"EndedAtTime": about["Ended"]} if "Ended" in about else {}
    return {
        "Id": f"bids::prov#{found[0]}",
        "Label": f"trialgraph, {level} level",
        "Command": " ".join(about["Command"]),
        "AssociatedWith": _id_of(about["Version"]),
        "Used": [*where, *datasets],
        "StartedAtTime": f"{datetime.strptime(found['started'], '%Y%m%d-%H%M%S'):%Y-%m-%dT%H:%M:%S}",
        **ended,
    }


def _id_of(version: str) -> str:
    return f"bids::prov#trialgraph-{re.sub(r'[^0-9A-Za-z.+-]', '-', version)}"


def _environment() -> dict[str, Any]:
    """Describe what a run runs in."""
    system = f"{platform.system()} {platform.machine()}"
    inside = container()
    return {
        "Label": f"Python {platform.python_version()} on {system}" + (f", {inside['Tag']}" if inside else ""),
        "OperatingSystem": system,
    }


def _read(path: Path) -> dict[str, Any]:
    """Read a record; what is not there or broken says nothing."""
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
