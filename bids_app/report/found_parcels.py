"""What each role finds in parcels, in measures of the whole graph, and in connections."""

from collections.abc import Mapping, Sequence

from bids_app.bids.values import counted
from bids_app.report.answer import Found, Result, Row, Statement
from bids_app.report.headline import (
    Evidence,
    beside,
    by_role,
    deciding,
    directions,
    does,
    of_p,
    of_size,
    over_measures,
    plural,
    sentence,
    short_of,
    strongest,
)
from bids_app.report.pages import centre
from bids_app.trial.comparison_record import ComparisonRecord

INTERVAL, OF_G = ("ci_low", "ci_high"), ("hedges_g", "g_low", "g_high")


def parcel_statements(results: Sequence[Row], record: ComparisonRecord, evidence: Evidence) -> list[Statement]:
    """Say in which parcels, or measures of the whole graph, the arms differ in the headline analysis."""
    own = {result["feature"]: result for result in results if result["estimator"] == record.analyses.headline}
    thing = "measure of the whole graph" if record.kind == "global" else "parcel"
    rule, statements = deciding(record.analyses.features), []
    for role, titles in by_role(record.analyses.features).items():
        titles = [title for title in titles if title in own]
        rows = [
            row for title in titles for row in own[title]["significant"] if row[rule[title]] <= record.inference.alpha
        ]
        groups: dict[str, list[Row]] = {}
        for row in sorted(rows, key=lambda row: (row["p_fwe"], -abs(row["t"]))):
            groups.setdefault(row["name"], []).append(row)
        found = tuple(_parcel(group, record, evidence, rule) for group in groups.values())
        n = max((own[title]["n"] for title in titles), default=0)
        tested = f"{n} {plural(thing)}"
        what = f"in {len(found)} of {tested}" if found else f"significantly in any of {tested}"
        over = f"all {plural(thing)}{over_measures(rule, titles) if titles else ''}"
        text = sentence(what, record, over, differs=bool(found))
        text += beside(sum(own[title]["n_fwe"] for title in titles) - len(rows), "result")
        smallest = [own[title]["rows"][0] for title in titles if own[title]["rows"]]
        text += "" if found else strongest(smallest, record, rule)
        differs = bool(found)
        statements.append(
            Statement(role=role, about=record.route, text=text, differs=differs, tested=n * len(titles), found=found)
        )
    return statements


def _parcel(group: Sequence[Row], record: ComparisonRecord, evidence: Evidence, rule: Mapping[str, str]) -> Found:
    """Say what was found in one parcel, by every measure that found it."""
    roles = {one.title: one.role for one in record.analyses.features}
    said = [{**row, "direction": record.direction(1 if row["t"] > 0 else -1)} for row in group]
    first, place = said[0], centre(group[0])  # spheres may have no better name
    which = rule[first["feature"]]
    several = f" in {short_of(record)[first['feature']]}" if len(group) > 1 else ""
    text = f"{directions(said, record)}; {of_size(first, record)}{several}, {of_p(first[which], record, which)}"
    results = tuple(
        Result(
            estimand=record.analyses.headline_text,
            region=row["name"],
            measure=row["measure"],
            edges=row["edges"],
            role=roles[row["feature"]],
            direction=row["direction"],
            p=row[rule[row["feature"]]],
            which_p=rule[row["feature"]],
            n=int(row["n"]),
            effect=row["difference"],
            **{name: row[name] for name in (*INTERVAL, *(OF_G if record.analyses.slope is None else ()))},
            files=evidence.files,
        )
        for row in said
    )
    return Found(f"{first['name']}{f' ({place} mm)' if place else ''}", text, results)


def edge_statements(results: Sequence[Row], record: ComparisonRecord, evidence: Evidence) -> list[Statement]:
    """Say by which components of connections the arms differ in the headline analysis."""
    own = next(result for result in results if result["estimator"] == record.analyses.headline)
    inference, arms = record.inference, record.arms.words.compared
    how = f"{record.analyses.headline_text}, {inference.statistic.upper()}, FWE p ≤ {inference.alpha}"
    found = tuple(_component(row, record, evidence) for row in own["components"])
    if found:
        n_components = counted(len(found), "component")
        text = f"the {arms} {does(record, True)} in {own['n_fwe']} connections, {n_components} ({how})."
    else:
        text = f"the {arms} {does(record, False)} significantly in any component of connections ({how})."
        named = [{**row, "feature": record.analyses.features[0].title} for row in own["rows"][:1]]
        text += strongest(named, record, {record.analyses.features[0].title: "p_fwe"})
    role = record.analyses.features[0].role
    return [Statement(role=role, about=record.route, text=text, differs=bool(found), found=found)]


def _component(row: Row, record: ComparisonRecord, evidence: Evidence) -> Found:
    text = (
        f"{row['direction']}, {row['n_connections']} connections of {row['n_parcels']} parcels, strongest "
        f"{row['strongest']}, {of_p(row['p_fwe'], record)}"
    )
    name = f"Component {row['component']}"
    result = Result(
        estimand=record.analyses.headline_text,
        region=name,
        measure=row["measure"],
        edges=row["edges"],
        role=record.analyses.features[0].role,
        direction=row["direction"],
        p=row["p_fwe"],
        which_p="p_fwe",
        hedges_g=row["hedges_g"] if record.analyses.slope is None else None,
        files=evidence.files,
    )
    return Found(name, text, (result,))
