"""The results in a sentence for each role: what counts, by which p."""

from collections.abc import Mapping, Sequence
from typing import Any

from bids_app.report.pages import centre, near_level, number, p_value
from bids_app.settings.roles import ROLES
from bids_app.trial.comparison_record import ComparedFeature, ComparisonRecord

ALL = "p_fwe_all"
Row = Mapping[str, Any]


def map_headline(clusters: Sequence[Row], record: ComparisonRecord) -> dict[str, Any]:
    """Say where the arms differ in the headline analysis.

    Parameters
    ----------
    clusters : list of dict
        Rows of the cluster table, with the feature's title.
    record : ComparisonRecord

    Returns
    -------
    dict
        ``text``, one sentence for what each role finds, and ``rows``: for each feature with clusters its title, how
        many, and the first (that with the smallest p, then the largest) in words. What counts is `deciding`.
    """
    own = [row for row in clusters if row["estimator"] == record.analyses.headline]
    rule, sentences = deciding(record.analyses.features), []
    rows: list[dict[str, Any]] = []
    for role, titles in by_role(record.analyses.features).items():
        found = {title: _found(own, title, rule[title], record) for title in titles}
        counted = {title: some for title, some in found.items() if some}
        n = sum(map(len, counted.values()))
        what = f"in {n} cluster{'s' if n > 1 else ''}{_of(counted, titles)}" if n else "significantly anywhere"
        sentences.append((role, f"{_does(record, n > 0)} {what}", _by(rule, titles)))
        rows += [
            {"feature": title, "n": len(some), "text": _cluster_text(some[0], record, rule[title])}
            for title, some in counted.items()
        ]
    within = sum(row["p_fwe"] <= record.inference.alpha for row in own) - sum(row["n"] for row in rows)
    return {"text": _sentences(sentences, record, "the whole brain") + _beside(within, "cluster"), "rows": rows}


def deciding(features: Sequence[ComparedFeature]) -> dict[str, str]:
    """Return which p each feature is judged by: the only primary one by its own, others by that over all measures.

    Without a plan, or where several measures are primary, a difference in any of them would be news: p over all of
    them keeps the error of the whole sentence.

    Parameters
    ----------
    features : list of ComparedFeature

    Returns
    -------
    dict of {"p_fwe", "p_fwe_all"}
        By the feature's title.

    Examples
    --------
    >>> roles = {"degree": "primary", "strength": "secondary"}
    >>> deciding([ComparedFeature(metric=name, edges="r025", title=name, role=role) for name, role in roles.items()])
    {'degree': 'p_fwe', 'strength': 'p_fwe_all'}
    """
    roles = by_role(features)
    alone = roles.get("primary", []) if len(roles.get("primary", [])) == 1 else []
    titles = [one.title for one in features]
    return {title: "p_fwe" if title in alone or len(titles) == 1 else ALL for title in titles}


def by_role(features: Sequence[ComparedFeature]) -> dict[str, list[str]]:
    """Return the titles of the features by what they count for: primary first, roles that none has left out."""
    roles: dict[str, list[str]] = {role: [] for role in ROLES}
    for one in features:
        roles[one.role].append(one.title)
    return {role: titles for role, titles in roles.items() if titles}


def judged(record: ComparisonRecord) -> str:
    """Say by which p each measure was judged, and that the family is one of several."""
    rule, roles = deciding(record.analyses.features), by_role(record.analyses.features)
    own = [title for title, p in rule.items() if p != ALL]
    if record.kind == "edges" or len(rule) == 1:
        text = "The headline counts the corrected p"
    elif not own:
        text = f"The headline counts p corrected over all {len(rule)} measures"
    else:
        others = " and ".join(role for role in roles if role != "primary")
        text = (
            f"{own[0]}, the primary measure, was judged by its own corrected p; {others} measures by that over all "
            f"{len(rule)} measures"
        )
    return f"{text}; nothing is corrected over further families of tests (voxels, parcels, whole graphs, connections)."


def _found(own: Sequence[Row], title: str, p: str, record: ComparisonRecord) -> list[Row]:
    rows = [row for row in own if row["feature"] == title and row[p] <= record.inference.alpha]
    return sorted(rows, key=lambda row: (row["p_fwe"], -row["n_voxels"]))


def _of(counted: Mapping[str, Any], titles: Sequence[str], what: str = "measure") -> str:
    return f" of {len(counted)} of {len(titles)} {what}s" if len(titles) > 1 else f" of {titles[0]}"


def _by(rule: Mapping[str, str], titles: Sequence[str]) -> str:
    """Say over what p is corrected beside the nodes."""
    return f" and all {len(rule)} measures" if rule[titles[0]] == ALL else ""


def _sentences(parts: Sequence[tuple[str, str, str]], record: ComparisonRecord, where: str) -> str:
    """Write a sentence for each role; how they were tested stands in the first, and again where it differs."""
    said: list[str] = []
    for role, what, over in parts:
        rule = f"FWE p ≤ {record.inference.alpha} over {where}{over}"
        first = f"{record.analyses.headline_text}, " if not said else ""
        arms = record.arms.words.compared
        who = f"The {arms}" if len(parts) == 1 and role == "exploratory" else f"{role.capitalize()}: the {arms}"
        said.append(f"{who} {what} ({first}{rule}).")
    return " ".join(said)


def _does(record: ComparisonRecord, found: bool) -> str:
    """Say that what is compared differs, or goes along with a covariate, or does not."""
    slope = record.analyses.slope
    verb = "differ" if slope is None else f"go along with {slope}"
    return verb if found else f"do not {verb}"


def _beside(n: int, what: str) -> str:
    """Say what passes the correction within its own measure only."""
    if n <= 0:
        return ""
    verb = "passes" if n == 1 else "pass"
    return (
        f" {n} more {what}{'s' if n > 1 else ''} {verb} the correction within one measure, which does not count here."
    )


def _cluster_text(row: Row, record: ComparisonRecord, p: str) -> str:
    labels = [row[column] for column in record.data.anatomy_columns if column.startswith("peak") and row.get(column)]
    place = ", ".join(number(row[f"peak_{axis}"]) for axis in "xyz")
    return (
        f"{row['direction']}{', ' + labels[0] if labels else ''} ({place} mm): "
        f"{_size(row, record)}, "
        f"{_p(row[p], record, p)}, {row['n_voxels']} nodes"
    )


def _p(value: float, record: ComparisonRecord, which: str = "p_fwe") -> str:
    text = p_value(value)
    near = near_level(value, record.inference)
    over = ", all measures" if which == ALL else ""
    return f"p FWE{over} {text if text.startswith('<') else f'= {text}'}{f' ({near})' if near else ''}"


def parcel_headline(results: Sequence[Row], record: ComparisonRecord) -> dict[str, Any]:
    """Say in how many parcels, or measures of the whole graph, the arms differ in the headline analysis."""
    own = {result["feature"]: result for result in results if result["estimator"] == record.analyses.headline}
    thing = "measure of the whole graph" if record.kind == "global" else "parcel"
    rule, sentences = deciding(record.analyses.features), []
    rows: list[dict[str, Any]] = []
    for role, titles in by_role(record.analyses.features).items():
        titles = [title for title in titles if title in own]
        counted = {title: n for title in titles if (n := own[title][_COUNTS[rule[title]]])}
        n = sum(counted.values())
        found = f"in {n} {thing if n == 1 else _plural(thing)}"
        of = _of(counted, titles, "edge rule" if record.kind == "global" else "measure") if len(own) > 1 else ""
        tested = f"{max((own[title]['n'] for title in titles), default=0)} {_plural(thing)}"
        what = f"{_does(record, True)} {found}{of}" if n else f"{_does(record, False)} significantly in any of {tested}"
        sentences.append((role, what, _by(rule, titles) if titles else ""))
        rows += [
            {"feature": title, "n": n, "text": _parcel_text(own[title]["rows"][0], record, rule[title])}
            for title, n in counted.items()
        ]
    within = sum(result["n_fwe"] for result in own.values()) - sum(row["n"] for row in rows)
    text = _sentences(sentences, record, f"all {_plural(thing)}")
    return {"text": text + _beside(within, "result"), "rows": rows}


_COUNTS = {"p_fwe": "n_fwe", ALL: "n_fwe_all"}


def _plural(what: str) -> str:
    """Put what is counted in the plural.

    Examples
    --------
    >>> _plural("measure of the whole graph"), _plural("parcel")
    ('measures of the whole graph', 'parcels')
    """
    first, space, rest = what.partition(" ")
    return f"{first}s{space}{rest}"


def edge_headline(results: Sequence[Row], record: ComparisonRecord) -> dict[str, Any]:
    """Say by which components of connections the arms differ in the headline analysis."""
    own = next(result for result in results if result["estimator"] == record.analyses.headline)
    alpha, statistic, arms = record.inference.alpha, record.inference.statistic.upper(), record.arms.words.compared
    how = f"{record.analyses.headline_text}, {statistic}, FWE p ≤ {alpha}"
    if not own["components"]:
        text = f"The {arms} {_does(record, False)} significantly in any component of connections ({how})."
        return {"text": text, "rows": []}
    n = len(own["components"])
    text = (
        f"The {arms} {_does(record, True)} in {own['n_fwe']} connections, {n} component{'s' if n > 1 else ''} ({how})."
    )
    rows = [
        {
            "feature": f"Component {row['component']}",
            "n": 1,
            "text": f"{row['direction']}, {row['n_connections']} connections of {row['n_parcels']} parcels, strongest "
            f"{row['strongest']}, {_p(row['p_fwe'], record)}",
        }
        for row in own["components"][:5]
    ]
    return {"text": text, "rows": rows}


def _parcel_text(row: Row, record: ComparisonRecord, p: str) -> str:
    place = centre(row)  # spheres may have no better name
    return (
        f"{record.direction(1 if row['t'] > 0 else -1)}, {row['name']}{f' ({place} mm)' if place else ''}: "
        f"{_size(row, record)}, {_p(row[p], record, p)}"
    )


def _size(row: Row, record: ComparisonRecord) -> str:
    """Say how large an effect is, with its interval: Hedges g, or of a slope itself."""
    names = ("hedges_g", "g_low", "g_high") if record.analyses.slope is None else ("difference", "ci_low", "ci_high")
    size, low, high = (number(row[name]) for name in names)
    return f"{'g' if names[0] == 'hedges_g' else 'slope'} = {size} ({low} to {high})"
