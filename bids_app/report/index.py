"""The page that ties the others together: every participant, every scan."""

from pathlib import Path
from typing import Any

from bids_app.bids.scans import ScanIndex, index_scans
from bids_app.bids.status import read_statuses
from bids_app.report.citation import write_citation
from bids_app.report.overview import words_of
from bids_app.report.pages import write_page
from bids_app.report.quality import COLUMNS, QCFC_COLUMNS, write_quality
from bids_app.settings.settings import GROUP

SHOWN = ("mean_fd", "minutes", "coverage", "tsnr", "degrees_of_freedom", "mean_correlation", "density", "mean_degree")


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

    Parameters
    ----------
    output_dir : Path
    index : scans.ScanIndex

    Returns
    -------
    Path
    """
    quality, qcfc = write_quality(output_dir, index)
    page = output_dir / "index.html"
    write_page(
        page,
        "index.html.jinja",
        participants=_participants(output_dir),
        scans=quality.to_dict("records"),
        columns={name: COLUMNS[name] for name in SHOWN},
        largest={name: quality[name].max() for name in SHOWN},
        qcfc=qcfc.to_dict("records"),
        qcfc_columns=QCFC_COLUMNS,
        group=(output_dir / "group" / "index.html").exists(),
        words=words_of(output_dir / GROUP),
        citation=(output_dir / "logs" / "CITATION.html").exists(),
    )
    return page


def _participants(output_dir: Path) -> list[dict[str, Any]]:
    """List the participants with the state of their scans."""
    found = []
    for status in read_statuses(output_dir):
        unused = [scan for scan in status["Scans"] if scan["State"] != "done"]
        name = f"sub-{status['Participant']}"
        page = f"{name}.html" if (output_dir / f"{name}.html").exists() else None
        found.append({"name": name, "page": page, "n_scans": len(status["Scans"]), "unused": unused})
    return found
