"""What was really done, held against the plan: files as given, scans as processed, models as fitted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bids_app import __version__
from bids_app.settings.deviation import Deviation
from bids_app.settings.fields import FIELDS
from bids_app.settings.plan import Plan
from bids_app.settings.settings import Settings, Trial
from bids_app.system.provenance import digest_of_file, shareable
from bids_app.system.small_files import read_json

if TYPE_CHECKING:  # which would load all that computes, for the command line too
    from bids_app.group.routes import Route
    from bids_app.group.sample import Sample
    from bids_app.group.trial_tables import Scores

# Of the participant level, what does not say how the scans were processed, or what only adds results.
_NOT_OF_SCANS = ("min_minutes", "metrics", "thresholds", "densities", "atlases", "matrices", "parcels", "random_seed")


def given_files(settings: Settings) -> dict[str, list[Path]]:
    """Return the files that options were given, whose content changes a result.

    Returns
    -------
    dict of list of Path
        By the name of the option.
    """
    graph, trial = settings.graph, settings.trial
    partition = [graph.partition] if graph.partition else []
    found: dict[str, Sequence[Path | str]] = {
        "mask": [graph.mask] if graph.mask not in ("gm", "brain") else [],
        "atlas": [part.what for source in graph.atlases for part in source.parts],
        "partition": [part.what for source in partition for part in source.parts],
        "allocations": [trial.allocations] if trial.allocations else [],
        "regions": [one.mask for one in trial.regions if one.mask],
    }
    return {name: [path for path in map(Path, paths) if path.is_file()] for name, paths in found.items()}


def file_deviations(plan: Plan, settings: Settings) -> list[Deviation]:
    """List which files have another content than planned, and whether another version of the app runs.

    Returns
    -------
    list of Deviation
    """
    found: list[Deviation] = []
    files = given_files(settings)
    for name, planned in plan.hashes.items():
        used = [digest_of_file(path) for path in files.get(name, ())]
        if planned not in used:
            found.append(Deviation(f"{name}, SHA-256", planned, ", ".join(used) or "no file"))
    if plan.version not in (None, __version__):
        found.append(Deviation("version", plan.version, __version__))
    return found


def done_deviations(
    settings: Settings, samples: "Sequence[tuple[Route, Sample]]", scores: "Scores | None" = None
) -> tuple[Deviation, ...]:
    """List where what was done departs from the plan although the call did not.

    Parameters
    ----------
    settings : Settings
    samples : list of (Route, Sample)
        What is compared.
    scores : trial_tables.Scores, optional

    Returns
    -------
    tuple of Deviation
        What is listed already is not listed again.
    """
    if settings.trial.plan is None:
        return ()
    listed = {one.what for one in settings.trial.departed}
    found = [*_of_scans(settings), *_of_measures(settings, samples), *_of_models(settings, samples)]
    found += _of_outcomes(settings.trial, scores)
    unique = {(one.what, str(one.used)): one for one in found if one.what not in listed}
    return tuple(unique.values())


def _of_scans(settings: Settings) -> Iterator[Deviation]:
    """Compare how the scans were processed, as the runs that made them kept it, with what is asked for now."""
    plan, logs = cast(Plan, settings.trial.plan), settings.output_dir / "logs"
    asked = shareable(json.loads(settings.to_json()), settings.output_dir)  # as the runs kept it
    runs = {_read(path).get("Run") for path in (logs / "status").glob("sub-*.json")}
    for folder in sorted(logs / run for run in runs if run):
        ran, version = _read(folder / "settings.json"), _read(folder / "command.json").get("Version")
        for before, now in ((ran.get(part, {}), asked[part]) for part in ("preprocessing", "signal", "graph")):
            yield from _differing(plan, before, now)
        yield from _differing(plan, ran.get("graph", {}).get("parcels", {}), asked["graph"]["parcels"])
        if plan.version is not None and version not in (None, plan.version):
            yield Deviation("version", plan.version, f"{version} when the scans were processed")


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _differing(plan: Plan, ran: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[Deviation]:
    for field, value in ran.items():
        name = FIELDS.get(field, field)
        here_only = field == "template" and name not in plan.settled  # the machine's cache of templates
        if field in asked and field not in _NOT_OF_SCANS and not here_only and value != asked[field]:
            yield Deviation(name, _written(asked[field]), f"{_written(value)} when the scans were processed")


def _written(value: object) -> object:
    return "nothing" if value is None else " to ".join(map(str, value)) if isinstance(value, list) else value


def _of_measures(settings: Settings, samples: "Sequence[tuple[Route, Sample]]") -> Iterator[Deviation]:
    """Say if the planned measure is in no comparison."""
    metrics = {feature.metric for _, sample in samples for feature in sample.features}
    plan = cast(Plan, settings.trial.plan)
    if plan.metric is not None and plan.metric not in metrics:
        yield Deviation("metric", plan.metric, None)
    if lost := [one for one in plan.secondary_metrics or () if one not in metrics]:
        kept = tuple(one for one in plan.secondary_metrics or () if one not in lost)
        yield Deviation("secondary_metrics", plan.secondary_metrics, kept)


def _of_models(settings: Settings, samples: "Sequence[tuple[Route, Sample]]") -> Iterator[Deviation]:
    """Say which covariates are not in a model, as one that is the same for everyone."""
    trial = settings.trial
    for route, sample in samples:
        there = set(sample.covariates.columns)
        lost = [one for one in trial.covariates if not any(_is_of(column, one) for column in there)]
        if lost:
            without = f"without {', '.join(lost)}, the same for all analysed"
            yield Deviation("covariates", trial.covariates, f"{route.name}: {without}")
        yield from _of_motion(trial, route, sample.design.motion if sample.design.motion in there else None)
        if trial.strata and sample.strata is None:
            yield Deviation("strata", trial.strata, f"{route.name}: no strata")


def _of_motion(trial: Trial, route: "Route", adjusted: str | None) -> Iterator[Deviation]:
    """Compare whether baseline motion is adjusted for; a plan that lists covariates without it has it not."""
    plan = cast(Plan, trial.plan)
    planned = plan.further.get("baseline_motion")
    if planned is None and plan.covariates is not None and adjusted:
        used = f"{route.name}: adjusted for {adjusted}"
        yield Deviation("baseline_motion", "not among the planned covariates", used)
    if planned and trial.baseline_motion and not adjusted:
        yield Deviation("baseline_motion", True, f"{route.name}: not known of everyone, or the same for all")


def _is_of(column: object, covariate: str) -> bool:
    return column == covariate or str(column).startswith(f"{covariate}[")


def _of_outcomes(trial: Trial, scores: "Scores | None") -> Iterator[Deviation]:
    """Say which planned outcomes have no score at follow-up of an arm."""
    plan = trial.plan
    for part in ("primary_outcomes", "secondary_outcomes"):
        planned = getattr(plan, part) or ()
        names = {word: word.partition("=")[0].partition(":")[0] for word in planned}
        kept = tuple(word for word in planned if scores is not None and names[word] in scores.outcomes)
        if len(kept) < len(planned):
            yield Deviation(part, planned, kept)
