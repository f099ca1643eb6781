"""What each role finds in maps: which regions count, by which p, and how large the difference is in them."""

from collections.abc import Collection, Mapping, Sequence

from bids_app.bids.values import counted
from bids_app.report.answer import Found, Result, Row, Statement
from bids_app.report.headline import (
    Evidence,
    beside,
    by_role,
    deciding,
    directions,
    of_p,
    of_size,
    over_measures,
    sentence,
    short_of,
    strongest,
)
from bids_app.report.pages import fixed
from bids_app.trial.comparison_record import ComparisonRecord


def map_statements(clusters: Sequence[Row], record: ComparisonRecord, evidence: Evidence) -> list[Statement]:
    """Say where the arms differ in the headline analysis, a statement for what each role finds.

    Parameters
    ----------
    clusters : list of dict
        Rows of the cluster table, with the feature's title.
    record : ComparisonRecord
    evidence : Evidence

    Returns
    -------
    list of Statement
        Clusters of several measures that share a node are one place. What counts is `deciding`.
    """
    own = [row for row in clusters if row["estimator"] == record.analyses.headline]
    rule, statements = deciding(record.analyses.features), []
    for role, titles in by_role(record.analyses.features).items():
        significant = [row for title in titles for row in _significant(own, title, rule[title], record)]
        groups = overlapping(significant, evidence.nodes)
        passing = sum(row["p_fwe"] <= record.inference.alpha for row in own if row["feature"] in titles)
        within = passing - len(significant)
        found = tuple(_place(group, record, evidence, rule) for group in groups)
        what = f"in {counted(len(found), 'place')}" if found else "significantly anywhere"
        text = sentence(what, record, f"the whole brain{over_measures(rule, titles)}", differs=bool(found))
        text += beside(within, "cluster") if found or within else ""
        text += "" if found else strongest([evidence.strongest.get(title) for title in titles], record, rule)
        differs, n = bool(found), record.data.nodes_compared
        statements.append(
            Statement(role=role, about=record.route, text=text, differs=differs, tested=n * len(titles), found=found)
        )
    return statements


def overlapping(rows: Sequence[Row], nodes: Mapping[str, Collection[int]]) -> list[list[Row]]:
    """Put clusters that share a node together; the first of each, and the first group, have the smallest p.

    Examples
    --------
    >>> rows = [{"cluster": name, "p_fwe": p, "n_voxels": 1} for name, p in (("a", 0.02), ("b", 0.01), ("c", 0.03))]
    >>> found = overlapping(rows, {"a": {1, 2}, "b": {5}, "c": {2, 3}})
    >>> [[row["cluster"] for row in group] for group in found]
    [['b'], ['a', 'c']]
    """
    groups: list[tuple[set[int], list[Row]]] = []
    for row in sorted(rows, key=lambda row: (row["p_fwe"], -row["n_voxels"])):
        own, members = set(nodes.get(row["cluster"], ())), [row]
        for group in [one for one in groups if one[0] & own]:
            groups.remove(group)
            own, members = own | group[0], [*group[1], *members]
        groups.append((own, members))
    ordered = [sorted(members, key=lambda row: (row["p_fwe"], -row["n_voxels"])) for _, members in groups]
    return sorted(ordered, key=lambda group: (group[0]["p_fwe"], -group[0]["n_voxels"]))


def _significant(own: Sequence[Row], title: str, p: str, record: ComparisonRecord) -> list[Row]:
    return [row for row in own if row["feature"] == title and row[p] <= record.inference.alpha]


def _place(group: Sequence[Row], record: ComparisonRecord, evidence: Evidence, rule: Mapping[str, str]) -> Found:
    """Say what was found in one place, by every measure that found it there."""
    first = group[0]
    name = f"{first['region'].rpartition(' (')[0]}"
    if first["named_mm"] == first["named_mm"] and name.startswith("Near "):
        name += f" ({first['named_mm']:.0f} mm away)"
    results = tuple(_of_cluster(row, record, evidence, rule[row["feature"]]) for row in group)
    best, peak = results[0], ", ".join(fixed(first[f"peak_{axis}"], 0) for axis in "xyz")
    several = f" in {short_of(record)[first['feature']]}, " if len({row["feature"] for row in group}) > 1 else ", "
    several = several if record.analyses.slope is None else ""
    at_peak = f"g {fixed(first['hedges_g'])}" if record.analyses.slope is None else of_size(first, record)
    text = (
        f"{directions(group, record)}; {_mean(best, record)}{several}{of_p(best.p, record, best.which_p)}; "
        f"{first['n_voxels']} {record.route}; {at_peak} at the peak ({peak} mm), which was chosen for being large"
    )
    return Found(name, text, results)


def _mean(best: Result, record: ComparisonRecord) -> str:
    """Say how large the mean over a region is; of a slope it is not made."""
    if record.analyses.slope is not None:
        return ""
    return f"mean {of_size(vars(best), record)}" if best.hedges_g is not None else "the mean g is not known"


def _of_cluster(row: Row, record: ComparisonRecord, evidence: Evidence, p: str) -> Result:
    mean = evidence.means.get(row["cluster"], {})
    sizes = [mean["n_active"], mean.get("n_reference", 0)] if mean else []
    return Result(
        estimand=record.analyses.headline_text,
        region=row["region"],
        cluster=row["cluster"],
        measure=row["measure"],
        edges=row["edges"],
        role=row["role"],
        direction=row["direction"],
        p=row[p],
        which_p=p,
        n=int(max(sizes) if record.arms.orders else sum(sizes)) if sizes else None,  # of treatments the same people
        effect=mean.get("estimate"),
        ci_low=mean.get("ci_low"),
        ci_high=mean.get("ci_high"),
        hedges_g=mean.get("effect_size"),
        g_low=mean.get("effect_low"),
        g_high=mean.get("effect_high"),
        peak_hedges_g=row["hedges_g"] if record.analyses.slope is None else None,
        files=evidence.files,
    )
