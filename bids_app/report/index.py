"""The page that ties the others together: every participant, every scan."""

from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.scans import ScanIndex, index_scans
from bids_app.report.citation import write_citation
from bids_app.report.compared import Compared, read_compared
from bids_app.report.every_scan import LIMIT, SIDES, rows_of, write_scans
from bids_app.report.heads import write_heads
from bids_app.report.pages import number, write_page
from bids_app.report.quality import COLUMNS, DECIMALS, HEADS, QCFC_COLUMNS, write_quality
from bids_app.report.strips import Strip, strip

SHOWN = ("mean_fd", "minutes", "tsnr", "coverage", "distance_dependence", "mean_correlation", "degrees_of_freedom")
OF_GRAPHS = ("coverage", "density", "mean_degree")


def write_pages_of_all(output_dir: Path) -> Path:
    """Write what is of everyone: the methods and checklist, and ``index.html``.

    Parameters
    ----------
    output_dir : Path

    Returns
    -------
    Path
        The index.
    """
    index = index_scans(output_dir)
    write_citation(output_dir, index)
    return write_index_page(output_dir, index)


def write_index_page(output_dir: Path, index: ScanIndex) -> Path:
    """Write ``index.html`` and the tables that it shows, from the files of all participants.

    The heads of the participants' pages lead to each other, and say their arms: they are put in place too.

    Parameters
    ----------
    output_dir : Path
    index : scans.ScanIndex

    Returns
    -------
    Path
    """
    quality, qcfc = write_quality(output_dir, index)
    compared = read_compared(output_dir)
    scans = write_scans(output_dir, index, quality, compared)
    names = scans["participant_id"].unique()
    pages = {name: f"{name}.html" if (output_dir / f"{name}.html").exists() else None for name in names}
    page = output_dir / "index.html"
    write_page(
        page,
        "index.html.jinja",
        pages=pages,
        scans=rows_of(scans),
        states=scans["state"].value_counts().to_dict(),
        columns={name: COLUMNS[name] for name in SHOWN},
        heads=HEADS,
        decimals=DECIMALS,
        strips=_strips(scans, pages, compared),
        sides=SIDES,
        limit=LIMIT,
        quality=quality.to_dict("records"),
        of_graphs=OF_GRAPHS,
        qcfc=qcfc.to_dict("records"),
        qcfc_columns=QCFC_COLUMNS,
        group=(output_dir / "group" / "index.html").exists(),
        words=compared.words,
        citation=(output_dir / "logs" / "CITATION.html").exists(),
    )
    write_heads(output_dir, scans, compared)
    return page


def _strips(scans: pd.DataFrame, pages: dict[str, str | None], compared: Compared) -> list[Strip]:
    """Lay out every measure that outliers are looked for in, a lane for each visit."""
    made = scans[scans["kind"].notna()]
    lanes = made["session"].map(lambda session: compared.named(session) if isinstance(session, str) else "all scans")
    if made["kind"].nunique() > 1:
        lanes += ", " + made["kind"].astype(str)
    drawn: list[Any] = []
    for measure in SIDES:
        text = made["scan"] + ": " + made[measure].map(number)
        rows = made.assign(lane=lanes, text=text, page=made["participant_id"].map(pages))
        drawn.append(strip(rows, measure, COLUMNS[measure]))
    return [one for one in drawn if one is not None]
