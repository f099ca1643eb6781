"""What was planned, and what the results count for, as a file of the group level."""

from bids_app import __version__
from bids_app.cutoffs import parse_cutoffs
from bids_app.features import FULL
from bids_app.graph.rules import EdgeRule
from bids_app.outcomes import name_of
from bids_app.outputs import save_json
from bids_app.roles import role_of
from bids_app.trialtables import trial_name


def write_plan(settings, design, regions, routes, notes):
    """Write what was planned, where the analysis departs from it, what counts for what, and what failed.

    Parameters
    ----------
    settings : Settings
    design : cohort.Design
    regions : dict
        By the route's name, from `brainsymptom.write_region_tables`.
    routes : list of Route
    notes : Notes

    Returns
    -------
    Path
    """
    trial = settings.trial
    features = dict.fromkeys(feature for route in routes for feature in route.scans)
    roles = [
        {"Metric": one.metric, "Edges": one.edges, "Title": one.title, "Estimator": trial.estimator}
        | {"Role": feature_role(trial, one)}
        for one in features
    ]
    plan = trial.plan and {
        "SHA256": trial.plan.sha256,
        "Settled": trial.plan.settled,
        "LeftOpen": trial.plan.left_open,
        "Deviations": [
            {"What": what, "Planned": said(planned), "Used": said(used)} for what, planned, used in trial.departed
        ],
    }
    content = {
        "Contrast": design.contrast,
        "ActiveArm": design.active,
        "ReferenceArm": design.reference,
        "Estimator": trial.estimator,
        "Alpha": trial.alpha,
        "Outcomes": [name_of(word) for word in trial.outcomes],
        "Cutoffs": [
            {"Outcome": one.outcome, "Name": one.name, "Rule": one.rule} for one in parse_cutoffs(trial.cutoffs)
        ],
        "Plan": plan or None,
        "Roles": roles,
        "Regions": {
            name: [{"Name": one.name, "Text": one.text} for one in found]
            for name, found in regions.items()
            if found is not None
        },
        "NotMade": notes.problems,
        "Software": f"trialgraph {__version__}",
    }
    path = settings.output_dir / "group" / trial_name(design, "trial", ".json")
    save_json(path, content)
    return path


def feature_role(trial, feature):
    """Say what the headline analysis of a feature counts for: by another edge rule than the planned it explores.

    Examples
    --------
    >>> from bids_app.config import Trial
    >>> from bids_app.features import Feature
    >>> from bids_app.plan import Plan
    >>> trial = Trial(plan=Plan("degree", threshold=0.25))
    >>> feature_role(trial, Feature("degree", "r025")), feature_role(trial, Feature("degree", "r03"))
    ('primary', 'exploratory')
    """
    planned = _planned_edges(trial.plan)
    if planned and feature.edges not in (planned, FULL):
        return "exploratory"
    return role_of(trial.plan, metric=feature.metric, estimator=trial.estimator, departed=trial.departed)


def _planned_edges(plan):
    if plan is None or (plan.threshold is None and plan.density is None):
        return None
    rule = EdgeRule("r", plan.threshold) if plan.density is None else EdgeRule("density", plan.density)
    return rule.label


def said(value):
    """Write a setting for people."""
    if value is None or value == () or value == []:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
