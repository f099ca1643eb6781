"""What was planned, and what the results count for, as a file of the group level."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from bids_app import __version__
from bids_app.bids.files import save_json
from bids_app.group.first_used import first_used
from bids_app.group.plan_match import given_files
from bids_app.group.region_values import Region
from bids_app.group.targets import GroupRun
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.deviation import Deviation, said
from bids_app.settings.objectives import protocol_said
from bids_app.settings.plan import Plan
from bids_app.settings.roles import feature_role, settings_of, single
from bids_app.settings.settings import Settings
from bids_app.system.provenance import digest_of_file
from bids_app.trial.design import Design
from bids_app.trial.outcomes import name_of


def write_plan(run: GroupRun, regions: Mapping[str, Sequence[Region] | None]) -> Path:
    """Write what was planned, where the analysis departs from it, what counts for what, and what failed.

    Parameters
    ----------
    run : targets.GroupRun
    regions : dict
        By the route's name, from `region_tables.write_region_tables`.

    Returns
    -------
    Path
    """
    settings, design, notes, trial = run.settings, run.design, run.notes, run.settings.trial
    content = {
        "Contrast": design.contrast,
        "ActiveArm": design.active,
        "ReferenceArm": design.reference or "",
        "Estimator": trial.estimator,
        "Alpha": trial.alpha,
        "Population": list(settings.selection.participants) or "all",
        "Outcomes": [name_of(word) for word in trial.outcomes],
        "Cutoffs": [
            {"Outcome": one.outcome, "Name": one.name, "Rule": one.rule} for one in parse_cutoffs(trial.cutoffs)
        ],
        "Plan": _plan(settings, design, (*trial.departed, *notes.departed)) if trial.plan else None,
        "Files": _files(settings),
        "Roles": _roles(run),
        "Regions": {
            name: [{"Cluster": one.cluster, "Name": one.name, "Text": one.text} for one in found]
            for name, found in regions.items()
            if found is not None
        },
        "NotMade": notes.problems,
        **({"Blinded": settings.blind} if settings.blind else {}),
        "Software": f"trialgraph {__version__}",
    }
    path = run.trial_path("trial", ".json")
    save_json(path, content)
    return path


def _files(settings: Settings) -> list[dict[str, str]]:
    """List the files that were given to options."""
    return [
        {"Option": name, "Name": path.name, "SHA256": digest_of_file(path)}
        for name, paths in given_files(settings).items()
        for path in paths
    ]


def _roles(run: GroupRun) -> list[dict[str, str]]:
    """Say what the headline's analysis of each feature counts for."""
    trial = run.settings.trial
    features = dict.fromkeys(feature for target in run.targets for feature in target.route.scans)
    return [
        {"Metric": one.metric, "Edges": one.edges, "Title": one.title, "Estimator": trial.estimator}
        | {"Role": feature_role(trial, one, trial.estimator)}
        for one in features
    ]


def _plan(settings: Settings, design: Design, departed: Sequence[Deviation]) -> dict[str, Any]:
    """Return what the plan says, what it leaves open and how that was done, and where the analysis departs from it."""
    plan, used = cast(Plan, settings.trial.plan), settings_of(settings)
    if not design.single:
        used |= {"arm": design.arm_column, "reference": design.sides[1]}
    if not design.treatments:  # whose sessions are in the flow, for they differ
        used |= {"baseline": (design.baseline,) if design.baseline else None, "followup": design.followup}
    return {
        "SHA256": plan.sha256,
        "Settled": plan.settled | ({"interim": plan.interim.text} if plan.interim else {}),
        "LeftOpen": [f"{name} ({_done(name, used[name])})" if name in used else name for name in plan.left_open],
        "Deviations": [one.record for one in departed],
        "Protocol": protocol_said(plan.protocol, plan.interim),
        "PlanWritten": first_used(settings.output_dir, plan.sha256).record,
    }


def _done(name: str, value: object) -> str:
    return "not given" if value is None else said(single(name, value))
