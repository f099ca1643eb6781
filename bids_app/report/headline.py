"""By which p each measure is judged, and how what was found is said."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bids_app.bids.values import counted, joined
from bids_app.graph.features import short_titles
from bids_app.report.answer import Row, equal
from bids_app.report.pages import interval, near_level
from bids_app.settings.roles import ROLES, Role
from bids_app.trial.comparison_record import ComparedFeature, ComparisonRecord

ALL = "p_fwe_all"


@dataclass(frozen=True)
class Evidence:
    """What is known of a route beside its table of results.

    Attributes
    ----------
    means : dict
        By cluster, the row of the headline analysis of the mean over it.
    nodes : dict of collection of int
        By cluster, the nodes of it.
    strongest : dict
        By the title of a measure, the node with the smallest p, whether or not it is significant.
    files : tuple of str
        What the results are from.
    """

    means: Mapping[str, Row] = field(default_factory=dict)
    nodes: Mapping[str, Collection[int]] = field(default_factory=dict)
    strongest: Mapping[str, Row] = field(default_factory=dict)
    files: tuple[str, ...] = ()


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


def by_role(features: Sequence[ComparedFeature]) -> dict[Role, list[str]]:
    """Return the titles of the features by what they count for: primary first, roles that none has left out."""
    roles: dict[Role, list[str]] = {role: [] for role in ROLES}
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


def over_measures(rule: Mapping[str, str], titles: Sequence[str]) -> str:
    """Say over what p is corrected beside the nodes."""
    return f" and all {len(rule)} measures" if rule[titles[0]] == ALL else ""


def sentence(what: str, record: ComparisonRecord, over: str, *, differs: bool) -> str:
    """Say whether and where the arms differ, and how that was tested."""
    how = f"{record.analyses.headline_text}, FWE p ≤ {record.inference.alpha} over {over}"
    return f"the {record.arms.words.compared} {does(record, differs)} {what} ({how})."


def does(record: ComparisonRecord, differs: bool) -> str:
    """Say that what is compared differs, or goes along with a covariate, or does not."""
    slope = record.analyses.slope
    verb = "differ" if slope is None else f"go along with {slope}"
    return verb if differs else f"do not {verb}"


def beside(n: int, what: str) -> str:
    """Say what passes the correction within its own measure only."""
    if n <= 0:
        return ""
    verb = "passes" if n == 1 else "pass"
    return f" {counted(n, f'more {what}')} {verb} the correction within one measure, which does not count here."


def short_of(record: ComparisonRecord) -> dict[str, str]:
    """Return each measure in few words, by its title."""
    said = short_titles(one.feature for one in record.analyses.features)
    return {one.title: said[one.feature] for one in record.analyses.features}


def directions(group: Sequence[Row], record: ComparisonRecord) -> str:
    """Say which arm has more of which measures."""
    short = short_of(record)
    measures: dict[str, dict[str, None]] = {}  # a measure may be there with several clusters
    for row in group:
        measures.setdefault(row["direction"], {})[short[row["feature"]]] = None
    return "; ".join(f"{direction} in {joined(names)}" for direction, names in measures.items())


def of_size(row: Row, record: ComparisonRecord) -> str:
    """Write how large an effect is, with its interval: Hedges g, or a slope."""
    if record.analyses.slope is not None:
        return f"slope {interval(row, 'difference', 'ci_low', 'ci_high')}"
    return f"g {interval(row, 'hedges_g', 'g_low', 'g_high', 2)}"


def of_p(value: float, record: ComparisonRecord, which: str = "p_fwe") -> str:
    """Write a corrected p: over what, whether it is the smallest possible, and whether chance could move it."""
    near = near_level(value, record.inference)
    over = " over all measures" if which == ALL else ""
    return f"p FWE{over} {equal(value, record.inference)}{f' ({near})' if near else ''}"


def strongest(rows: Sequence[Row | None], record: ComparisonRecord, rule: Mapping[str, str]) -> str:
    """Say what came nearest to being significant, and how large it is."""
    known = [row for row in rows if row]
    if not known:
        return ""
    best = min(known, key=lambda row: (row[rule[row["feature"]]], -abs(row["t"])))
    which = rule[best["feature"]]
    where = f"{best['name']}, {short_of(record)[best['feature']]}" if len(rule) > 1 else best["name"]
    smallest = f"The smallest {of_p(best[which], record, which)} ({where})"
    return f" {smallest}; there {of_size(best, record).replace(' ', ' is ', 1)}, of all tested the most extreme."


def plural(what: str) -> str:
    """Put what is counted in the plural.

    Examples
    --------
    >>> plural("measure of the whole graph"), plural("parcel")
    ('measures of the whole graph', 'parcels')
    """
    first, of, rest = what.partition(" of ")
    return f"{first}s{of}{rest}"
