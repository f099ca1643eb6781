"""The primary result in a sentence."""

from bids_app.report.pages import number, p_value


def map_headline(clusters, design):
    """Say where the arms differ in the headline analysis.

    Parameters
    ----------
    clusters : list of dict
        Rows of the cluster table, with the feature's title.
    design : dict
        Content of design.json.

    Returns
    -------
    dict
        ``text``, the sentence, and ``rows``: for each feature with clusters its title, how many, and the first
        (that with the smallest p, then the largest) in words.
    """
    own = [row for row in clusters if row["estimator"] == design["Headline"]]
    how = f"{design['Estimators'][design['Headline']]}, whole-brain FWE p ≤ {design['Alpha']}"
    if not own:
        return {"text": f"The arms do not differ significantly anywhere ({how}).", "rows": []}
    rows = []
    for title in (one["Title"] for one in design["Features"]):
        found = sorted(
            (row for row in own if row["feature"] == title), key=lambda row: (row["p_fwe"], -row["n_voxels"])
        )
        if found:
            rows.append({"feature": title, "n": len(found), "text": _cluster_text(found[0], design)})
    n_clusters = f"{len(own)} cluster{'s' if len(own) > 1 else ''}"
    where = f"{len(rows)} of {len(design['Features'])} measures"
    return {"text": f"The arms differ in {n_clusters} of {where} ({how}).", "rows": rows}


def _cluster_text(row, design):
    labels = [row[column] for column in design["AnatomyColumns"] if column.startswith("peak") and row.get(column)]
    place = ", ".join(number(row[f"peak_{axis}"]) for axis in "xyz")
    return (
        f"{row['direction']}{', ' + labels[0] if labels else ''} ({place} mm): "
        f"g = {number(row['hedges_g'])} ({number(row['g_low'])} to {number(row['g_high'])}), "
        f"p FWE {_p(row['p_fwe'])}, {row['n_voxels']} nodes"
    )


def _p(value):
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def parcel_headline(results, design):
    """Say in how many parcels the arms differ in the headline analysis, as `map_headline`."""
    own = [result for result in results if result["estimator"] == design["Headline"]]
    how = f"{design['Estimators'][design['Headline']]}, FWE p ≤ {design['Alpha']} over all parcels"
    rows = [
        {"feature": result["feature"], "n": result["n_fwe"], "text": _parcel_text(result["rows"][0], design)}
        for result in own
        if result["n_fwe"]
    ]
    if not rows:
        n_parcels = max((result["n"] for result in own), default=0)
        return {"text": f"The arms do not differ significantly in any of {n_parcels} parcels ({how}).", "rows": []}
    n_found = sum(row["n"] for row in rows)
    return {
        "text": f"The arms differ in {n_found} parcel{'s' if n_found > 1 else ''}, of {len(rows)} of "
        f"{len(own)} measures ({how}).",
        "rows": rows,
    }


def _parcel_text(row, design):
    larger, smaller = (design["ActiveArm"], design["ReferenceArm"])[:: 1 if row["t"] > 0 else -1]
    return (
        f"{larger} > {smaller}, {row['name']}: g = {number(row['hedges_g'])} "
        f"({number(row['g_low'])} to {number(row['g_high'])}), p FWE {_p(row['p_fwe'])}"
    )
