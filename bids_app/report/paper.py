"""What a paper takes from a comparison: a results paragraph, Table 1 and Table 2, from the files of the group level."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.files import read_table, save_described, sidecar_of
from bids_app.graph.features import Feature
from bids_app.report.answer import N_PLACES
from bids_app.report.pages import fixed, interval, p_value, spread
from bids_app.report.words import said
from bids_app.runtime.group_folder import AGAIN, ANSWER
from bids_app.system.small_files import Record, read_record
from bids_app.trial.comparison_record import ComparisonRecord

TABLE_1 = {
    "variable": "What was measured before treatment",
    "level": "Level of a categorical variable",
}
TABLE_2 = {
    "comparison": "What a difference is of, the first minus the second",
    "outcome": "Graph measure with its edge rule, or clinical outcome",
    "region": "Where; n/a for an outcome",
    "role": "Primary, secondary or exploratory, by the plan",
    "n": "Participants in the estimate",
    "effect": "Difference with its 95 % confidence interval, in the units of the outcome; of a region, of its mean",
    "hedges_g": "Hedges g with its 95 % confidence interval",
    "p": "As which_p says",
    "which_p": "p_fwe: corrected over nodes and signs; p_fwe_all: over measures too; p: of the outcome by itself",
}


def answers(folders: Iterable[Path]) -> list[Record]:
    """Return what each comparison found, as the box of its page says it."""
    return [read_record(folder / ANSWER, AGAIN) for folder in folders if (folder / ANSWER).exists()]


def results_text(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the results in sentences.

    Parameters
    ----------
    found : list of dict
        As from `answers`.

    Returns
    -------
    str

    Examples
    --------
    >>> place = {"place": "Left gyrus", "text": "drug > placebo; mean g 1.20"}
    >>> statements = [{"about": "voxels", "role": "primary", "text": "the arms differ.", "found": [place]}]
    >>> results_text([{"contrast": "drug - placebo", "analysed": {"drug": 9, "placebo": 8}, "statements": statements}])
    'drug - placebo (9 drug, 8 placebo). Voxels (primary): the arms differ. Left gyrus: drug > placebo; mean g 1.20.'
    """
    return " ".join(_of_comparison(one) for one in found)


def _of_comparison(one: Mapping[str, Any]) -> str:
    analysed = ", ".join(f"{n} {arm}" for arm, n in one["analysed"].items())
    confirmed = [
        f"{objective['role'].capitalize()} objective, {objective['objective']}: {objective['verdict']}."
        for objective in one.get("objectives", [])
    ]
    return " ".join(
        [f"{one['contrast']} ({analysed}).", *confirmed, *(_sentences(statement) for statement in one["statements"])]
    )


def _sentences(statement: Mapping[str, Any]) -> str:
    about, found = str(statement["about"]), statement["found"]
    places = [f" {place['place']}: {place['text']}." for place in found[:N_PLACES]]
    more = f" {len(found) - N_PLACES} more stand in Table 2." if len(found) > N_PLACES else ""
    return f"{about[:1].upper()}{about[1:]} ({statement['role']}): {statement['text']}{''.join(places)}{more}"


def table_1(balances: Iterable[tuple[pd.DataFrame, ComparisonRecord]]) -> pd.DataFrame:
    """Put who was compared beside each other, an arm a column.

    Parameters
    ----------
    balances : list of (DataFrame, ComparisonRecord)
        Of each comparison, its table of balance.

    Returns
    -------
    DataFrame
        variable, level, and for each arm mean (SD) or count (share), in the order in which arms are met.
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for table, record in balances:
        columns = ("everyone",) if record.arms.orders else record.arms.names  # who had every treatment, or most
        row: Any
        for row in table.astype({"level": object}).to_dict("records"):
            own = rows.setdefault((str(said(row["variable"])), _level(row["level"])), {})
            for arm, side in zip(columns, ("active", "reference"), strict=False):
                own.setdefault(arm, _cell(row, side))
    cells = [{"variable": variable, "level": level, **own} for (variable, level), own in rows.items()]
    return pd.DataFrame(cells)


def _level(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _cell(row: Mapping[str, Any], side: str) -> str:
    if _level(row["level"]):
        return f"{fixed(row[side], 0)} ({fixed(100 * row[f'{side}_spread'], 0)} %)"
    return spread(row[side], row[f"{side}_spread"])


def table_2(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Put every value that was found, and every outcome, in a row.

    Parameters
    ----------
    found : list of dict
        As from `answers`.

    Returns
    -------
    DataFrame
        Columns as `TABLE_2`.
    """
    rows = [
        _row(one["contrast"], result)
        for one in found
        for statement in one["statements"]
        for result in _results(statement)
    ]
    return pd.DataFrame(rows, columns=list(TABLE_2))


def _results(statement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from statement["results"]
    for place in statement["found"]:
        yield from place["results"]


def _row(contrast: str, result: Mapping[str, Any]) -> dict[str, Any]:
    result = {name: None if value == "n/a" else value for name, value in result.items()}  # what could not be estimated
    edges = result.get("edges")
    return {
        "comparison": contrast,
        "outcome": Feature(result["measure"], edges).title if edges else result["measure"],
        "region": result.get("region"),
        "role": result["role"],
        "n": result.get("n"),
        "effect": _interval(result, "effect", "ci_low", "ci_high"),
        "hedges_g": _interval(result, "hedges_g", "g_low", "g_high", 2),
        "p": p_value(result["p"]),
        "which_p": result["which_p"],
    }


def _interval(result: Mapping[str, Any], name: str, low: str, high: str, decimals: int | None = None) -> str | None:
    values = {one: result.get(one) for one in (name, low, high)}
    if values[name] is None:
        return None
    if values[low] is None or values[high] is None:
        return fixed(values[name])
    return interval(values, name, low, high, decimals)


def write_paper_tables(
    logs: Path, balances: Iterable[tuple[Path, ComparisonRecord]], found: Sequence[Mapping[str, Any]]
) -> dict[str, list[dict[Hashable, Any]]]:
    """Write Table 1 and Table 2 as files, and return their rows for the page.

    Parameters
    ----------
    logs : Path
        The folder.
    balances : list of (Path, ComparisonRecord)
        Of each comparison, its table of balance.
    found : list of dict
        As from `answers`.

    Returns
    -------
    dict of list of dict
        Of those that have rows; what earlier results left of the others goes.
    """
    first = table_1((read_table(path, dtype={"level": str}), record) for path, record in balances)
    arms = {name: "Mean (SD), or count (share) of a level" for name in first.columns if name not in TABLE_1}
    shown = {}
    for name, table, columns in (("table1", first, TABLE_1 | arms), ("table2", table_2(found), TABLE_2)):
        path = logs / f"{name}.tsv"
        if len(table):
            save_described(path, table, columns)
            shown[name] = table.astype(object).fillna("").to_dict("records")
        else:
            for left in (path, sidecar_of(path)):
                left.unlink(missing_ok=True)
    return shown
