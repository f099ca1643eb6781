"""The page of the group level."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.bids.files import read_table, save_figure, save_json
from bids_app.bids.findings import Finding
from bids_app.bids.names import Name, label
from bids_app.bids.result_names import PARCELLATION, result_files, result_path
from bids_app.report.answer import N_PLACES, Answer, Drawn, answer, not_tested, outcome_statements
from bids_app.report.described import described
from bids_app.report.effects import effects
from bids_app.report.evidence import evidence_of
from bids_app.report.flowchart import flowchart
from bids_app.report.found_maps import map_statements
from bids_app.report.found_parcels import edge_statements, parcel_statements
from bids_app.report.objectives import Objectives, read_objectives
from bids_app.report.pages import write_page
from bids_app.report.parcels import edge_context, node_context, titled
from bids_app.report.trial import route_context, trial_context
from bids_app.report.trialfigures import matrix_figure
from bids_app.runtime.group_folder import ANSWER
from bids_app.settings.roles import ROLES
from bids_app.trial.comparison_record import ComparisonRecord, read_comparison
from bids_app.trial.design import Design
from bids_app.trial.flow_table import read_flow


def write_group_page(folder: Path, design_paths: Sequence[Path], results: str, *, up: str = "") -> Path:
    """Write ``index.html``, its figures and ``results.json``, what it begins with as data, from the group's files.

    Parameters
    ----------
    folder : Path
        Where they lie.
    design_paths : list of Path
        The design.json of each route that the page shows; the other files lie beside it.
    results : str
        What the results are known by.
    up : str, optional
        The way from the page to the folder of the group level.

    Returns
    -------
    Path
    """
    routes = [_route(folder, path) for path in design_paths]
    page, trial = folder / "index.html", trial_context(folder, design_paths)
    objectives = read_objectives(folder / up, routes[0]["record"].arms.comparison if up else None)
    found = _answer(routes, trial, design_paths[0], objectives)
    save_json(folder / ANSWER, found.to_json())
    write_page(
        page,
        "group.html.jinja",
        routes=routes,
        answer=found,
        objectives=objectives,
        n_places=N_PLACES,
        shown=_first_map(routes),
        findings=_findings(routes),
        trial=trial,
        results=results,
        up=up,
    )
    return page


def _answer(
    routes: Sequence[Mapping[str, Any]], trial: Mapping[str, Any], design_path: Path, objectives: Objectives | None
) -> Answer:
    """Say what was found on every route and of every outcome, what counts most first."""
    record: ComparisonRecord = routes[0]["record"]
    file = result_path({"contrast": Name.parse(design_path).entities["contrast"]}, "outcomes", ".tsv")
    statements = [one for route in routes for one in route["statements"]]
    statements += outcome_statements(trial["outcomes"], record.arms, record.inference, file)
    confirmed = objectives.to_json() if objectives else ()
    return answer(record.arms, record.inference, statements, map(_drawn, routes), record.interim, confirmed)


def _drawn(route: Mapping[str, Any]) -> Drawn:
    """Return how many draws a route took."""
    record: ComparisonRecord = route["record"]
    inference = record.inference
    return Drawn(
        about=record.route,
        draws=inference.draws,
        at_most=inference.draws_at_most,
        not_settled=inference.not_settled or (),
    )


def _first_map(routes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the map of the measure that counts most, headline analysis, for the top of the page."""
    for route in routes:
        features = route["record"].analyses.features
        ranked = sorted(zip(features, route["effects"], strict=False), key=lambda pair: ROLES.index(pair[0].role))
        for _, drawn in ranked:
            headline = route["record"].analyses.headline
            of_headline = next(one for one in drawn["maps"] if one["estimator"] == headline)
            return {"feature": drawn["feature"], "record": route["record"], **of_headline}
    return None


def design_paths(folder: Path) -> list[Path]:
    """List the design.json of every route that was compared before: maps, then atlas by atlas, connections last."""
    return sorted(result_files(folder, "design", ".json"), key=_place)


def _place(path: Path) -> tuple[Any, ...]:
    entities = Name.parse(path).entities
    kind = read_comparison(path).kind
    atlas = tuple(entities.get(key, "") for key in PARCELLATION)
    return any(atlas), kind == "edges", atlas, kind == "global", path.name


def _route(folder: Path, design_path: Path) -> dict[str, Any]:
    record, entities = read_comparison(design_path), Name.parse(design_path).entities
    flow = read_flow(folder / result_path(entities, "flow", ".tsv"))
    arms = record.arms.design
    route = {
        "anchor": label(record.route),
        "record": record,
        "trial": route_context(folder, entities, record),
        "chart": flowchart(flow, arms),
        "left_out": flow[~flow["analysed"]].to_dict("records"),
        "scan_quality": scan_quality(flow, arms),
        "matrix": _matrix(folder, entities, record),
        "whole_brain": _records(folder / result_path(entities, "wholebrain", ".tsv")),
        "named": _records(folder / result_path(entities, "regions", ".tsv")),
        "means": _means(arms),
    }
    return route | _found(folder, entities, record)


def _means(arms: Design) -> dict[str, dict[str, str]]:
    """Return the columns of the means over the whole brain: by visit and arm, or of several periods by treatment."""
    if arms.orders:
        return {"all periods": {name: f"mean_{label(name)}" for name in arms.sides}}
    return {
        said: {arm: f"{arms.columns[visit]}_mean_{label(arm)}" for arm in arms.compared}
        for visit, said in arms.called.items()
    }


def _found(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> dict[str, Any]:
    """Return where the arms differ, by the kind of the route, and the headline that says so."""
    nothing: dict[str, Any] = {"clusters": None, "effects": [], "parcels": [], "connections": [], "described": None}
    if not record.analyses.tested:
        return nothing | {
            "described": described(folder, entities, record),
            "statements": [not_tested(record.route, record.arms)],
        }
    evidence = evidence_of(folder, entities, record)
    if record.kind == "maps":
        clusters = _records(folder / result_path(entities, "clusters", ".tsv"))
        shown = {"clusters": clusters, "statements": map_statements(clusters, record, evidence)}
        return nothing | shown | {"effects": effects(folder, entities, record)}
    if record.kind == "edges":
        found = edge_context(folder, entities, record)
        return nothing | {"connections": found, "statements": edge_statements(found, record, evidence)}
    results = node_context(folder, entities, record)
    return nothing | {"parcels": results, "statements": parcel_statements(results, record, evidence)}


def _findings(routes: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Collect what the routes' records say was assumed, each once, warnings apart."""
    found: dict[Finding, list[str]] = {}
    for record in (route["record"] for route in routes):
        for one in record.findings:
            found.setdefault(one, []).append(record.route)
    rows = [asdict(one) | {"routes": names if len(names) < len(routes) else []} for one, names in found.items()]
    return {"warnings": [row for row in rows if row["warning"]], "all": rows}


def _records(path: Path) -> list[dict[Any, Any]]:
    if not path.exists():
        return []
    return titled(read_table(path)).to_dict("records")


def _matrix(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> Path | None:
    path = folder / result_path(entities, "matrix", ".tsv")
    if not path.exists() or not record.analyses.tested:
        return None
    table = read_table(path, dtype={"stratum": str})
    if table.columns.tolist() == ["participant_id"]:  # of one group, and nothing is adjusted for
        return None
    drawn = folder / result_path(entities, "matrix", ".png")
    save_figure(drawn, matrix_figure(table, record.arms.names))
    return drawn


def scan_quality(flow: pd.DataFrame, arms: Design) -> list[dict[str, Any]]:
    """Summarize motion, data kept and coverage of those analysed, by arm and visit.

    Returns
    -------
    list of dict
        arm, visit, n, and mean and standard deviation of each quantity.
    """
    rows = []
    for visit, said in arms.scanned.items():
        for arm in arms.compared:
            members = flow[flow["analysed"] & (flow["arm"] == arm)]
            row: dict[str, Any] = {"arm": arm, "visit": said, "n": len(members)}
            for quantity in ("mean_fd", "volumes", "minutes", "coverage"):
                values = members[f"{visit}_{quantity}"]
                row[quantity] = (values.mean(), values.std())
            rows.append(row)
    return rows
