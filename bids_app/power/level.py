"""``trialgraph power``: what happens in which order, and what is written."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app import __version__
from bids_app.bids.files import save_described, save_json, sweep
from bids_app.bids.findings import Finding, say_all
from bids_app.errors import MissingInputError
from bids_app.group.drawing import OF_CONNECTIONS
from bids_app.power.pilot_maps import PilotMaps, read_pilot
from bids_app.power.places import Place, place_of
from bids_app.power.planning import Planned, assumed, called, n_visits_of, plan_from, planned_trial
from bids_app.report.power import write_power_page
from bids_app.runtime.logs import conclude, start_log
from bids_app.settings.power_options import PowerOptions
from bids_app.settings.settings import Settings
from bids_app.stats import Inference
from bids_app.stats.planning import Curve, Tried, as_it_is, fit_curve, size_for, smoothness, try_size, wilson
from bids_app.stats.reliability import intraclass_correlation

logger = logging.getLogger("bids_app")

FOLDER = "power"
AROUND = (0.6, 0.8, 1.0, 1.25, 1.6)  # of what theory expects
STRICT = 0.001  # what a voxel's p has to be, about, where there are many: for a first guess alone
MANY = 50
TRUSTED, FEW = 0.5, 20  # share of random fields that is said, and participants below which it is warned of
MOST_FURTHER = 3  # sizes that are tried beyond those
FURTHEST = 3.0  # beyond the sizes that were tried, the curve is not followed
COLUMNS = {
    "n": "Participants randomized",
    "effect_size": "Standardized difference that was added, in standard deviations of the maps at that visit",
    "n_analysed": "Participants in the analysis, mean over trials",
    "trials": "Trials simulated with the effect",
    "found": "Trials in which any node of the region is found with the right sign, corrected as planned",
    "power": "Their share",
    "power_low": "Lower end of its Monte Carlo interval of 95 % (Wilson)",
    "power_high": "Upper end",
    "region_found": "Share of the region's nodes found, mean over the trials that found any",
    "null_trials": "Trials simulated without an effect",
    "null_found": "Those of them in which anything is found anywhere",
    "false_alarms": "Their share",
    "false_alarms_low": "Lower end of its Monte Carlo interval of 95 % (Wilson)",
    "false_alarms_high": "Upper end",
    "power_of_mean": "Power of the mean over the region, tested by itself, by the noncentral t",
}
COMPARISON_COLUMNS = {
    "n": COLUMNS["n"],
    "effect_size": COLUMNS["effect_size"],
    "comparison": "Which of the comparisons that have the effect",
    "trials": COLUMNS["trials"],
    "found": "Trials in which it finds any node of the region with the right sign, corrected over all comparisons",
    "power": COLUMNS["power"],
    "power_low": COLUMNS["power_low"],
    "power_high": COLUMNS["power_high"],
}


@dataclass(frozen=True)
class Pair:
    """Trials of one size with an effect and without."""

    with_effect: Tried
    without: Tried


def power_level(settings: Settings, options: PowerOptions) -> int:
    """Plan the size of a trial from what the participant level left.

    Parameters
    ----------
    settings : Settings
        As of the group level.
    options : PowerOptions

    Returns
    -------
    int
        0, or the code of what went wrong.
    """
    if options.reports_only:
        return _remake(settings)
    log_dir = start_log(replace(settings, level=FOLDER))
    sweep(settings.output_dir)
    maps = read_pilot(settings, options, n_visits_of(options))
    trial = planned_trial(options, settings.trial, maps)
    place = place_of(maps, settings, options)
    planned = plan_from(maps, trial, place, options, settings.trial.random_seed)
    findings = say_all((*maps.findings, *assumed(options, settings, maps), *_of_pilot(maps, planned)))
    logger.info("Simulating %d trials of each size, with and without an effect.", options.trials)
    pairs = _try_all(settings, options, planned, maps)
    record = _record(settings, options, maps, place, planned, findings, pairs)
    folder = settings.output_dir / FOLDER
    _write(folder, planned, pairs, record)
    page = write_power_page(folder)
    for line in record["Answer"]:
        logger.info("%s", line)
    return conclude([], page, log_dir)


def _remake(settings: Settings) -> int:
    """Make the page anew of what an earlier run saved."""
    folder = settings.output_dir / FOLDER
    if lacking := [name for name in ("results.json", "power.tsv") if not (folder / name).is_file()]:
        raise MissingInputError(
            f"--reports-only: {folder} has no {' and no '.join(lacking)}. Run trialgraph power without it first."
        )
    log_dir = start_log(replace(settings, level=FOLDER))
    return conclude([], write_power_page(folder), log_dir)


def _of_pilot(maps: PilotMaps, planned: Planned) -> Iterator[Finding]:
    """Say what the maps tell of the noise, and how far they can be trusted."""
    n, shrinkage = maps.pilot.n, planned.noise.shrinkage
    yield Finding(
        "Blinding",
        f"The maps of {n} participants are pooled; who was given what is not read. The mean of each visit over "
        "everyone is taken out, nothing else: what treatment did stays as variance.",
    )
    n_visits = planned.trial.n_visits
    if n_visits > 1 and (maps.r_is_said or len(maps.sessions) < n_visits):
        r = planned.correlation[0, 1]
        why = "as is said by --visit-correlation" if maps.r_is_said else "as those that are there do"
        yield Finding(
            "Visits",
            f"The first visit of the maps stands for all {n_visits} of the trial; any two correlate {r:.2f}, {why}.",
        )
    if shrinkage > TRUSTED:
        node = maps.route.node
        like = "fields of their smoothness," if maps.grid is not None else f"values of each {node} by itself, of their"
        yield Finding(
            "Noise",
            f"{n} participants say little of how {node}s that are far apart go along: {100 * shrinkage:.0f} % of the "
            f"variance of simulated maps is of random {like} variance and correlation of visits.",
            warning=n < FEW,
        )


def _try_all(settings: Settings, options: PowerOptions, planned: Planned, maps: PilotMaps) -> list[Pair]:
    """Simulate trials of each size, and where sizes are not given, of some more around the one that is wanted."""
    pairs = [_try_one(settings, options, planned, one) for one in _sizes(options, planned, maps)]
    if options.n and not options.looks_for_effect:
        return pairs
    for _ in range(MOST_FURTHER):
        if (further := _further(options, planned, pairs)) is None:
            break
        pairs.append(_try_one(settings, options, planned, further))
    return sorted(pairs, key=lambda pair: (pair.with_effect.n, abs(pair.with_effect.size)))


def _try_one(settings: Settings, options: PowerOptions, planned: Planned, one: tuple[int, float]) -> Pair:
    """Simulate trials of one size, with an effect and without, and say what they found."""
    n, size = one
    how: dict[str, Any] = {"n_trials": options.trials, "precision": options.precision}
    how |= {"seed": settings.trial.random_seed, "n_jobs": settings.resources.n_cpus}
    started = time.monotonic()
    found = try_size(planned.trial, planned.noise, n, region=planned.region, size=size, **how)
    null = try_size(planned.trial, planned.noise, n, region=None, **how)
    seconds = time.monotonic() - started
    logger.info(
        "  %d participants, effect %.2f: found in %s; without an effect in %s (%.0f s).",
        *(n, size, _rate(found), _rate(null), seconds),
    )
    return Pair(found, null)


def _further(options: PowerOptions, planned: Planned, pairs: Sequence[Pair]) -> tuple[int, float] | None:
    """Return what is tried next: where the curve reaches the power that is wanted, if that lies beyond what was."""
    sizes = _tried(options, pairs)
    needed, _ = _needed(options, pairs)
    if needed is not None and not needed["BeyondTried"]:
        return None
    most = max(pair.with_effect.rate for pair in pairs)
    guess = needed["Size"] if needed else max(sizes) * 1.6 if most < options.power else min(sizes) / 1.6
    if options.looks_for_effect:
        return options.n[0], round(guess * (1.05 if guess > max(sizes) else 0.95), 2)
    step = sum(planned.trial.shares)
    n = max(step * round(guess * (1.1 if guess > max(sizes) else 0.9) / step), _least(planned))
    return None if n in sizes else (n, float(options.effect_size or 1))


def _tried(options: PowerOptions, pairs: Sequence[Pair]) -> list[float]:
    """Return the sizes that were tried: effects, or numbers of participants."""
    return [abs(one.with_effect.size) if options.looks_for_effect else one.with_effect.n for one in pairs]


def _rate(tried: Tried) -> str:
    low, high = tried.interval
    return f"{tried.rate:.3f} ({low:.3f} to {high:.3f}) of {tried.trials} trials"


def _sizes(options: PowerOptions, planned: Planned, maps: PilotMaps) -> list[tuple[int, float]]:
    """Return the sizes and effects that are tried."""
    if options.effect_size is not None:
        numbers = options.n or _numbers(options, planned, maps)
        return [(n, options.effect_size) for n in sorted(set(numbers))]
    (n,) = options.n
    strict = replace(planned, trial=replace(planned.trial, alpha=_strict(planned, maps)))
    guess = size_for(options.power, lambda size: strict.theory(n, size), 0.05, 5)
    return [(n, round(guess * factor, 2)) for factor in AROUND]


def _numbers(options: PowerOptions, planned: Planned, maps: PilotMaps) -> list[int]:
    """Return numbers of participants around what theory expects."""
    strict = replace(planned, trial=replace(planned.trial, alpha=_strict(planned, maps)))
    step, least, size = sum(planned.trial.shares), _least(planned), float(options.effect_size or 1)
    guess = size_for(options.power, lambda n: strict.theory(round(n), size), least, 2000)
    return sorted({max(step * round(guess * factor / step), least) for factor in AROUND})


def _least(planned: Planned) -> int:
    """Return how many have to be randomized for five or so in the smallest arm."""
    trial = planned.trial
    n_columns = len(trial.shares) + trial.n_covariates + trial.n_strata
    return int(np.ceil(max(5 * sum(trial.shares) / min(trial.shares), n_columns + 4) / (1 - trial.lost)))


def _strict(planned: Planned, maps: PilotMaps) -> float:
    n_nodes = maps.pilot.residuals.shape[-1]
    alpha = planned.trial.alpha / len(planned.trial.questions)
    return min(STRICT, alpha) if n_nodes > MANY and maps.grid is not None else alpha / n_nodes


def _curve(options: PowerOptions, pairs: Sequence[Pair]) -> Curve | None:
    tried = [pair.with_effect for pair in pairs]
    transform = as_it_is if options.looks_for_effect else np.sqrt
    return fit_curve(_tried(options, pairs), [one.hits for one in tried], [one.trials for one in tried], transform)


def _record(  # noqa: PLR0913 - all that there is to say
    settings: Settings,
    options: PowerOptions,
    maps: PilotMaps,
    place: Place,
    planned: Planned,
    findings: Sequence[Finding],
    pairs: Sequence[Pair],
) -> dict[str, Any]:
    """Return all that the page says."""
    trial = planned.trial
    needed, curve = _needed(options, pairs)
    return {
        "Version": __version__,
        "Plan": settings.trial.plan.sha256 if settings.trial.plan else None,
        "Design": {
            "Design": options.design,
            "Arms": len(trial.shares),
            "Visits": trial.n_visits,
            "Ratio": ":".join(map(str, trial.shares[::-1])),
            "DropOut": options.dropout,
            "ExcludedForMotion": options.excluded,
        },
        "Maps": _of_maps(maps, planned),
        "Effect": _of_effect(options, maps, place, planned),
        "Analysis": _of_analysis(options, maps, planned),
        "Simulation": {
            "Trials": options.trials,
            "Draws": trial.n_draws,
            "Precision": options.precision,
            "RandomSeed": settings.trial.random_seed,
        },
        "Wanted": {"Power": options.power, "LooksFor": "effect" if options.looks_for_effect else "n"},
        "Needed": needed,
        "Curve": curve,
        "Findings": [one.to_json() for one in findings],
        "Answer": _answer(options, pairs, needed),
    }


def _of_maps(maps: PilotMaps, planned: Planned) -> dict[str, Any]:
    """Return what the noise is of."""
    pilot, spacing = maps.pilot, maps.spacing
    return {
        "Route": maps.route.name,
        "Nodes": pilot.residuals.shape[-1],
        "Participants": pilot.n,
        "Sessions": [one or "" for one in maps.sessions],
        "CorrelationOfVisits": planned.correlation.round(4).tolist(),
        "CorrelationIsAssumed": maps.r_is_said,
        "ICC": _icc(pilot),
        "FWHM": None if spacing is None else smoothness(pilot.touching, spacing),
        "StandardDeviation": float(np.median(pilot.deviation[:, 0])),
        "RandomFields": planned.noise.shrinkage,
    }


def _of_effect(options: PowerOptions, maps: PilotMaps, place: Place, planned: Planned) -> dict[str, Any]:
    """Return what was added, and where."""
    return {
        "Measure": maps.features[0].title,
        "Place": place.text,
        "Name": place.name,
        "Nodes": len(place.nodes),
        "EffectSize": options.effect_size,
        "OfMean": planned.of_mean,
        "UnitOfOutcome": planned.unit,
        "Comparisons": list(called(planned.trial.asked, planned.trial).values()),
    }


def _of_analysis(options: PowerOptions, maps: PilotMaps, planned: Planned) -> dict[str, Any]:
    """Return how each trial was analysed."""
    trial = planned.trial
    return {
        "Estimator": trial.estimator,
        "Scheme": "sign-flips" if options.design == "one-group" else trial.scheme,
        "Statistic": _statistic(trial.inference),
        "StandardErrors": "HC3" if trial.inference.robust else "ordinary",
        "Covariates": trial.n_covariates,
        "Strata": trial.n_strata,
        "Explained": trial.explained,
        "Alpha": trial.alpha,
        "Measures": [one.title for one in maps.features],
        "CorrectedOverMeasures": trial.over_measures and len(trial.questions) == 1,
        "AllComparisons": len(trial.questions),
    }


def _statistic(inference: Inference) -> str:
    """Return what the page calls the statistic: that of networks otherwise than that of maps."""
    name = str(inference.statistic)
    return name if inference.pairs is None else {kind: option for option, kind in OF_CONNECTIONS.items()}[name]


def _icc(pilot: Any) -> float | None:
    if pilot.residuals.shape[1] < 2:
        return None
    return float(np.nanmedian(intraclass_correlation(pilot.residuals[:, 0, 0], pilot.residuals[:, 1, 0])))


def _needed(options: PowerOptions, pairs: Sequence[Pair]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the size that reaches the power that is wanted, with its interval; and the curve."""
    curve = _curve(options, pairs)
    if curve is None:
        return None, None
    sizes = _tried(options, pairs)
    low, high = min(sizes) / FURTHEST, max(sizes) * FURTHEST
    grid = np.linspace(min(sizes) * 0.8, max(sizes) * 1.15, 60)
    lower, upper = curve.band(grid)
    drawn = {"Sizes": grid, "Power": curve.power(grid), "Low": lower, "High": upper}
    found = curve.reaches(options.power, low, high)
    if found is None:
        return None, drawn
    at, first, last = found
    beyond = not min(sizes) <= at <= max(sizes)
    end = last if np.isfinite(last) else None
    return {"Size": at, "Low": first, "High": end, "Furthest": high, "BeyondTried": beyond}, drawn


def _answer(options: PowerOptions, pairs: Sequence[Pair], needed: dict[str, Any] | None) -> list[str]:
    """Say the answer, and whether the test keeps its level."""
    wanted = f"{100 * options.power:g} %"
    if needed is None:
        rates = [pair.with_effect.rate for pair in pairs]
        least = f"the power of what was tried is {min(rates):.2f} to {max(rates):.2f}"
        first = f"How many participants have a power of {wanted} cannot be told: {least}."
        if options.looks_for_effect:
            first = f"Which effect is found with a power of {wanted} cannot be told: {least}."
    elif options.looks_for_effect:
        to = f"{needed['High']:.2f}" if needed["High"] else f"more than {needed['Furthest']:.2f}"
        first = (
            f"{options.n[0]} participants find an effect of {needed['Size']:.2f} standard deviations with a power of "
            f"{wanted} (95 % interval {needed['Low']:.2f} to {to})."
        )
    else:
        to = f"{np.ceil(needed['High']):.0f}" if needed["High"] else f"more than {needed['Furthest']:.0f}"
        first = (
            f"{np.ceil(needed['Size']):.0f} participants have to be randomized for a power of {wanted} (95 % interval "
            f"{np.ceil(needed['Low']):.0f} to {to})."
        )
    if needed and needed["BeyondTried"]:
        first += " That lies beyond the sizes that were tried: try sizes around it."
    nulls = {pair.without.n: pair.without for pair in pairs}
    hits, trials = sum(one.hits for one in nulls.values()), sum(one.trials for one in nulls.values())
    low, high = wilson(hits, trials)
    alarms = f"{hits / trials:.3f} ({low:.3f} to {high:.3f}) of {trials} trials"
    return [first, f"Without an effect anything is found in {alarms}."]


def _write(folder: Path, planned: Planned, pairs: Sequence[Pair], record: dict[str, Any]) -> None:
    rows = []
    for pair in pairs:
        found, null = pair.with_effect, pair.without
        low, high = found.interval
        null_low, null_high = null.interval
        numbers = (
            *(found.n, found.size, found.analysed, found.trials, found.hits, found.rate, low, high, found.share),
            *(null.trials, null.hits, null.rate, null_low, null_high, planned.theory(found.n, found.size)),
        )
        rows.append(dict(zip(COLUMNS, numbers, strict=True)))
    save_described(folder / "power.tsv", pd.DataFrame(rows), COLUMNS)
    save_json(folder / "results.json", record)
    names = called(planned.trial.asked, planned.trial)
    if len(names) < 2:
        (folder / "comparisons.tsv").unlink(missing_ok=True)
        (folder / "comparisons.json").unlink(missing_ok=True)
        return
    each = [_of_comparison(pair.with_effect, name, question) for pair in pairs for question, name in names.items()]
    save_described(folder / "comparisons.tsv", pd.DataFrame(each), COMPARISON_COLUMNS)


def _of_comparison(tried: Tried, name: str, question: tuple[int, int]) -> dict[str, Any]:
    hits = tried.of_each[question]
    low, high = wilson(hits, tried.trials)
    numbers = (tried.n, tried.size, name, tried.trials, hits, hits / tried.trials, low, high)
    return dict(zip(COMPARISON_COLUMNS, numbers, strict=True))
