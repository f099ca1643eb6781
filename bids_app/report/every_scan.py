"""Every scan in one table: whose it is, what became of it and why, and in what it lies far from the others."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.files import save_described
from bids_app.bids.names import scan_label, session_in
from bids_app.bids.result_names import MAPS
from bids_app.bids.scans import Scan, ScanIndex
from bids_app.bids.status import STATES as ENDED
from bids_app.bids.status import read_statuses
from bids_app.report.compared import Compared
from bids_app.stats.outliers import far_from_median
from bids_app.system.small_files import read_record
from bids_app.trial.visit_scans import facts_of

SIDES = {  # where a scan is worse: above, below, or on both sides of the others
    "mean_fd": 1,
    "minutes": -1,
    "tsnr": -1,
    "coverage": -1,
    "distance_dependence": 0,
    "mean_correlation": 0,
    "density": 0,
}
LIMIT = 3.0
STATES = {
    "usable": "has enough data; the participant is in the comparison if there is one",
    "not compared": "has enough data, and the participant is not in the comparison",
    "excluded": "was scanned and processed, and has too few data to be compared",
    **{state: text for state, text in ENDED.items() if state != "done"},
}
COLUMNS: dict[str, Any] = {
    "participant_id": "Participant",
    "arm": "Arm, as the group level found it; n/a before it ran",
    "session": "Session",
    "visit": "What the visit is in the comparison; n/a if it is in none",
    "scan": "Scan",
    "kind": "Which row of quality.tsv the outliers are from",
    "state": {"Description": "What became of the scan", "Levels": STATES},
    "reason": "Why the scan, or the participant, is not compared",
    "outliers": (
        f"Columns of quality.tsv in which the scan lies more than {LIMIT:g} median absolute deviations (times 1.4826) "
        "from the median over scans of its kind: more motion, fewer minutes, less signal to noise or coverage, the "
        "rest on either side"
    ),
}


def write_scans(output_dir: Path, index: ScanIndex, quality: pd.DataFrame, compared: Compared) -> pd.DataFrame:
    """Write ``logs/scans.tsv``, a row of every scan whatever became of it.

    Parameters
    ----------
    output_dir : Path
    index : scans.ScanIndex
    quality : DataFrame
        As from `quality.write_quality`.
    compared : Compared

    Returns
    -------
    DataFrame
        The columns that are written, and the numbers of `quality` beside them.
    """
    numbers = one_row_of_each(quality)
    numbers["outliers"] = _outliers(numbers)
    excluded = _excluded(output_dir, index, compared)
    rows = [_row(scan, compared, excluded) for scan in _known(output_dir, numbers)]
    own = [name for name in COLUMNS if name not in ("kind", "outliers")]
    table = pd.DataFrame(rows, columns=own).merge(
        numbers.drop(columns=["participant_id", "session"]), on="scan", how="left"
    )
    table = table.sort_values(["participant_id", "scan"], ignore_index=True)
    save_described(output_dir / "logs" / "scans.tsv", table[list(COLUMNS)], COLUMNS)
    return table


def rows_of(scans: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the table, None where nothing stands."""
    rows = scans.astype(object).where(scans.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def one_row_of_each(quality: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each scan's maps, or of its first atlas where there are none."""
    order = quality["kind"].map(dict.fromkeys(MAPS.values(), -1)).fillna(0)
    return quality.loc[order.sort_values(kind="stable").index].drop_duplicates("scan").sort_index()


def _outliers(numbers: pd.DataFrame) -> pd.Series:
    """Name the measures in which a scan lies far from those of its kind."""
    far = pd.DataFrame(False, index=numbers.index, columns=list(SIDES))
    for _, rows in numbers.groupby("kind"):
        for name, side in SIDES.items():
            far.loc[rows.index, name] = far_from_median(rows[name].to_numpy(float), LIMIT, side)
    named = [", ".join(str(name) for name in row if row[name]) or None for row in far.to_dict("records")]
    return pd.Series(named, index=numbers.index, dtype=object)


def _known(output_dir: Path, numbers: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield every scan that the participant level tried, and those of which there are only files."""
    named = set()
    for status in read_statuses(output_dir):
        for scan in status["Scans"]:
            named.add(scan["Scan"])
            session = scan.get("Session") or session_in(scan["Scan"])
            yield {**scan, "Participant": f"sub-{status['Participant']}", "Session": session}
    for row in numbers[~numbers["scan"].isin(named)].itertuples():
        yield {"Participant": row.participant_id, "Session": row.session, "Scan": row.scan, "State": "done"}


def _row(scan: Mapping[str, Any], compared: Compared, excluded: Mapping[str, str]) -> dict[str, Any]:
    name, participant, state = scan["Scan"], scan["Participant"], scan["State"]
    reason = scan.get("Reason") if state != "done" else excluded.get(name, compared.left_out.get(participant))
    if state == "done":
        state = "excluded" if name in excluded else "usable" if reason is None else "not compared"
    return {
        "participant_id": participant,
        "arm": compared.arms.get(participant),
        "session": scan["Session"],
        "visit": compared.visits.get(scan["Session"]),
        "scan": name,
        "state": state,
        "reason": reason,
    }


def _excluded(output_dir: Path, index: ScanIndex, compared: Compared) -> dict[str, str]:
    """Say which scans have too few data, those of a visit together, by their names."""
    visits: defaultdict[tuple[str | None, ...], list[Scan]] = defaultdict(list)
    for scan in index.one_of_each():
        visits[scan.participant, scan.session, scan.entities.get("task")].append(scan)
    asked = {} if compared.min_minutes is not None else _asked(output_dir)
    found: dict[str, str] = {}
    for (participant, *_), scans in visits.items():
        minutes = compared.min_minutes if compared.min_minutes is not None else asked.get(str(participant), 0.0)
        _, reason = facts_of(scans, minutes)
        if reason:
            found |= {scan.facts.origin.scan or scan_label(scan.entities): reason for scan in scans}
    return found


def _asked(output_dir: Path) -> dict[str, float]:
    """Return the minutes that the run of each participant asked for, where its settings are there."""
    runs = {status["Participant"]: output_dir / "logs" / status["Run"] for status in read_statuses(output_dir)}
    mend = "Remove it, or run the participant level again."
    minutes = {
        run: read_record(path, mend)["signal"]["min_minutes"]
        for run in set(runs.values())
        if (path := run / "settings.json").exists()
    }
    return {participant: minutes[run] for participant, run in runs.items() if run in minutes}
