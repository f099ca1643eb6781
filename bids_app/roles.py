"""What departs from the plan, and what a result counts for."""

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


def _named(value):
    return () if value is None else value
