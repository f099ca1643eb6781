"""What the page of the group level shows of the trial's tables: read from the files, never computed anew."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bids_app.bids.files import read_table, save_figure
from bids_app.bids.names import Name
from bids_app.bids.result_names import result_path
from bids_app.graph.features import Feature, edges_text
from bids_app.report.answer import endpoint_of
from bids_app.report.parcels import titled
from bids_app.report.trialfigures import LABELS, VISITS, association_figure, curve_figure, visits_figure
from bids_app.runtime.group_folder import AGAIN
from bids_app.settings.roles import LISTS, PRECISION, ROLES
from bids_app.system.small_files import read_record
from bids_app.trial.comparison_record import Arms, ComparisonRecord, read_comparison
from bids_app.trial.design import PERIODS
from bids_app.trial.flow_table import read_flow, with_heads

N_SCATTERS, N_CURVES, N_REGIONS = 4, 6, 12
OF_VALUES = ("association", "roimissing", "regionsmissing", "wholebrainmissing", "sensitivity", "agreement")
EVERYONE = "everyone"  # who is drawn in one panel, within participants
ROUTE_TABLES, NOTED = ("motion", "balance", *OF_VALUES), ("regions", "roi", *OF_VALUES)

OF_TRIAL = ("outcomes", "missing", "tipping", "scores")
OF_ROUTE = (*ROUTE_TABLES, *NOTED, "robustness", "clusters", "nodes", "global", "edges", "components", "wholebrain")


def trial_context(folder: Path, design_paths: Sequence[Path]) -> dict[str, Any]:
    """Return what the page shows of the trial as a whole.

    Parameters
    ----------
    folder : Path
        The group's folder.
    design_paths : list of Path
        The design.json of each route.

    Returns
    -------
    dict
        ``facts`` of trial.json or None, ``role_text``, and the records of the outcomes' tables; empty where a file
        is not there.
    """
    entities = {"contrast": Name.parse(design_paths[0]).entities["contrast"]}
    path = folder / result_path(entities, "trial", ".json")
    facts = {"Plan": None} | read_record(path, AGAIN) if path.exists() else None
    tables = {name: _records(folder, entities, name) for name in ("outcomes", "description", "missing", "tipping")}
    record = read_comparison(design_paths[0])
    figures = _outcome_figures(folder, entities, record) if facts else []
    said: dict[str, Any] = {"role_text": role_text(facts, tables["outcomes"])}
    said |= {"words": record.arms.words, "when": _when(record)}
    said |= {"single": record.arms.design.single, "tested": record.analyses.tested}
    said |= {
        "arms": record.arms.pair,
        "several": record.arms.orders is not None,
        "files": _files(folder, entities, OF_TRIAL),
    }
    said |= {"periods": record.arms.treatments is not None, "visits": _visits_of(record).values()}
    return {"facts": facts, **said, **tables, "figures": figures}


def _files(folder: Path, entities: Mapping[str, str], suffixes: Sequence[str]) -> dict[str, str]:
    """Return the names of those tables that there are."""
    names = {suffix: result_path(entities, suffix, ".tsv") for suffix in suffixes}
    return {suffix: name for suffix, name in names.items() if (folder / name).exists()}


def _when(record: ComparisonRecord) -> str:
    return " and ".join(_visits_of(record).values()) if record.arms.baseline_session else "the visit"


def _visits_of(record: ComparisonRecord) -> dict[str, str]:
    """Return what the visits are called; an outcome may have a baseline where the scans have none."""
    design = record.arms.design
    if record.arms.orders:
        return {"followup": "all periods"}
    if record.arms.treatments:
        return dict(zip(VISITS, design.periods, strict=True))
    return design.called if design.of_change else dict(zip(VISITS, LABELS, strict=True))


def route_context(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> dict[str, Any]:
    """Return what the page shows of one route's tables, as `trial_context`."""
    facts_path = folder / result_path({"contrast": entities["contrast"]}, "trial", ".json")
    facts = read_record(facts_path, AGAIN) if facts_path.exists() else {}
    context: dict[str, Any] = {name: _records(folder, entities, name) for name in ROUTE_TABLES}
    for name in ("roimissing", "regionsmissing", "wholebrainmissing"):
        context[name] = [row | {"value": _value(row)} for row in context[name]]
    for name in ("motion", "balance"):  # what is known of nobody is not worth a row
        context[name] = [row for row in context[name] if row["n_active"] or row.get("n_reference")]
    reliability = _table(folder, entities, "reliability")
    context["reliability"] = [] if reliability is None else titled(reliability).to_dict("records")
    context["regions"] = facts.get("Regions", {}).get(record.route)
    context["notes"] = {name: _note(folder, entities, name) for name in NOTED}
    context["files"] = _files(folder, entities, OF_ROUTE)
    context["motion_figure"] = _motion_figure(folder, entities, record.arms)
    context["when"] = _when(record)
    context["visits"] = _region_visits(folder, entities, context["regions"] or [], record)
    context["scatters"] = _scatters(folder, entities, record.arms)
    context["curves"] = _curves(folder, entities, context["regions"] or [])
    return context


def _value(row: Mapping[str, Any]) -> str:
    """Name a value by what it is known by; the name of a region that was found says the measure too."""
    if "cluster" in row:
        return str(row["region"])
    if "name" in row:
        return f"{row['name']}, {edges_text(row['edges'])}"
    title = Feature(row["measure"], row["edges"]).title
    return f"{row['region']}: {title}" if "region" in row else title


def role_text(facts: Mapping[str, Any] | None, outcomes: Sequence[Mapping[str, Any]] = ()) -> str:
    """Say what the results count for.

    Parameters
    ----------
    facts : dict or None
        Of trial.json.
    outcomes : list of dict
        Rows of the table of outcomes.

    Examples
    --------
    >>> role_text(None)
    'Exploratory: there is no plan (--plan), so that nothing on this page confirms a hypothesis.'
    """
    if not facts or not facts.get("Plan"):
        return "Exploratory: there is no plan (--plan), so that nothing on this page confirms a hypothesis."
    judged = [(row["role"], endpoint_of(row)) for row in outcomes if row["analysis"] == "main"]
    judged += [(one["Role"], one["Title"]) for one in facts["Roles"]]
    by_role = {role: dict.fromkeys(name for own, name in judged if own == role) for role in ROLES}
    said = [f"{role}: {'; '.join(names)}" for role, names in by_role.items() if names]
    sentences = [*said, "every analysis beside the headline's is exploratory"]
    text = f"By the plan, {'. '.join([sentences[0], *(one[0].upper() + one[1:] for one in sentences[1:])])}."
    plan = facts["Plan"]
    if lost := _lost(facts):
        why = "; ".join(_departure(one) for one in plan["Deviations"] if one["What"] not in (*PRECISION, *LISTS))
        text = f"Planned as primary, now exploratory because {why}: {lost}."
    elif plan["Deviations"]:
        n, names = len(plan["Deviations"]), [one["What"] for one in plan["Deviations"]]
        text += f" {f'There are {n} departures' if n > 1 else 'There is 1 departure'} from the plan, listed below"
        text += f" ({', '.join(names)})."
    return text


def _departure(one: Mapping[str, str]) -> str:
    planned = one["Planned"] if one["Planned"].startswith("not in the plan") else f"planned: {one['Planned']}"
    return f"{one['What']} is {one['Used']} ({planned})"


def _lost(facts: Mapping[str, Any]) -> str:
    """Return what was planned as primary where a departure made all of it exploratory; nothing where none did."""
    plan, roles = facts["Plan"], facts["Roles"]
    undone = [one for one in plan["Deviations"] if one["What"] not in (*PRECISION, *LISTS)]
    if not undone or any(one["Role"] == "primary" for one in roles):
        return ""
    settled = plan["Settled"]
    planned = [one for one in roles if one["Metric"] == settled.get("metric")]
    outcomes = settled.get("primary_outcomes") or []
    outcomes = [outcomes] if isinstance(outcomes, str) else outcomes
    return "; ".join([*(one["Title"] for one in planned), *outcomes])


def _table(folder: Path, entities: Mapping[str, str], suffix: str) -> pd.DataFrame | None:
    """Return a table, or None if it was not made."""
    path = folder / result_path(entities, suffix, ".tsv")
    return read_table(path, dtype={"participant_id": str, "arm": str, "level": str}) if path.exists() else None


def _records(folder: Path, entities: Mapping[str, str], suffix: str) -> list[dict[Any, Any]]:
    table = _table(folder, entities, suffix)
    if table is None:
        return []
    table = with_heads(table, dict(zip(PERIODS, VISITS, strict=True)))
    text = table.select_dtypes(exclude="number").columns
    table[text] = table[text].astype(object).fillna("")
    return table.to_dict("records")


def _note(folder: Path, entities: Mapping[str, str], suffix: str) -> str:
    path = folder / result_path(entities, suffix, ".json")
    content = read_record(path, AGAIN) if path.exists() else {}
    return " ".join(content[key] for key in ("Note", "Family") if isinstance(content.get(key), str))


def _outcome_figures(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> list[dict[str, Any]]:
    scores = _table(folder, entities, "scores")
    if scores is None:
        return []
    drawn: list[dict[str, Any]] = []
    for outcome, rows in scores.groupby("outcome", sort=False):
        path = _figure_path(folder, entities, "outcomes", len(drawn))
        save_figure(path, _visits_figure(rows, record.arms, str(outcome)))
        drawn.append({"outcome": outcome, "path": path})
    return drawn


def _visits_figure(rows: pd.DataFrame, arms: Arms, quantity: str, called: Mapping[str, str] | None = None) -> Figure:
    """Draw everyone's visits by arm, or of several periods everyone's treatments; a row of rows is one value."""
    if arms.orders:
        return visits_figure(_by_treatment(rows, arms), (EVERYONE,), quantity, _of_treatments(arms))
    return visits_figure(_drawn(_wide(rows), arms), arms.names, quantity, called or arms.design.called)


def _of_treatments(arms: Arms) -> dict[str, str]:
    """Return the treatments that are drawn in place of visits, the reference first."""
    return dict(zip(VISITS, arms.sides[::-1], strict=True))


def _by_treatment(rows: pd.DataFrame, arms: Arms) -> pd.DataFrame:
    """Return everyone's mean under the reference and under the active treatment in place of the visits."""
    periods = [visit for visit in arms.design.of_periods if visit in set(rows["visit"])]
    rows = rows[rows["visit"].isin(periods) & rows["arm"].isin(arms.names)]
    given = [arms.design.given(arm, visit) for arm, visit in zip(rows["arm"], rows["visit"], strict=True)]
    named = {name: visit for visit, name in _of_treatments(arms).items()}
    rows = rows.assign(treatment=pd.Series(given, index=rows.index).map(named)).dropna(subset=["treatment"])
    wide = rows.pivot_table(index="participant_id", columns="treatment", values="value")
    return wide.reindex(columns=list(VISITS)).assign(arm=EVERYONE)


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """Return arm, and what there is of baseline and followup, a row per participant."""
    rows = rows.assign(visit=rows["visit"].replace(dict(zip(PERIODS, VISITS, strict=True))))
    wide = rows.pivot(index="participant_id", columns="visit", values="value")
    wide = wide[[visit for visit in VISITS if visit in wide]]
    return wide.join(rows.drop_duplicates("participant_id").set_index("participant_id")["arm"])


def _drawn(wide: pd.DataFrame, arms: Arms) -> pd.DataFrame:
    """Leave out a baseline that has other units than the slope beside it."""
    return wide.drop(columns="baseline", errors="ignore") if arms.design.is_change else wide


def _figure_path(folder: Path, entities: Mapping[str, str], suffix: str, number: int | None = None) -> Path:
    end = "" if number is None else str(number + 1)
    return folder / result_path(entities, f"{suffix}{end}", ".svg")


def _motion_figure(folder: Path, entities: Mapping[str, str], arms: Arms) -> Path | None:
    flow_path = folder / result_path(entities, "flow", ".tsv")
    flow = read_flow(flow_path) if flow_path.exists() else None
    columns = {f"{visit}_mean_fd": visit for visit in VISITS}
    columns = {column: visit for column, visit in columns.items() if flow is not None and column in flow}
    if flow is None or not columns or flow[list(columns)].isna().all(axis=None):
        return None
    path = _figure_path(folder, entities, "motion")
    if arms.orders:
        by_period = {f"{visit}_mean_fd": str(period) for visit, period in arms.design.visits.items()}
        columns = {column: period for column, period in by_period.items() if column in flow}
        rows = flow.rename(columns=columns).melt(["participant_id", "arm"], list(columns.values()), "visit", "value")
        save_figure(path, _visits_figure(rows, arms, "mean FD (mm)"))
        return path
    save_figure(path, visits_figure(flow.rename(columns=columns), arms.names, "mean FD (mm)", arms.design.scanned))
    return path


def _region_visits(
    folder: Path, entities: Mapping[str, str], regions: Sequence[Mapping[str, str]], record: ComparisonRecord
) -> list[dict[str, Any]]:
    """Draw everyone's visits in the first regions, by arm."""
    roi = _table(folder, entities, "roi")
    drawn: list[dict[str, Any]] = []
    if roi is None:
        return drawn
    for region in regions[:N_REGIONS]:
        rows = roi[(roi["cluster"] == region["Cluster"]) & roi["analysed"]]
        path = _figure_path(folder, entities, "roi", len(drawn))
        values = "mean z score" if record.data.map_values == "z" else "mean value"
        save_figure(path, _visits_figure(rows, record.arms, values))
        drawn.append({"region": region["Name"], "text": region["Text"], "path": path})
    return drawn


def _scatters(folder: Path, entities: Mapping[str, str], arms: Arms) -> list[dict[str, Any]]:
    """Draw the first associations of the table: the first, not the strongest, which would flatter."""
    table, roi = _table(folder, entities, "association"), _table(folder, entities, "roi")
    scores = _table(folder, {"contrast": entities["contrast"]}, "scores")
    if table is None or roi is None or scores is None or len(arms.names) != 2:
        return []
    drawn: list[dict[str, Any]] = []
    for (region, outcome), rows in list(table.groupby(["region", "outcome"], sort=False))[:N_SCATTERS]:
        brain = _wide(roi[(roi["region"] == region) & roi["analysed"]])
        score = _wide(scores[scores["outcome"] == outcome])
        kind, slopes = rows["score"].iloc[0], rows.set_index("term")["slope"]
        pairs = pd.DataFrame({"arm": brain["arm"], "brain": _change(brain, arms)})
        pairs["outcome"] = _change(score, arms) if kind == "change" else score["followup"]
        path = _figure_path(folder, entities, "association", len(drawn))
        labels = (
            f"{'change in ' if 'baseline' in brain else ''}{region}",
            f"{'change in ' if kind == 'change' else ''}{outcome}",
        )
        save_figure(path, association_figure(pairs, (slopes["active"], slopes["reference"]), arms.names, labels))
        drawn.append({"region": region, "outcome": outcome, "path": path})
    return drawn


def _change(wide: pd.DataFrame, arms: Arms) -> pd.Series:
    """Return the change from baseline; of one visit, and of what is a change by itself, the value."""
    alone = arms.design.is_change or "baseline" not in wide
    return wide["followup"] if alone else wide["followup"] - wide["baseline"]


def _curves(folder: Path, entities: Mapping[str, str], regions: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    table = _table(folder, entities, "robustness")
    if table is None:
        return []
    texts = {one["Name"]: one["Text"] for one in regions}
    drawn: list[dict[str, Any]] = []
    for region, rows in table.groupby("region", sort=False):
        if rows["effect_size"].notna().any() and len(drawn) < N_CURVES:
            path = _figure_path(folder, entities, "robustness", len(drawn))
            save_figure(path, curve_figure(rows, f"{region}: {texts.get(str(region), '')}"))
            drawn.append({"region": region, "path": path, "n": int(rows["effect_size"].notna().sum())})
    return drawn
