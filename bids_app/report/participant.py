"""The page of one participant."""

import json

import pandas as pd

from bids_app.names import Name, scan_label
from bids_app.outputs import figure_path, read_scans, status_path
from bids_app.report.pages import write_page
from bids_app.routes import MAPS


def write_participant_page(output_dir, participant):
    """Write ``sub-<label>.html`` from the participant's files.

    Parameters
    ----------
    output_dir : Path
    participant : str
        Label without sub-.

    Returns
    -------
    Path
    """
    status = json.loads(status_path(output_dir, participant).read_text())
    page = output_dir / f"sub-{participant}.html"
    write_page(
        page,
        "participant.html.jinja",
        participant=participant,
        scans=status["Scans"],
        bold=_bold(output_dir, participant),
        parcels=_parcels(output_dir, participant),
    )
    return page


def _bold(output_dir, participant):
    """Collect per scan what the sidecars of its raw maps say, and its figures."""
    scans = {}
    maps = [scan for extension in MAPS for scan in read_scans(output_dir, "boldmap", extension, sub=participant)]
    for scan in maps:
        desc = scan.entities["desc"]
        if "Smooth" in desc or desc.endswith("z"):
            continue
        source = {key: value for key, value in scan.entities.items() if key not in ("stat", "desc")}
        figures = {what: figure_path(output_dir, source, what) for what in ("carpet", "maps")}
        entry = scans.setdefault(
            scan_label(scan.entities),
            {
                "facts": scan.sidecar,
                "measures": {},
                "graphs": {},
                "figures": {what: path for what, path in figures.items() if path.exists()},
            },
        )
        entry["measures"][scan.sidecar["Title"]] = scan.sidecar
        if "NumberOfEdges" in scan.sidecar:
            entry["graphs"][desc] = scan.sidecar
    return scans


def _parcels(output_dir, participant):
    tables = []
    for scan in read_scans(output_dir, "nodes", ".tsv", sub=participant):
        nodes = pd.read_csv(scan.path, sep="\t", na_values="n/a")
        atlas = Name.parse(scan.path).entities
        tables.append(
            {
                "label": f"{scan_label(atlas)}, {atlas.get('atlas') or atlas.get('seg')}",
                "facts": scan.sidecar,
                "n_parcels": len(nodes),
                "n_missing": int(nodes["degree"].isna().sum()) if "degree" in nodes else 0,
                "path": scan.path.relative_to(output_dir).as_posix(),
            }
        )
    return tables
