"""What departs from the plan, and what a result counts for."""

from bids_app.cutoffs import parse_cutoffs
from bids_app.features import FULL
from bids_app.graph.rules import EdgeRule

ROLES = ("primary", "secondary", "exploratory")
# These change how exactly a p-value is known, not which question it answers.
PRECISION = ("n_permutations", "seed")
# These decide about their members only.
LISTS = ("metric", "secondary_metrics", "primary_outcomes", "secondary_outcomes")


def fill(plan, given, defaults):
    """Combine the command line with the plan: what is given goes first, then the plan, then the default.

    Parameters
    ----------
    plan : Plan or None
    given : dict
        What the command line says, by the names of `Plan`; nothing that was left at its default.
    defaults : dict
        What holds where neither says anything.

    Returns
    -------
    dict
        What is used. Where it differs from the plan, `deviations` lists it.

    Examples
    --------
    >>> from bids_app.plan import Plan
    >>> fill(Plan("degree", alpha=0.01), {"metric": "strength"}, {"metric": "degree", "alpha": 0.05, "seed": 0})
    {'metric': 'strength', 'alpha': 0.01, 'seed': 0}
    """
    used = dict(defaults)
    for values in (plan.settled if plan else {}, given):
        for rule, other in (("threshold", "density"), ("density", "threshold")):
            if values.get(rule) is not None:
                used.pop(other, None)
        used |= values
    return used


_OPTIONS = {"reference": "reference_arm", "seed": "random_seed"}
_IN_PARTS = {  # one option holds what is primary, then what is secondary
    "metrics": ("metric", "secondary_metrics"),
    "outcomes": ("primary_outcomes", "secondary_outcomes"),
}


def follow(plan, options, given):
    """Fill in from the plan what the command line leaves open, and list where it departs.

    Parameters
    ----------
    plan : Plan or None
    options : argparse.Namespace
        Changed in place.
    given : set of str
        Names of the options that the command line says.

    Returns
    -------
    tuple of (str, object, object)
        As from `deviations`.

    Examples
    --------
    >>> from argparse import Namespace
    >>> from bids_app.plan import Plan
    >>> options = Namespace(metrics=["strength"], outcomes=[], threshold=[0.3], density=[], alpha=0.05)
    >>> follow(Plan("degree", threshold=0.25, alpha=0.01), options, {"threshold"})
    (('threshold', 0.25, 0.3),)
    >>> options.metrics, options.alpha
    (['degree'], 0.01)
    """
    if plan is None:
        return ()
    for option, parts in _IN_PARTS.items():
        members = [member for part in parts for member in _named_all(getattr(plan, part))]
        if option not in given and members:
            setattr(options, option, members)
    ruled = {"threshold", "density"} & given
    single = [name for name in plan.settled if name not in sum(_IN_PARTS.values(), ())]
    for name in single:
        option = _OPTIONS.get(name, name)
        if option in given or (ruled and name in ("threshold", "density")):
            continue
        value = plan.settled[name]
        setattr(options, option, [value] if name in ("threshold", "density") else value)
    return tuple(deviations(plan, _used(plan, options, single)))


def _used(plan, options, single):
    """Return what is used, by the names of the plan."""
    used = {name: getattr(options, _OPTIONS.get(name, name)) for name in single}
    for name in ("threshold", "density"):
        values = getattr(options, name) or [None]
        planned = getattr(plan, name)
        used[name] = planned if planned in values else values[0]
    for name in ("covariates", "strata"):
        if name in used:
            used[name] = tuple(used[name])
    for option, parts in _IN_PARTS.items():
        there = getattr(options, option)
        for part in parts:
            planned = getattr(plan, part)
            kept = tuple(member for member in _named_all(planned) if member in there or _reached(member, options))
            used[part] = (kept[0] if kept else None) if part == "metric" else kept
    return used


def _reached(member, options):
    """Say whether a planned endpoint such as hamd17:response is among the cut-offs that are used."""
    cutoffs = parse_cutoffs(getattr(options, "cutoffs", ()))
    return member in [f"{cutoff.outcome}:{cutoff.name}" for cutoff in cutoffs]


def _named_all(value):
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def deviations(plan, used):
    """List where the analysis departs from the plan.

    Parameters
    ----------
    plan : Plan or None
    used : dict
        What was done, by the names of `Plan`; a name that is absent is not compared, but for the edge rule.

    Returns
    -------
    list of (str, object, object)
        What, as planned, as used; in the order of `Plan`.

    Examples
    --------
    >>> from bids_app.plan import Plan
    >>> deviations(Plan("degree", threshold=0.25, alpha=0.05), {"threshold": 0.3, "alpha": 0.05})
    [('threshold', 0.25, 0.3)]
    """
    if plan is None:
        return []
    rule = {name for name in ("threshold", "density") if used.get(name) is not None}
    compared = set(used) | ({"threshold", "density"} if rule else set())
    return [
        (name, planned, used.get(name))
        for name, planned in plan.settled.items()
        if name in compared and not _same(planned, used.get(name))
    ]


def _same(planned, used):
    """Compare as sets where the order says nothing."""
    if isinstance(planned, tuple):
        return used is not None and set(planned) == set(used)
    return planned == used


def role_of(plan, *, metric=None, outcome=None, estimator=None, departed=()):
    """Say what a result counts for.

    Parameters
    ----------
    plan : Plan or None
    metric, outcome : str, optional
        Which result: that of a graph measure, or of a clinical outcome.
    estimator : str, optional
        How it was estimated; another than the planned one makes it exploratory.
    departed : list of tuple, optional
        From `deviations`. Any of them makes every result exploratory, but for those of `PRECISION` and
        `LISTS`.

    Returns
    -------
    {"primary", "secondary", "exploratory"}

    Examples
    --------
    >>> from bids_app.plan import Plan
    >>> plan = Plan("degree", estimator="ancova", primary_outcomes=("hamd17",))
    >>> role_of(plan, metric="degree", estimator="ancova"), role_of(plan, metric="degree", estimator="change")
    ('primary', 'exploratory')
    """
    if plan is None:
        return "exploratory"
    if any(what not in (*PRECISION, *LISTS) for what, _, _ in departed):
        return "exploratory"
    if None not in (estimator, plan.estimator) and estimator != plan.estimator:
        return "exploratory"
    if metric == plan.metric or outcome in _named(plan.primary_outcomes):
        return "primary"
    listed = metric in _named(plan.secondary_metrics) or outcome in _named(plan.secondary_outcomes)
    return "secondary" if listed else "exploratory"


def feature_role(trial, feature, estimator):
    """Say what an analysis of a feature counts for: by another edge rule than the planned it explores.

    Parameters
    ----------
    trial : config.Trial
    feature : features.Feature
    estimator : str

    Examples
    --------
    >>> from bids_app.config import Trial
    >>> from bids_app.features import Feature
    >>> from bids_app.plan import Plan
    >>> trial = Trial(plan=Plan("degree", threshold=0.25))
    >>> [feature_role(trial, Feature("degree", edges), "ancova") for edges in ("r025", "r03")]
    ['primary', 'exploratory']
    """
    planned = _planned_edges(trial.plan)
    if planned and feature.edges not in (planned, FULL):
        return "exploratory"
    return role_of(trial.plan, metric=feature.metric, estimator=estimator, departed=trial.departed)


def _planned_edges(plan):
    if plan is None or (plan.threshold is None and plan.density is None):
        return None
    rule = EdgeRule("r", plan.threshold) if plan.density is None else EdgeRule("density", plan.density)
    return rule.label


def _named(value):
    return () if value is None else value
