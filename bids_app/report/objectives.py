"""What the page shows of the plan's objectives, read from their table: planned, done, found, and what is confirmed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bids_app.bids.files import read_table, sidecar_of
from bids_app.bids.result_names import OBJECTIVES
from bids_app.report.pages import p_value
from bids_app.runtime.group_folder import AGAIN
from bids_app.system.small_files import read_record

Row = Mapping[str, Any]
NUMBERS = ("n", "estimate", "ci_low", "ci_high", "p", "p_objectives")  # all other columns are words, or empty
STANDS = {
    "yes": "a difference is confirmed",
    "no": "not confirmed",
    "not as planned": "not analysed as planned, so that nothing is confirmed",
}


@dataclass(frozen=True)
class Objectives:
    """The objectives of a plan and what came of them.

    Attributes
    ----------
    rows : tuple of dict
        Of the table, with ``verdict`` in words and ``Events``, each with what is done about it.
    correction : str
        How p is corrected over all objectives of the plan, in words.
    alpha : float
    late : tuple of str
        Runs whose results had been seen before the plan was first used.
    """

    rows: tuple[dict[str, Any], ...]
    correction: str
    alpha: float
    late: tuple[str, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the rows as results.json has them."""
        return list(asdict(self)["rows"])


def read_objectives(folder: Path, comparison: str | None = None) -> Objectives | None:
    """Read the objectives, and what came of them.

    Parameters
    ----------
    folder : Path
        Of the group level.
    comparison : str, optional
        Only those of one comparison, and those that could not be compared.

    Returns
    -------
    Objectives or None
        None where no plan says any.
    """
    path = folder / OBJECTIVES
    if not path.exists():
        return None
    about = read_record(sidecar_of(path), AGAIN)
    events = {one["Name"]: one["Events"] for one in about["Objectives"]}
    table = read_table(path)
    words = [name for name in table if name not in NUMBERS]
    table = table.assign(**{str(name): table[name].astype(object).fillna("") for name in words})
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    shown = [row for row in rows if comparison is None or row["comparison"] in ("", comparison)]
    made = tuple(row | {"verdict": verdict(row), "Events": events[row["objective"]]} for row in shown)
    return Objectives(made, about["Correction"], about["Alpha"], tuple(about["PlanWritten"]["SeenBefore"]))


def verdict(row: Row) -> str:
    """Say what became of an objective, and no more than that.

    Examples
    --------
    >>> row = {"confirmed": "yes", "p": 0.012, "p_objectives": 0.024, "departures": ""}
    >>> verdict(row)
    'a difference is confirmed (two-sided p 0.012, over the objectives 0.024)'
    >>> verdict(row | {"confirmed": "not as planned", "departures": "alpha: planned 0.05, used 0.1"})
    'not analysed as planned, so that nothing is confirmed: alpha: planned 0.05, used 0.1 (two-sided p 0.012)'
    """
    p = f"two-sided p {p_value(row['p'])}"
    if row["departures"]:
        known = f" ({p})" if row["p"] == row["p"] else ""
        return f"{STANDS[row['confirmed']]}: {row['departures']}{known}"
    return f"{STANDS[row['confirmed']]} ({p}, over the objectives {p_value(row['p_objectives'])})"
