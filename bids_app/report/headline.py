"""The primary result in a sentence."""

from bids_app.report.pages import centre, number, p_value


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
    """Say in how many parcels, or measures of the whole graph, the arms differ in the headline analysis."""
    own = [result for result in results if result["estimator"] == design["Headline"]]
    what = "measure of the whole graph" if design["Kind"] == "global" else "parcel"
    how = f"{design['Estimators'][design['Headline']]}, FWE p ≤ {design['Alpha']} over all {_plural(what)}"
    rows = [
        {"feature": result["feature"], "n": result["n_fwe"], "text": _parcel_text(result["rows"][0], design)}
        for result in own
        if result["n_fwe"]
    ]
    if not rows:
        n_tested = f"{max((result['n'] for result in own), default=0)} {_plural(what)}"
        return {"text": f"The arms do not differ significantly in any of {n_tested} ({how}).", "rows": []}
    n_found = sum(row["n"] for row in rows)
    found = f"{n_found} {what if n_found == 1 else _plural(what)}"
    kinds = "edge rules" if design["Kind"] == "global" else "measures"
    several = f", of {len(rows)} of {len(own)} {kinds}" if len(own) > 1 else ""
    return {"text": f"The arms differ in {found}{several} ({how}).", "rows": rows}


def _plural(what):
    """Put what is counted in the plural.

    Examples
    --------
    >>> _plural("measure of the whole graph"), _plural("parcel")
    ('measures of the whole graph', 'parcels')
    """
    first, space, rest = what.partition(" ")
    return f"{first}s{space}{rest}"


def edge_headline(results, design):
    """Say by which components of connections the arms differ in the headline analysis."""
    own = next(result for result in results if result["estimator"] == design["Headline"])
    how = f"{design['Estimators'][design['Headline']]}, {design['Statistic'].upper()}, FWE p ≤ {design['Alpha']}"
    if not own["components"]:
        return {"text": f"The arms do not differ significantly in any component of connections ({how}).", "rows": []}
    n = len(own["components"])
    text = f"The arms differ in {own['n_fwe']} connections, {n} component{'s' if n > 1 else ''} ({how})."
    rows = [
        {
            "feature": f"Component {row['component']}",
            "n": 1,
            "text": f"{row['direction']}, {row['n_connections']} connections of {row['n_parcels']} parcels, strongest "
            f"{row['strongest']}, p FWE {_p(row['p_fwe'])}",
        }
        for row in own["components"][:5]
    ]
    return {"text": text, "rows": rows}


def _parcel_text(row, design):
    place = centre(row)  # spheres may have no better name
    larger, smaller = (design["ActiveArm"], design["ReferenceArm"])[:: 1 if row["t"] > 0 else -1]
    return (
        f"{larger} > {smaller}, {row['name']}{f' ({place} mm)' if place else ''}: g = {number(row['hedges_g'])} "
        f"({number(row['g_low'])} to {number(row['g_high'])}), p FWE {_p(row['p_fwe'])}"
    )
