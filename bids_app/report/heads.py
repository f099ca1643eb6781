"""The heads of the participants' pages: the arm, what became of the scans, and the ways to the other pages.

They say what is known of all participants together, and are put in place when that changes; figures stay as they are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.files import save_text
from bids_app.report.compared import Compared
from bids_app.report.every_scan import rows_of
from bids_app.report.pages import filled
from bids_app.report.quality import HEADS
from bids_app.trial.wording import PARALLEL

BEGIN, END = "<!-- head -->", "<!-- end of the head -->"
FIRST = 1 << 16  # characters of a page within which its head lies
ALONE: Mapping[str, Any] = {
    "words": PARALLEL,
    "arm": None,
    "group": False,
    "previous": None,
    "following": None,
    "unused": (),
    "far": {},
}


def head(name: str, visits: Sequence[str], **known: Any) -> str:
    """Return the head of a participant's page, by itself if nothing is known of the others.

    Parameters
    ----------
    name : str
        With sub-.
    visits : sequence of str
    **known
        What `ALONE` has otherwise.
    """
    text = filled("participant_head.html.jinja", **{**ALONE, "name": name, "visits": visits, **known})
    return f"{BEGIN}\n{text}\n{END}"


def write_heads(output_dir: Path, scans: pd.DataFrame, compared: Compared) -> None:
    """Put the heads of all participants' pages in place, where they say something else by now.

    Parameters
    ----------
    output_dir : Path
    scans : DataFrame
        As from `every_scan.write_scans`.
    compared : Compared
    """
    of: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(scans):
        of.setdefault(row["participant_id"], []).append(row)
    names = [name for name in of if (output_dir / f"{name}.html").exists()]
    group = (output_dir / "group" / "index.html").exists()
    for place, name in enumerate(names):
        rows = of[name]
        known = {
            "words": compared.words,
            "group": group,
            "arm": compared.arms.get(name),
            "previous": names[place - 1] if place else None,
            "following": names[place + 1] if place + 1 < len(names) else None,
            "unused": [row for row in rows if row["state"] in ("excluded", "not compared")],
            "far": {
                row["scan"]: ", ".join(HEADS[name] for name in row["outliers"].split(", "))
                for row in rows
                if row["outliers"]
            },
        }
        sessions = sorted({row["session"] for row in rows} - {None})
        _replace(output_dir / f"{name}.html", head(name, [compared.named(one) for one in sessions], **known))


def head_of(page: Path) -> str | None:
    """Return the head that a page has already, which one made anew keeps meanwhile; None where there is none."""
    if not page.exists():
        return None
    with page.open(encoding="utf-8", errors="replace") as file:
        return _split(file.read(FIRST))[1] or None


def _split(start: str) -> tuple[str, str, str]:
    """Return what stands before the head, the head, and what follows it; an empty head where there is none."""
    before, begun, rest = start.partition(BEGIN)
    found, ended, after = rest.partition(END)
    return (before, f"{BEGIN}{found}{END}", after) if begun and ended else (start, "", "")


def _replace(page: Path, text: str) -> None:
    """Put the head of a page in place, unless it says the same, or another call writes the page at this moment."""
    made = page.stat().st_mtime_ns
    with page.open(encoding="utf-8") as file:
        before, found, after = _split(file.read(FIRST))
        if found in ("", text):
            return
        whole = before + text + after + file.read()
    if page.stat().st_mtime_ns == made:
        save_text(page, whole)
