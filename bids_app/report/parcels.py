"""What the page of the group level shows of parcels, of whole graphs and of connections."""

import nibabel as nib
import pandas as pd

from bids_app.bids.files import read_table, save_figure
from bids_app.bids.names import Name, build
from bids_app.bids.result_names import MAPS, parcellation_of, surface_path
from bids_app.graph.features import Feature, camel
from bids_app.report import mapfigures
from bids_app.report.parcelfigures import chord_figure, connectome_figure, nodes_figure
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.report.trialfigures import forest_figure
from bids_app.space.surface_files import load_surface

N_SHOWN = 10
N_CHORDS = 300


def node_context(folder, entities, design):
    """Return the results of parcels, or of the measures of whole graphs, with their figures.

    Parameters
    ----------
    folder : Path
        The group's folder.
    entities : dict
        Of the route and the contrast.
    design : dict
        Content of design.json.

    Returns
    -------
    list of dict
        For each feature and estimator, the parcels with the smallest p (all measures of a whole graph), how many pass
        each correction, a summary by network, and of the headline the figures.
    """
    suffix = "global" if design["Kind"] == "global" else "nodes"
    table = titled(read_table(folder / build(entities, suffix, ".tsv"), dtype={"name": str, "network": str}))
    results = []
    for (feature, estimator), rows in table.groupby(["feature", "estimator"], sort=False):
        ordered = rows.assign(alpha=design["Alpha"]).sort_values(["p_fwe", "p"])
        shown = ordered if suffix == "global" else ordered.head(N_SHOWN)
        result = {
            "feature": feature,
            "estimator": estimator,
            "n": len(rows),
            "n_fwe": int((rows["p_fwe"] <= design["Alpha"]).sum()),
            "n_fwe_all": int((rows["p_fwe_all"] <= design["Alpha"]).sum()),
            "n_fdr": int((rows["p_fdr"] <= design["Alpha"]).sum()),
            "rows": shown.to_dict("records"),
            "networks": _by_network(rows, design["Alpha"]),
            "figures": dict.fromkeys(("brain", "map", "forest")),
        }
        if estimator == design["Headline"]:
            own = Feature(*rows[["metric", "edges"]].iloc[0])
            result["figures"] |= _draw(folder, entities, design, own, rows, result)
        results.append(result)
    return results


def titled(table):
    """Add the title of each row's feature to a table of results."""
    titles = [Feature(*pair).title for pair in table[["metric", "edges"]].itertuples(index=False)]
    return table.assign(feature=titles)


def _by_network(rows, alpha):
    if "network" not in rows or rows["network"].isna().all():
        return []
    groups = rows.assign(significant=rows["p_fwe"] <= alpha).groupby("network")
    table = groups.agg(n=("t", "size"), hedges_g=("hedges_g", "mean"), t=("t", "mean"), n_fwe=("significant", "sum"))
    return table.reset_index().to_dict("records")


def _draw(folder, entities, design, feature, rows, result):
    """Draw the forest of those shown, all parcels in the brain, and their map."""
    what = "measures" if design["Kind"] == "global" else f"the {len(result['rows'])} parcels with the smallest p"
    title = f"{result['feature']}: {what}, {design['Contrast']}"
    direction = f"{design['ActiveArm']} > {design['ReferenceArm']}"
    desc = camel([entities.get("desc"), feature.label])
    drawn = {"forest": (forest_figure(result["rows"], title, direction), ".svg")}
    if {"x", "y", "z"} <= set(rows):
        outlined = f"{result['feature']}: Hedges g, {design['Contrast']}; ringed: FWE p ≤ {design['Alpha']}"
        drawn["brain"] = (nodes_figure(rows, design["Alpha"], outlined), ".png")
        drawn["map"] = (_map_figure(folder, entities, design, desc, result["feature"]), ".png")
    paths = {}
    for name, (figure, extension) in drawn.items():
        if figure is not None:
            paths[name] = folder / "figures" / build({**entities, "desc": f"{desc}{name.title()}"}, "nodes", extension)
            save_figure(paths[name], figure)
    return paths


def _map_figure(folder, entities, design, desc, title):
    """Draw the results painted back as a map, where they were painted."""
    desc += design["MapSuffixes"][design["Headline"]]
    text = f"{title}: Hedges g, {design['Contrast']}; outlined: FWE p ≤ {design['Alpha']}"
    for extension in MAPS:
        names = [build({**entities, "stat": s, "desc": desc}, "statmap", extension) for s in ("hedgesG", "t", "pFwe")]
        if all((folder / name).exists() for name in names):
            images = [nib.load(folder / name) for name in names]
            if extension == ".nii.gz":
                return mapfigures.strip_figure(mapfigures.Effect(*images, design["Alpha"], text))
            surface = load_surface(surface_path(folder.parent, entities))
            size, _, p_fwe = (image.get_fdata().ravel()[surface.mask] for image in images)
            return surface_effect_figure(surface, size, p_fwe, text, design["Alpha"])
    return None


def edge_context(folder, entities, design):
    """Return the components and the connections of one route, with their figures.

    Returns
    -------
    list of dict
        For each estimator its components, the connections with the smallest p, how many are significant, and figures
        of the significant ones, or of those with the smallest p where there are none.
    """
    table = read_table(folder / build(entities, "edges", ".tsv"), dtype={"name": str, "from": str, "to": str})
    components = read_table(folder / build(entities, "components", ".tsv"))
    parcels, results = _parcels_of(folder, entities, table), []
    for estimator, rows in table.groupby("estimator", sort=False):
        rows = rows.sort_values(["p_fwe", "p"], kind="stable")
        significant = rows[rows["component"].notna()]
        result = {
            "estimator": estimator,
            "components": components[components["estimator"] == estimator].to_dict("records"),
            "rows": rows.head(N_SHOWN).to_dict("records"),
            "n_fwe": len(significant),
            "figures": {},
        }
        if estimator == design["Headline"]:
            drawn = (significant if len(significant) else rows).head(N_CHORDS)
            result["n_drawn"] = len(drawn)
            what = (
                "significant connections"
                if len(significant)
                else "the connections with the smallest p, none significant"
            )
            title = f"t, {design['Contrast']}: {what}"
            result["figures"] = _draw_connections(folder, entities, parcels, drawn, title)
        results.append(result)
    return results


def _parcels_of(folder, entities, edges):
    """Return name, network and place of the parcels: from the nodal results of the same atlas, else names alone."""
    own = parcellation_of(entities)
    names = list(dict.fromkeys([*edges["from"], *edges["to"]]))
    for path in sorted(folder.glob("*_nodes.tsv")):
        if parcellation_of(Name.parse(path).entities) == own:
            table = read_table(path, dtype={"name": str, "network": str}).drop_duplicates("name")
            known = table[[column for column in ("name", "network", "x", "y", "z") if column in table]]
            missing = [name for name in names if name not in set(known["name"])]
            return known.set_index("name").reindex([*known["name"], *missing]).reset_index()
    return pd.DataFrame({"name": names})


def _draw_connections(folder, entities, parcels, connections, title):
    drawn = {
        "connectome": connectome_figure(parcels, connections, title),
        "chord": chord_figure(parcels, connections, title),
    }
    paths = {}
    for name, figure in drawn.items():
        if figure is not None:
            paths[name] = folder / "figures" / build(entities, name, ".png" if name == "connectome" else ".svg")
            save_figure(paths[name], figure)
    return paths
