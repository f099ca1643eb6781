"""Where the objectives of a plan contradict each other, or what the plan settles besides."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bids_app.settings.deviation import said
from bids_app.settings.objectives import CORRECTIONS, Objective
from bids_app.settings.roles import names_of

if TYPE_CHECKING:  # which asks for them
    from bids_app.settings.plan import Plan


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
    return found + [f"objective {one.name!r}: {text}" for one in objectives for text in _of_one(one, plan)]


def _of_one(one: Objective, plan: "Plan") -> Iterator[str]:
    if (one.measure is None) == (one.outcome is None):
        yield "its endpoint is a measure or an outcome, one of the two"
        return
    if one.measure is not None:
        metrics = ([plan.metric] if plan.metric else [], list(plan.secondary_metrics or ()))
        yield from _listed("metrics", one.measure, one.role, metrics)
    else:
        listed = (names_of(plan.primary_outcomes), names_of(plan.secondary_outcomes))
        yield from _listed("outcomes", str(one.outcome), one.role, listed)
        if beside := [key for key in ("nodes", "region", "threshold", "density") if getattr(one, key) is not None]:
            yield f"{', '.join(beside)} is of a measure, not of an outcome"
    if one.threshold is not None and one.density is not None:
        yield "threshold and density are two edge rules: keep one"
    yield from _held(one, plan)


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
        ("estimator", one.estimator if one.measure else None, (plan.estimator,) if plan.estimator else None),
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
