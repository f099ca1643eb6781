"""The page of the group level."""

import json
from functools import partial

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.cohort import Design
from bids_app.derivatives import surface_path
from bids_app.features import Feature
from bids_app.flow import VISITS, counts
from bids_app.names import Name, build, label
from bids_app.outputs import save_figure
from bids_app.report.figures import effect_figure
from bids_app.report.pages import write_page
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.report.trial import route_context, trial_context
from bids_app.roles import ROLES
from bids_app.routes import MAPS
from bids_app.surfacefiles import load_surface

N_PARCELS_SHOWN = 10


def write_group_page(output_dir, design_paths):
    """Write ``group/index.html`` and its figures from the files of the group level.

    Parameters
    ----------
    output_dir : Path
    design_paths : list of Path
        The design.json of each route that the page shows; the other files lie beside it.

    Returns
    -------
    Path
    """
    folder = output_dir / "group"
    routes = [_route(folder, path) | {"trial": route_context(folder, path)} for path in design_paths]
    page = folder / "index.html"
    write_page(page, "group.html.jinja", routes=routes, trial=trial_context(folder, design_paths))
    return page


def _route(folder, design_path):
    design = json.loads(design_path.read_text())
    entities = Name.parse(design_path).entities
    flow = pd.read_csv(folder / build(entities, "flow", ".tsv"), sep="\t", na_values="n/a")
    arms = Design(
        *(design[key] for key in ("ArmColumn", "ActiveArm", "ReferenceArm", "BaselineSession", "FollowupSession"))
    )
    route = {
        "design": design,
        "planned": _by_role(design),
        "counts": counts(flow, arms),
        "left_out": flow[~flow["analysed"]].to_dict("records"),
        "scan_quality": scan_quality(flow, arms),
        "whole_brain": _records(folder / build(entities, "wholebrain", ".tsv")),
        "means": {
            visit: {arm: f"{visit}_mean_{label(arm)}" for arm in (arms.active, arms.reference)} for visit in VISITS
        },
    }
    if design["Route"] in MAPS.values():
        clusters = _records(folder / build(entities, "clusters", ".tsv"))
        return route | {"clusters": clusters, "figures": _figures(folder, entities, design), "parcels": None}
    return route | {
        "clusters": None,
        "figures": [],
        "parcels": parcel_results(folder / build(entities, "nodes", ".tsv"), design["Alpha"]),
    }


def _by_role(design):
    """Sort the features by what they count for; nothing where there was no plan."""
    roles = {}
    for one in design["Features"]:
        roles.setdefault(one["Role"], []).append(one["Title"])
    return {role: roles.get(role, []) for role in ROLES} if set(roles) - {"exploratory"} else {}


def _records(path):
    return _titled(pd.read_csv(path, sep="\t", na_values="n/a")).to_dict("records")


def _titled(table):
    titles = [Feature(*pair).title for pair in table[["metric", "edges"]].itertuples(index=False)]
    return table.assign(feature=titles)


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


def _figures(folder, entities, design):
    """Draw the effect maps of every feature and estimator."""
    drawn, on_surface = [], design["Route"] == "grayordinates"
    surface = load_surface(surface_path(folder.parent, entities)) if on_surface else None
    extension = ".dscalar.nii" if on_surface else ".nii.gz"
    for feature in (Feature(one["Metric"], one["Edges"]) for one in design["Features"]):
        for estimator, text in design["Estimators"].items():
            desc = feature.label + design["MapSuffixes"][estimator]
            effect, p_fwe = (
                nib.load(folder / build({**entities, "stat": stat, "desc": desc}, "statmap", extension))
                for stat in ("hedgesG", "pFwe")
            )
            values = p_fwe.get_fdata()
            n_significant = int((np.nan_to_num(values, nan=1) <= design["Alpha"]).sum())
            path = folder / "figures" / build({**entities, "stat": "hedgesG", "desc": desc}, "statmap", ".png")
            title = f"{feature.title}: Hedges g, {design['Contrast']}; outlined: FWE p ≤ {design['Alpha']}"
            draw = effect_figure if surface is None else partial(surface_figure, surface)
            save_figure(path, draw(effect, p_fwe, title, design["Alpha"]))
            drawn.append(
                {
                    "feature": feature.title,
                    "estimator": estimator,
                    "text": text,
                    "path": path,
                    "n_significant": n_significant,
                    "smallest_p": float(np.nanmin(values)),
                }
            )
    return drawn


def surface_figure(surface, effect, p_fwe, title, alpha):
    """Draw `surface_effect_figure` of two images."""
    effect, p_fwe = (image.get_fdata().ravel()[surface.mask] for image in (effect, p_fwe))
    return surface_effect_figure(surface, effect, p_fwe, title, alpha)


def parcel_results(path, alpha):
    """Return the parcels with the smallest p, for each feature and estimator, and how many pass each correction."""
    table = _titled(pd.read_csv(path, sep="\t", na_values="n/a"))
    results = []
    for (feature, estimator), rows in table.groupby(["feature", "estimator"], sort=False):
        results.append(
            {
                "feature": feature,
                "estimator": estimator,
                "n": len(rows),
                "n_fwe": int((rows["p_fwe"] <= alpha).sum()),
                "n_fdr": int((rows["p_fdr"] <= alpha).sum()),
                "rows": rows.sort_values(["p_fwe", "p"]).head(N_PARCELS_SHOWN).to_dict("records"),
            }
        )
    return results
