"""The page of a blinded trial: everyone as one group at each visit, and what says how many are needed."""

from pathlib import Path
from typing import Any

from bids_app.bids.files import read_table
from bids_app.report.group import design_paths
from bids_app.report.pages import write_page
from bids_app.report.parcels import titled
from bids_app.runtime.group_folder import PAGE
from bids_app.system.small_files import Record
from bids_app.trial.comparison_record import read_comparison

SAID = ("Blinding", "Intercurrent events")  # what is found that belongs to all visits


def write_blinded(folder: Path, record: Record, results: str) -> Path:
    """Write ``index.html`` of several visits that were described without arms.

    Parameters
    ----------
    folder : Path
        Of the group level.
    record : Record
        Content of comparisons.json.
    results : str
        What the results are known by.

    Returns
    -------
    Path
    """
    visits = [_visit(folder / one["Folder"], one) for one in record["Comparisons"]]
    routes = [
        {
            "name": one["Route"],
            "table": one["Table"],
            "rows": titled(read_table(folder / one["Table"])).to_dict("records"),
        }
        for one in record["Routes"]
    ]
    said = list(dict.fromkeys(text for one in visits for text in one["said"]))
    write_page(
        folder / PAGE,
        "blinded.html.jinja",
        results=results,
        visits=visits,
        routes=routes,
        said=said,
        not_described=record["NotCompared"],
    )
    return folder / PAGE


def _visit(folder: Path, one: dict[str, str]) -> dict[str, Any]:
    """Return where the page of a visit is, how many are described on each route, and what is said of the blinding."""
    records = [read_comparison(path) for path in design_paths(folder)]
    described = {record.route: sum(record.arms.number_analysed.values()) for record in records}
    said = [found.text for about in SAID for found in records[0].findings if found.about == about]
    return {"session": one["Followup"], "folder": one["Folder"], "described": described, "said": said}
