"""What the page of the group level shows of parcels, of whole graphs and of connections."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import nibabel as nib
import pandas as pd
from matplotlib.figure import Figure

from bids_app.bids.files import read_table, save_figure
from bids_app.bids.names import Name
from bids_app.bids.result_names import MAPS, output_of, parcellation_of, result_files, result_path, surface_path
from bids_app.graph.features import Feature, camel
from bids_app.report import mapfigures
from bids_app.report.parcelfigures import chord_figure, connectome_figure, nodes_figure
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.report.trialfigures import forest_figure
from bids_app.space.surface_files import load_surface
from bids_app.trial.comparison_record import ComparisonRecord

N_SHOWN = 10
N_CHORDS = 300


def node_context(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> list[dict[str, Any]]:
    """Return the results of parcels, or of the measures of whole graphs, with their figures.

    Parameters
    ----------
    folder : Path
        The group's folder.
    entities : dict
        Of the route and the contrast.
    record : ComparisonRecord

    Returns
    -------
    list of dict
        For each feature and estimator, the parcels with the smallest p (all measures of a whole graph), how many pass
        each correction, a summary by network, and of the headline the figures.
    """
    suffix = "global" if record.kind == "global" else "nodes"
    table = titled(read_table(folder / result_path(entities, suffix, ".tsv"), dtype={"name": str, "network": str}))
    results = []
    for (feature, estimator), rows in table.groupby(["feature", "estimator"], sort=False):
        ordered = rows.assign(alpha=record.inference.alpha).sort_values(["p_fwe", "p"])
        shown = ordered if suffix == "global" else ordered.head(N_SHOWN)
        result: dict[str, Any] = {
            "feature": feature,
            "estimator": estimator,
            "n": len(rows),
            "n_fwe": int((rows["p_fwe"] <= record.inference.alpha).sum()),
            "n_fwe_all": int((rows["p_fwe_all"] <= record.inference.alpha).sum()),
            "n_fdr": int((rows["p_fdr"] <= record.inference.alpha).sum()),
            "rows": shown.to_dict("records"),
            "significant": ordered[ordered["p_fwe"] <= record.inference.alpha].to_dict("records"),
            "networks": _by_network(rows, record.inference.alpha),
            "figures": dict.fromkeys(("brain", "map", "forest")),
        }
        if estimator == record.analyses.headline:
            result["figures"] |= _draw(folder, entities, record, rows, result)
        results.append(result)
    return results


def titled(table: pd.DataFrame) -> pd.DataFrame:
    """Add the title of each row's feature to a table of results."""
    titles = [Feature(*pair).title for pair in table[["measure", "edges"]].itertuples(index=False)]
    return table.assign(feature=titles)


def _by_network(rows: pd.DataFrame, alpha: float) -> list[dict[Any, Any]]:
    if "network" not in rows or rows["network"].isna().all():
        return []
    groups = rows.assign(significant=rows["p_fwe"] <= alpha).groupby("network")
    table = groups.agg(n=("t", "size"), hedges_g=("hedges_g", "mean"), t=("t", "mean"), n_fwe=("significant", "sum"))
    return table.reset_index().to_dict("records")


def _draw(
    folder: Path, entities: Mapping[str, str], record: ComparisonRecord, rows: pd.DataFrame, result: dict[str, Any]
) -> dict[str, Path]:
    """Draw the forest of those shown, all parcels in the brain, and their map."""
    what = "measures" if record.kind == "global" else f"the {len(result['rows'])} parcels with the smallest p"
    title = f"{result['feature']}: {what}, {record.arms.contrast}"
    direction = record.direction(1)
    feature = Feature(*rows[["measure", "edges"]].iloc[0])
    desc = camel([entities.get("desc", ""), feature.label])
    drawn: dict[str, tuple[Figure | None, str]] = {}
    if record.analyses.slope is None:
        drawn["forest"] = forest_figure(result["rows"], title, direction), ".svg"
    if {"x", "y", "z"} <= set(rows):
        outlined = f"{result['feature']}: Hedges g, {record.arms.contrast}; ringed: FWE p ≤ {record.inference.alpha}"
        drawn["brain"] = (nodes_figure(rows, record.inference.alpha, outlined), ".png")
        drawn["map"] = (_map_figure(folder, entities, record, desc, result["feature"]), ".png")
    paths = {}
    for name, (figure, extension) in drawn.items():
        if figure is not None:
            paths[name] = folder / result_path({**entities, "desc": f"{desc}{name.title()}"}, "nodes", extension)
            save_figure(paths[name], figure, dpi=300)
    return paths


def _map_figure(
    folder: Path, entities: Mapping[str, str], record: ComparisonRecord, desc: str, title: str
) -> Figure | None:
    """Draw the results painted back as a map, where they were painted."""
    desc += record.analyses.map_suffixes[record.analyses.headline]
    text, alpha = f"{title}, {record.analyses.headline_text}: Hedges g, {record.arms.contrast}", record.inference.alpha
    for extension in MAPS:
        named = [{**entities, "stat": stat, "desc": desc} for stat in ("hedgesG", "t", "pFwe")]
        names = [result_path(one, "statmap", extension) for one in named]
        if all((folder / name).exists() for name in names):
            size, statistic, p_fwe = (cast(Any, nib.load(folder / name)) for name in names)
            if (p_fwe.get_fdata() <= alpha).any():
                text += f"; outlined: FWE p ≤ {alpha}"
            if extension == ".nii.gz":
                effect = mapfigures.Effect(size, statistic, p_fwe, alpha, text, record.arms.sides)
                return mapfigures.strip_figure(effect)
            surface = load_surface(surface_path(output_of(folder), entities))
            g, p = (image.get_fdata().ravel()[surface.mask] for image in (size, p_fwe))
            return surface_effect_figure(surface, g, p, text, alpha)
    return None


def edge_context(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> list[dict[str, Any]]:
    """Return the components and the connections of one route, with their figures.

    Returns
    -------
    list of dict
        For each estimator its components, the connections with the smallest p, how many are significant, and figures
        of the significant ones, or of those with the smallest p where there are none.
    """
    table = read_table(folder / result_path(entities, "edges", ".tsv"), dtype={"name": str, "from": str, "to": str})
    components = read_table(folder / result_path(entities, "components", ".tsv"))
    parcels, results = _parcels_of(folder, entities, table), []
    for estimator, rows in table.groupby("estimator", sort=False):
        rows = rows.sort_values(["p_fwe", "p"], kind="stable")
        significant = rows[rows["component"].notna()]
        result: dict[str, Any] = {
            "estimator": estimator,
            "components": components[components["estimator"] == estimator].to_dict("records"),
            "rows": rows.head(N_SHOWN).to_dict("records"),
            "n_fwe": len(significant),
            "figures": {},
        }
        if estimator == record.analyses.headline:
            drawn = (significant if len(significant) else rows).head(N_CHORDS)
            result["n_drawn"] = len(drawn)
            what = (
                "significant connections"
                if len(significant)
                else "the connections with the smallest p, none significant"
            )
            title = f"t, {record.arms.contrast}: {what}"
            result["figures"] = _draw_connections(folder, entities, parcels, drawn, title)
        results.append(result)
    return results


def _parcels_of(folder: Path, entities: Mapping[str, str], edges: pd.DataFrame) -> pd.DataFrame:
    """Return name, network and place of the parcels: from the nodal results of the same atlas, else names alone."""
    own = parcellation_of(entities)
    names = list(dict.fromkeys([*edges["from"], *edges["to"]]))
    for path in result_files(folder, "nodes", ".tsv"):
        if parcellation_of(Name.parse(path).entities) == own:
            table = read_table(path, dtype={"name": str, "network": str}).drop_duplicates("name")
            known = table[[column for column in ("name", "network", "x", "y", "z") if column in table]]
            missing = [name for name in names if name not in set(known["name"])]
            return known.set_index("name").reindex([*known["name"], *missing]).reset_index()
    return pd.DataFrame({"name": names})


def _draw_connections(
    folder: Path, entities: Mapping[str, str], parcels: pd.DataFrame, connections: pd.DataFrame, title: str
) -> dict[str, Path]:
    drawn = {
        "connectome": connectome_figure(parcels, connections, title),
        "chord": chord_figure(parcels, connections, title),
    }
    paths = {}
    for name, figure in drawn.items():
        if figure is not None:
            paths[name] = folder / result_path(entities, name, ".png" if name == "connectome" else ".svg")
            save_figure(paths[name], figure, dpi=300)
    return paths
