"""The page of the group level."""

from bids_app.bids.files import read_table, save_figure
from bids_app.bids.names import Name, build, label
from bids_app.bids.result_names import MAPS, PARCELLATION
from bids_app.report.effects import effects
from bids_app.report.flowchart import flowchart
from bids_app.report.headline import edge_headline, map_headline, parcel_headline
from bids_app.report.pages import write_page
from bids_app.report.parcels import edge_context, node_context, titled
from bids_app.report.trial import AGAIN, route_context, trial_context
from bids_app.report.trialfigures import matrix_figure
from bids_app.system.small_files import read_record
from bids_app.trial.design import Design
from bids_app.trial.flow import VISITS, read_flow


def write_group_page(folder, design_paths, results):
    """Write ``index.html`` and its figures from the files of the group level.

    Parameters
    ----------
    folder : Path
        Where they lie.
    design_paths : list of Path
        The design.json of each route that the page shows; the other files lie beside it.
    results : str
        What the results are known by.

    Returns
    -------
    Path
    """
    routes = [_route(folder, path) | {"trial": route_context(folder, path)} for path in design_paths]
    page = folder / "index.html"
    write_page(
        page,
        "group.html.jinja",
        routes=routes,
        findings=_findings(routes),
        trial=trial_context(folder, design_paths),
        results=results,
    )
    return page


def design_paths(folder):
    """List the design.json of every route that was compared before: maps, then atlas by atlas, connections last."""
    return sorted(folder.glob("*_design.json"), key=_place)


def _place(path):
    entities = Name.parse(path).entities
    kind = read_record(path, AGAIN).get("Kind", "maps")
    atlas = tuple(entities.get(key, "") for key in PARCELLATION)
    return any(atlas), kind == "edges", atlas, kind == "global", path.name


def _route(folder, design_path):
    design = read_record(design_path, AGAIN)
    kind = "maps" if design["Route"] in MAPS.values() else "parcels"
    design = {"Kind": kind} | design  # which files of earlier versions do not say
    entities = Name.parse(design_path).entities
    flow = read_flow(folder / build(entities, "flow", ".tsv"))
    arms = Design(
        *(design[key] for key in ("ArmColumn", "ActiveArm", "ReferenceArm", "BaselineSession", "FollowupSession"))
    )
    route = {
        "anchor": label(design["Route"]),
        "design": design,
        "chart": flowchart(flow, arms),
        "left_out": flow[~flow["analysed"]].to_dict("records"),
        "scan_quality": scan_quality(flow, arms),
        "matrix": _matrix(folder, entities, design),
        "whole_brain": _records(folder / build(entities, "wholebrain", ".tsv")),
        "named": _records(folder / build(entities, "regions", ".tsv")),
        "means": {
            visit: {arm: f"{visit}_mean_{label(arm)}" for arm in (arms.active, arms.reference)} for visit in VISITS
        },
        "clusters": None,
        "effects": [],
        "parcels": [],
        "connections": [],
    }
    if design["Kind"] == "maps":
        clusters = _records(folder / build(entities, "clusters", ".tsv"))
        shown = {"clusters": clusters, "headline": map_headline(clusters, design)}
        return route | shown | {"effects": effects(folder, entities, design)}
    if design["Kind"] == "edges":
        found = edge_context(folder, entities, design)
        return route | {"connections": found, "headline": edge_headline(found, design)}
    results = node_context(folder, entities, design)
    return route | {"parcels": results, "headline": parcel_headline(results, design)}


def _findings(routes):
    """Collect what the routes' records say was assumed, each once, warnings apart."""
    found = {}
    for route in routes:
        for one in route["design"].get("Findings", []):
            found.setdefault((one["Warning"], one["About"], one["Text"]), []).append(route["design"]["Route"])
    rows = [
        {"warning": warning, "about": about, "text": text, "routes": names if len(names) < len(routes) else []}
        for (warning, about, text), names in found.items()
    ]
    return {"warnings": [row for row in rows if row["warning"]], "all": rows}


def _records(path):
    if not path.exists():
        return []
    return titled(read_table(path)).to_dict("records")


def _matrix(folder, entities, design):
    path = folder / build(entities, "matrix", ".tsv")
    if not path.exists():
        return None
    table = read_table(path, dtype={"stratum": str})
    drawn = folder / "figures" / build(entities, "matrix", ".png")
    save_figure(drawn, matrix_figure(table, (design["ActiveArm"], design["ReferenceArm"])))
    return drawn


def scan_quality(flow, arms):
    """Summarize motion, data kept and coverage of those analysed, by arm and visit.

    Returns
    -------
    list of dict
        arm, visit, n, and mean and standard deviation of each quantity.
    """
    rows = []
    for visit in VISITS:
        for arm in (arms.active, arms.reference):
            members = flow[flow["analysed"] & (flow["arm"] == arm)]
            row = {"arm": arm, "visit": visit.replace("up", "-up"), "n": len(members)}
            for quantity in ("mean_fd", "volumes", "minutes", "coverage"):
                values = members[f"{visit}_{quantity}"]
                row[quantity] = (values.mean(), values.std())
            rows.append(row)
    return rows
