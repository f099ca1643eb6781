"""The page of several comparisons: what each found, p over all of them, and where its own page is."""

from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.files import read_table, sidecar_of
from bids_app.bids.names import label
from bids_app.bids.result_names import COMPARISONS, TABLES, study_name
from bids_app.report.blinded import write_blinded
from bids_app.report.group import design_paths, write_group_page
from bids_app.report.objectives import read_objectives
from bids_app.report.pages import write_page
from bids_app.report.parcels import titled
from bids_app.runtime.group_folder import AGAIN, PAGE, results_id
from bids_app.settings.deviation import Deviation
from bids_app.stats.changes import CHANGES
from bids_app.stats.repeated import JOINT
from bids_app.system.small_files import Record, read_record
from bids_app.trial.comparison_record import read_comparison
from bids_app.trial.wording import PARALLEL, Wording

SHOWN = ("ArmColumn", "Comparisons", "NotCompared", "Routes", "Together", "Model", "Alpha")
WORDS = (
    "outcome",
    "active",
    "reference",
    "followup",
    "covariance",
    "note",
)  # of the outcomes, also where all are empty


def comparison_folders(folder: Path) -> list[Path]:
    """Return the folders of the comparisons: that of the group itself where there is one.

    Parameters
    ----------
    folder : Path
        Of the group level.
    """
    if not (folder / TABLES).is_dir():  # nothing is there, or what a version left that laid its files otherwise
        return []
    record = several_comparisons(folder)
    if record is None:
        return [folder] if design_paths(folder) else []
    return [folder / one["Folder"] for one in record["Comparisons"]]


def several_comparisons(folder: Path) -> Record | None:
    """Return what the group level wrote of several comparisons together, None where there is one or none.

    Parameters
    ----------
    folder : Path
        Of the group level.
    """
    path = folder / COMPARISONS
    return read_record(path, AGAIN) if path.exists() else None


def words_of(folder: Path) -> Wording:
    """Return what is said of the arms, or groups, that were compared.

    Parameters
    ----------
    folder : Path
        Of the group level; those of arms where nothing was compared yet.
    """
    paths = [path for one in comparison_folders(folder) for path in design_paths(one)]
    return read_comparison(paths[0]).arms.words if paths else PARALLEL


def write_group_pages(folder: Path) -> None:
    """Write the page of every comparison and, where there are several, the one that ties them together.

    Parameters
    ----------
    folder : Path
        Of the group level.
    """
    results, folders = results_id(folder), comparison_folders(folder)
    for own in folders:
        write_group_page(own, design_paths(own), results, up="../" * len(own.relative_to(folder).parts))
    if (folder / COMPARISONS).exists():
        write_overview(folder, results)


def write_overview(folder: Path, results: str) -> Path:
    """Write ``index.html`` of several comparisons from their files.

    Parameters
    ----------
    folder : Path
    results : str
        What the results are known by.

    Returns
    -------
    Path
    """
    found = read_record(folder / COMPARISONS, AGAIN)
    if found.get("Blinded"):
        return write_blinded(folder, found, results)
    record = {name: found[name] for name in SHOWN} | {"Baseline": found.get("Baseline")}
    record |= {"Weighted": found.get("Weighted", [])}
    routes = [_route(folder, one, record) for one in record["Routes"]]
    content = {"record": record, "routes": routes, "repeated": _repeated(folder), "words": words_of(folder)}
    objectives = read_objectives(folder)
    write_page(folder / PAGE, "overview.html.jinja", objectives=objectives, results=results, **content)
    return folder / PAGE


def _repeated(folder: Path) -> dict[str, Any] | None:
    """Return the clinical outcomes of all arms and follow-ups, by outcome; None where there are none."""
    path = folder / study_name("mmrm")
    if not path.exists():
        return None
    about = read_record(sidecar_of(path), AGAIN)
    table = _without_gaps(read_table(path, dtype=dict.fromkeys(WORDS, str)))
    several = "reference" in table
    outcomes = [_outcome(str(name), rows, several=several) for name, rows in table.groupby("outcome", sort=False)]
    departed = [Deviation.of_record(row).text for row in about["Deviations"]]
    shown: dict[str, Any] = {
        "departed": departed,
        "table": study_name("mmrm"),
        "outcomes": outcomes,
        "drawn": "p_rerandomized" in table,
    }
    return shown | {"model": about["Model"], "left": about["NotModelled"]}


def _outcome(name: str, table: pd.DataFrame, *, several: bool) -> dict[str, Any]:
    """Return the rows of an outcome, of F apart, and that which decides; what is noted of all stands by itself."""
    of_f = table["df_numerator"].notna()
    notes = set(table.loc[~of_f, "note"])
    note = notes.pop() if len(notes) == 1 else ""
    joint, one = (JOINT, "at ses-{}") if several else (CHANGES, "change from the first visit to ses-{}")
    in_turn = several and table["followup"].isin(["", *JOINT]).all()  # treatments, over all periods
    said = ["any difference" if in_turn else joint.get(name, one.format(name)) for name in table["followup"]]
    table = table.assign(note=table["note"].where(table["note"] != note, ""), said=said)
    parts = {"rows": table[~of_f], "tests": table[of_f], "primary": table[table["role"] == "primary"]}
    return {"name": name, "note": note} | {part: rows.to_dict("records") for part, rows in parts.items()}


def _without_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns of words are empty where nothing stands."""
    words = table.select_dtypes(exclude="number")
    return table.assign(**words.astype(object).fillna(""))


def _route(folder: Path, route: dict[str, str], record: dict[str, Any]) -> dict[str, Any]:
    table = read_table(folder / route["Table"], dtype={"node": str})
    table["judged"] = table["p_together"].where(table["role"] == "primary", table["p_together_all"])
    found = table[table["judged"] <= record["Alpha"]]
    table = _without_gaps(table)
    return {
        "name": route["Route"],
        "anchor": label(route["Route"]),
        "table": route["Table"],
        "rows": titled(table).to_dict("records"),
        "found": titled(found).to_dict("records"),
    }
