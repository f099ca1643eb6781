"""Where the objectives of a plan contradict each other, or what the plan settles besides."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bids_app.settings.deviation import said
from bids_app.settings.objectives import CORRECTIONS, OF_ENDPOINTS, Objective
from bids_app.settings.roles import names_of
from bids_app.settings.settings import EDGE_STATISTICS

if TYPE_CHECKING:  # which asks for them
    from bids_app.settings.plan import Plan

PLACES = {  # what says where a measure is looked at, by the endpoints that have no such place
    "outcome": ("nodes", "region", "threshold", "density"),
    "whole_graph": ("region",),
    "connections": ("nodes", "region", "threshold", "density"),
}


def contradictions(plan: "Plan") -> list[str]:
    """List where the objectives contradict each other or the rest of the plan.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of str
        Sentences; empty where nothing does, and of a plan without objectives.
    """
    objectives = plan.objectives
    if not objectives:
        return []
    names = [one.name for one in objectives]
    found = [f"two objectives are called {name!r}" for name in dict.fromkeys(names) if names.count(name) > 1]
    if not any(one.role == "primary" for one in objectives):
        found.append("no objective is primary")
    if len(objectives) > 1 and not plan.protocol.correction:
        choices = "; ".join(f"{name}: {text}" for name, text in CORRECTIONS.items())
        found.append(f"{len(objectives)} objectives need protocol.correction ({choices})")
    found += [f"objective {one.name!r}: {text}" for one in objectives for text in _of_one(one, plan)]
    return [*found, *_of_one_run(objectives)]


def _of_one_run(objectives: Sequence[Objective]) -> Iterator[str]:
    """Say which objectives need other values of the same scans or scores: one run has one set of them."""
    left: dict[str, tuple[str, set[str]]] = {}
    for one in objectives:
        data = one.outcome.partition(":")[0] if one.outcome else "the scans"
        gone = {str(event.column) for event in one.events if event.leaves_out}
        first, before = left.setdefault(data, (one.name, gone))
        if before != gone:
            differing = ", ".join(sorted(before ^ gone))
            yield (
                f"objectives {first!r} and {one.name!r} differ in whether {data} after an event ({differing}) are left "
                "out: say the event in both, or make a plan of each"
            )


def _of_one(one: Objective, plan: "Plan") -> Iterator[str]:
    if len(one.endpoints) != 1:
        yield f"its endpoint is one of these: {', '.join(f'{text} ({key})' for key, text in OF_ENDPOINTS.items())}"
        return
    kind = one.endpoints[0]
    if kind in PLACES and (beside := [key for key in PLACES[kind] if getattr(one, key) is not None]):
        yield f"{', '.join(beside)} is of a measure, not of {OF_ENDPOINTS[kind]}"
    if kind == "connections":
        yield from _of_connections(plan)
    elif one.measure is not None:
        metrics = ([plan.metric] if plan.metric else [], list(plan.secondary_metrics or ()))
        yield from _listed("metrics", one.measure, one.role, metrics)
    elif one.outcome is not None:
        listed = (names_of(plan.primary_outcomes), names_of(plan.secondary_outcomes))
        yield from _listed("outcomes", str(one.outcome), one.role, listed)
    yield from _of_events(one, plan)
    if one.threshold is not None and one.density is not None:
        yield "threshold and density are two edge rules: keep one"
    yield from _held(one, plan)


def _of_events(one: Objective, plan: "Plan") -> Iterator[str]:
    """Say which strategies cannot be carried out by a column on such an endpoint."""
    cutoff = ":" in str(one.outcome)
    for event in one.events:
        if event.column is None:
            continue
        if event.prepared:
            yield f"{event.name}: the data are prepared, or column says who had the event: keep one"
        if event.strategy == "composite" and not cutoff:
            yield (
                f"{event.name}: a composite by a column is made of a cut-off only, where the event counts as a "
                "failure; what a score or a map would count as is not known here"
            )
        if event.strategy in ("hypothetical", "while on treatment") and cutoff:
            yield (
                f"{event.name}: what is missing at a cut-off counts as a failure, which is a composite strategy and "
                f"not {event.strategy}"
            )
        if event.strategy == "while on treatment" and len(plan.followup or ()) > 1:
            yield (
                f"{event.name}: while on treatment by a column is made of one follow-up only; with several the last "
                "value before the event would have to stand at a later one"
            )


def _of_connections(plan: "Plan") -> Iterator[str]:
    """Say that the plan must settle how connections are tested: by default they are not."""
    if plan.further.get("edge_statistic", "none") == "none":
        choices = ", ".join(one for one in EDGE_STATISTICS if one != "none")
        yield f"connections need analysis.edge_statistic, one of {choices}"


def _listed(section: str, member: str, role: str, listed: tuple[Collection[str], Collection[str]]) -> Iterator[str]:
    primary, secondary = listed
    if role == "primary" and member not in primary:
        yield f"it is primary, and {member} is not {section}.primary"
    elif member not in (*primary, *secondary):
        yield f"{member} stands neither in {section}.primary nor in {section}.secondary"


def _held(one: Objective, plan: "Plan") -> Iterator[str]:
    """Say which of the options that the plan settles an objective says otherwise."""
    further, settled = plan.further, plan.settled
    followups = plan.followup and (*plan.followup, *further.get("over_followups", ()))
    regions = [str(name).partition("=")[0] for name in further.get("regions", ())]
    arms = further.get("arms") or None
    checks: tuple[tuple[str, Any, Collection[Any] | None], ...] = (
        ("reference", one.reference, (plan.reference,) if plan.reference else None),
        ("arm", one.arm, arms),
        ("visit", one.visit, followups or None),
        ("region", one.region, regions),
        ("threshold", one.threshold, _rules(settled, "threshold")),
        ("density", one.density, _rules(settled, "density")),
        ("estimator", None if one.outcome else one.estimator, (plan.estimator,) if plan.estimator else None),
    )
    for name, value, allowed in checks:
        if value is not None and allowed is not None and value not in allowed:
            yield f"{name} {value} is not in the rest of the plan, which says {said(tuple(allowed))}"
    if one.arm is not None and one.arm == one.reference:
        yield f"{one.arm} is compared with itself"
    if one.visit is None and followups and len(followups) > 1:
        yield f"which visit? There are {', '.join(followups)}"
    if one.arm is None and arms and len(arms) > 2:
        yield f"which arm? There are {', '.join(arms)}"


def _rules(settled: Mapping[str, Any], kind: str) -> Collection[Any] | None:
    """Return the edge rules of a kind that the plan settles; None where it leaves them open."""
    found = [settled[name] for name in (kind, f"parcel_{kind}") if settled.get(name)]
    other = {"threshold": "density", "density": "threshold"}[kind]
    return found if found or other in settled else None
