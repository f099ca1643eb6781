"""What departs from the plan, and what a result counts for."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from bids_app.graph.features import FULL, Feature
from bids_app.graph.rules import EdgeRule
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.deviation import Deviation, said
from bids_app.settings.plan_keys import IN_PARTS, NOT_PLANNED
from bids_app.settings.settings import SINGLE, Measured, Settings, Trial, keyed_fields

if TYPE_CHECKING:  # which imports the parser
    from bids_app.settings.plan import Plan

Role = Literal["primary", "secondary", "exploratory"]
ROLES: tuple[Role, ...] = get_args(Role)
# These change how exactly a p-value is known, not which question it answers.
PRECISION = ("n_permutations", "seed", "version", "n_planned")
# These decide about their members only, or add what is exploratory.
LISTS = ("metric", "secondary_metrics", "primary_outcomes", "secondary_outcomes", "slopes", "robustness", "also")
OF_DESIGN = {"crossover": "crossover", **dict.fromkeys(SINGLE, "within")}  # the estimator of a design that has but one


def left_to(plan: "Plan | None", given: Collection[str]) -> dict[str, Any]:
    """Return what the plan settles of what the command line leaves open: what is given goes first, then the plan.

    Parameters
    ----------
    plan : Plan or None
    given : collection of str
        Names of the options that the command line says.

    Returns
    -------
    dict
        By the name of the option.

    Examples
    --------
    >>> from bids_app.settings.plan import Plan
    >>> left_to(Plan("degree", threshold=0.25, alpha=0.01), {"threshold"})
    {'alpha': 0.01, 'metrics': ['degree']}
    """
    settled = plan.options if plan else {}
    return {name: value for name, value in settled.items() if name not in given and not _ruled_out(name, given)}


def _ruled_out(name: str, given: Collection[str]) -> bool:
    """Say whether another edge rule is given."""
    return any({name, *given} >= {rule, other} for rule, other in _RULES if name in (rule, other))


_RULES = (("threshold", "density"), ("parcel_threshold", "parcel_density"))


def deviations(plan: "Plan", planned: Settings, used: Settings) -> tuple[Deviation, ...]:
    """List where the analysis departs from the plan: every setting that changes a result is compared.

    Parameters
    ----------
    plan : Plan
    planned, used : Settings
        As the plan alone would have them, with the defaults where it says nothing; and as they are.

    Returns
    -------
    tuple of Deviation
        What the plan does not say is planned at its default.
    """
    return (*_members(plan, planned, used), *_settings(plan, planned, used))


def _members(plan: "Plan", planned: Settings, used: Settings) -> Iterator[Deviation]:
    """List what of the planned measures and outcomes is not there; what is there beside is exploratory."""
    reached = [f"{one.outcome}:{one.name}" for one in parse_cutoffs(used.trial.cutoffs)]
    outcomes = {*used.trial.outcomes, *names_of(used.trial.outcomes), *reached}
    graphs = ((planned.graph, used.graph), (planned.graph.parcels, used.graph.parcels))

    def there(part: str, member: str) -> bool:
        if part in IN_PARTS["outcomes"]:
            return member in outcomes
        return all(member in after.metrics for before, after in graphs if member in before.metrics)

    for part in (name for parts in IN_PARTS.values() for name in parts):
        members = _named_all(getattr(plan, part))
        kept = tuple(member for member in members if there(part, member))
        if len(kept) < len(members):
            yield Deviation(part, getattr(plan, part), None if part == "metric" else kept)


def _settings(plan: "Plan", planned: Settings, used: Settings) -> Iterator[Deviation]:
    settled, before = plan.settled, settings_of(planned)
    for name, value in settings_of(used).items():
        if name in ("metrics", "parcel_metrics", "outcomes") or _same(name, before[name], value):
            continue
        if _follows(name, planned, used):
            continue
        if name in settled:
            yield Deviation(name, settled[name], single(name, value))
        elif name != "baseline_motion" or plan.covariates is None:  # else what was fitted is compared
            default = f"not in the plan; the default is {said(single(name, before[name]))}"
            yield Deviation(name, default, single(name, value))


def _follows(name: str, planned: Settings, used: Settings) -> bool:
    """Say whether it is done because of another setting, which is compared itself.

    What is done with parcels is what is done with voxels, and groups that nobody randomized have one scheme,
    and cross-over trials one estimator, and other baselines.
    """
    other = planned.trial.design != used.trial.design
    if name == "scheme":
        return other and used.trial.design in ("groups", *SINGLE)
    if name in ("arm", "arms", "reference", "estimator", "allocations", "cutoffs") and used.trial.design in SINGLE:
        return other
    if name == "baseline" and used.trial.design == "paired":
        return other
    if name in ("estimator", "baseline", "baseline_motion", "slopes", "cutoffs"):
        return other and used.trial.design == "crossover"
    field = {"parcel_threshold": "thresholds", "parcel_density": "densities"}.get(name)
    graphs = (planned.graph, used.graph)
    return field is not None and all(getattr(one, field) == getattr(one.parcels, field) for one in graphs)


def settings_of(settings: Settings) -> dict[str, Any]:
    """Return every setting that changes a result by the name that a plan has for it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bids_app.settings.settings import Settings
    >>> found = settings_of(Settings(Path("bids"), Path("out"), "group", Path("work")))
    >>> found["fd_threshold"], found["threshold"], found["parcel_threshold"], found["population"]
    (0.5, (0.25,), (0.25,), ())
    """
    graph = settings.graph
    parts = (settings.selection, settings.preprocessing, settings.signal, graph, graph.parcels, settings.trial)
    return {
        key: getattr(part, field.name)
        for part in parts
        for key, field in keyed_fields(part).items()
        if key not in (*NOT_PLANNED, "parcels")
    }


def _same(name: str, planned: Any, used: Any) -> bool:
    """Compare as sets where the order says nothing; of edge rules, those beside the planned explore."""
    if name in ("threshold", "density", "parcel_threshold", "parcel_density"):
        return set(planned) <= set(used)
    if isinstance(planned, tuple) and name not in ("bandpass", "meshes") and isinstance(used, tuple):
        return set(planned) == set(used)
    return planned == used


def single(name: str, value: Any) -> Any:
    """Return a setting as a plan has it: of an edge rule, one number or none."""
    if name == "population" and not value:
        return "everyone"
    if name in ("threshold", "density", "parcel_threshold", "parcel_density"):
        return value[0] if len(value) == 1 else value or None
    return value


def _named_all(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def role_of(
    plan: "Plan | None",
    *,
    metric: str | None = None,
    outcome: str | None = None,
    estimator: str | None = None,
    departed: Sequence[Deviation] = (),
) -> Role:
    """Say what a result counts for.

    Parameters
    ----------
    plan : Plan or None
    metric, outcome : str, optional
        Which result: that of a graph measure, or of a clinical outcome.
    estimator : str, optional
        How it was estimated; another than the planned one makes it exploratory.
    departed : list of Deviation, optional
        From `deviations`. Any of them makes every result exploratory, but for those of `PRECISION` and
        `LISTS`.

    Returns
    -------
    {"primary", "secondary", "exploratory"}

    Examples
    --------
    >>> from bids_app.settings.plan import Plan
    >>> plan = Plan("degree", estimator="ancova", primary_outcomes=("hamd17",))
    >>> role_of(plan, metric="degree", estimator="ancova"), role_of(plan, metric="degree", estimator="change")
    ('primary', 'exploratory')
    """
    if plan is None:
        return "exploratory"
    if any(one.what not in (*PRECISION, *LISTS) for one in departed):
        return "exploratory"
    of_design = OF_DESIGN.get(str(plan.further.get("design")), Trial.estimator)
    if estimator not in (None, plan.estimator or of_design):
        return "exploratory"
    if metric in _named_all(plan.metric) or outcome in names_of(plan.primary_outcomes):
        return "primary"
    listed = metric in (plan.secondary_metrics or ()) or outcome in names_of(plan.secondary_outcomes)
    return "secondary" if listed else "exploratory"


def below(role: Role) -> Role:
    """Return what beside a result counts for that has a role: less.

    Examples
    --------
    >>> below("primary"), below("exploratory")
    ('secondary', 'exploratory')
    """
    return ROLES[min(ROLES.index(role) + 1, len(ROLES) - 1)]


def outcome_model(trial: Trial, *, alone: bool) -> str:
    """Return the model that decides of outcomes, by whether there is one comparison alone.

    Examples
    --------
    >>> outcome_model(Trial(), alone=True), outcome_model(Trial(), alone=False)
    ('ancova', 'mmrm')
    """
    by_default = "ancova" if alone else "mmrm"
    return by_default if trial.outcome_model == "auto" else trial.outcome_model


def feature_role(trial: Trial, feature: Feature, estimator: str) -> Role:
    """Say what an analysis of a feature counts for: by another edge rule than the planned it explores.

    Parameters
    ----------
    trial : settings.Trial
    feature : features.Feature
    estimator : str

    Examples
    --------
    >>> from bids_app.settings.settings import Trial
    >>> from bids_app.graph.features import Feature
    >>> from bids_app.settings.plan import Plan
    >>> trial = Trial(plan=Plan("degree", threshold=0.25))
    >>> [feature_role(trial, Feature("degree", edges), "ancova") for edges in ("r025", "r03")]
    ['primary', 'exploratory']
    """
    planned = planned_edges(trial.plan)
    if planned and feature.edges not in (planned, FULL):
        return "exploratory"
    if trial.design in SINGLE and estimator == trial.estimator:  # there is no other that could have been planned
        return role_of(trial.plan, metric=feature.metric, departed=trial.departed)
    return role_of(trial.plan, metric=feature.metric, estimator=estimator, departed=trial.departed)


def planned_edges(plan: "Plan | None") -> str | None:
    """Return the planned edge rule; where the plan says none, the default is what is not a departure."""
    if plan is None:
        return None
    threshold = Measured.thresholds[0] if plan.threshold is None else plan.threshold
    return (EdgeRule("r", threshold) if plan.density is None else EdgeRule("density", plan.density)).label


def names_of(words: Iterable[str] | None) -> list[str]:
    """Return the outcomes' names: of NAME=BASELINE,FOLLOWUP, NAME."""
    return [word.partition("=")[0] for word in words or ()]
