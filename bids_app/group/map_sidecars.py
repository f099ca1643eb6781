"""What stands beside every map of the group level: the whole model, whose, and how its p was found."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bids_app import __version__, stats
from bids_app.bids.values import counted
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis, covariates_of, rows_of
from bids_app.group.drawing import scheme_of
from bids_app.group.routes import Route
from bids_app.group.sample import Sample
from bids_app.settings.settings import DESCRIBED, Trial
from bids_app.trial.design import Design

NONE = "none"
CORRECTIONS = {  # of p by their stat label; estimates and statistics have none
    "pFdr": "Benjamini and Hochberg",
    "pFwe": "the largest statistic of each draw over the family",
    "pFweAll": "the smallest p of each draw over the family",
}
MODEL_KEYS = ("Formula", "AdjustedFor", "Contrast", "NumberAnalysed")
INFERENCE_KEYS = ("Scheme", "NumberOfDraws", "AllDrawsMade", "RandomSeed", "Correction", "Family")


def model_of(analysis: Analysis, sample: Sample, trial: Trial, node: str) -> dict[str, Any]:
    """Return the model of every node: `MODEL_KEYS`.

    Parameters
    ----------
    analysis : Analysis
    sample : sample.Sample
        Its maps are not read.
    trial : settings.Trial
    node : str
        What a node is called.

    Returns
    -------
    dict
        ``Formula`` as statistical software writes it, without the coefficients.
    """
    if sample.design.orders:
        return _model_of_periods(analysis, sample, trial, node)
    design, estimand = sample.design, analysis.estimand(sample.design)
    names, covariates = _visits(design), covariates_of(analysis, sample)
    adjusts = [names.get(visit, visit) for visit in estimand.adjusts]
    blocks = ["stratum"] * (sample.strata is not None and estimand.kind != "mean")
    beside = [design.words.arm] * (estimand.kind == "slope" and not design.single)
    terms = [*_tested(estimand, design), *beside, *adjusts, *covariates, *blocks]
    arm = sample.arm[rows_of(analysis, sample)]
    return {
        "Formula": f"{_outcome(estimand, names)} ~ {' + '.join(['1', *terms])}",
        "AdjustedFor": [
            *beside,
            *(f"{visit} of the same {node}" for visit in adjusts),
            *covariates,
            *(f"{block} ({', '.join(trial.strata)})" for block in blocks),
        ],
        "Contrast": contrast_of(analysis, design),
        "NumberAnalysed": {name: int((arm == k).sum()) for k, name in enumerate(design.arms) if (arm == k).any()},
    }


def _model_of_periods(analysis: Analysis, sample: Sample, trial: Trial, node: str) -> dict[str, Any]:
    """Return the model of treatments of several periods, which has no outcome that is a sum of visits."""
    design, one = sample.design, analysis.estimator
    first, last = design.periods[0], design.periods[-1]
    own = {str(name): str(name) for name in sample.covariates}  # terms, and how they are said
    own |= {"stratum": f"stratum ({', '.join(trial.strata)})"} if sample.strata is not None else {}
    baseline = "baseline of the period"
    if one == "first-period":
        outcome, terms, adjusts = first, ["treatment", *own], [*own.values()]
        before = [f"baseline of {first}"] * design.has_baselines
    elif one == "period":
        outcome, terms, adjusts = f"{first} − {last}", [*own], [*own.values()]
        before = [baseline] * design.has_baselines
    else:
        carried = ["carried over"] * one.endswith("carry-over")
        by_period, said_by_period = (
            ["participant", "period", *(f"period:{name}" for name in names)] for names in (own, own.values())
        )
        tested, *others = [*carried, "treatment"] if one == "carry-over" else ["treatment", *carried]
        outcome, terms, adjusts = "value", [*by_period, tested, *others], [*said_by_period, *others]
        before = [baseline] * (design.has_baselines and one != "unadjusted")
    return {
        "Formula": f"{outcome} ~ {' + '.join(['1', *terms, *before])}",
        "AdjustedFor": [*adjusts, *(f"{name} of the same {node}" for name in before)],
        "Contrast": contrast_of(analysis, design),
        "NumberAnalysed": {name: int((sample.arm == k).sum()) for k, name in enumerate(design.arms)},
    }


def contrast_of(analysis: Analysis, design: Design) -> str:
    """Say what an analysis estimates, the first minus the second.

    Examples
    --------
    >>> design = Design("arm", "drug", "placebo", "pre", "post")
    >>> [contrast_of(Analysis(*one), design) for one in (("ancova",), ("within", "drug"), ("slope-by-arm", "age"))]
    ['drug − placebo', 'ses-post − ses-pre in drug', 'slope of age, drug − placebo']
    """
    sides = " − ".join(analysis.sides(design))
    if analysis.estimator == "within" and analysis.subject is not None:
        return f"{_outcome(analysis.estimand(design), _visits(design))} in {analysis.subject}"
    if analysis.subject is None:
        return sides
    return f"slope of {analysis.subject}{f', {sides}' if analysis.estimator.endswith('-by-arm') else ''}"


def _visits(design: Design) -> dict[Any, str]:
    """Return what the visits of an estimand are called."""
    of = {visit: design.called[visit] if design.own_sessions else design.named(visit) for visit in design.visits}
    return {session: of[visit] or "visit" for visit, session in design.visits.items()}


def _outcome(estimand: stats.Estimand, names: Mapping[Any, str]) -> str:
    """Write the weighted sum of the visits.

    Examples
    --------
    >>> _outcome(stats.two_periods("crossover"), {"period1": "period 1", "period2": "period 2"})
    '0.5 × period 1 − 0.5 × period 2'
    """
    parts = [
        f"{'−' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):g} × '}{names.get(visit, visit)}"
        for visit, weight in estimand.outcome.items()
    ]
    return " ".join(parts).removeprefix("+ ")


def _tested(estimand: stats.Estimand, design: Design) -> list[str]:
    """Return the terms whose coefficients are tested; of a mean that of 1."""
    arm = design.words.arm
    if estimand.covariate is None:
        return [arm] if estimand.tested else []
    return [estimand.covariate, f"{arm}:{estimand.covariate}"] if estimand.tested else [estimand.covariate]


def inference_of_map(
    analysis: Analysis, design: Design, comparison: stats.Comparison, trial: Trial, *, n_draws: int | None = None
) -> dict[str, Any]:
    """Return how its p was found: `INFERENCE_KEYS` but for the correction and its family.

    Parameters
    ----------
    analysis : Analysis
    design : Design
    comparison : stats.Comparison
    trial : settings.Trial
    n_draws : int, optional
        Where they are not those of the comparison by itself.
    """
    return {
        "Scheme": _scheme(analysis, design, trial),
        "NumberOfDraws": n_draws or len(comparison.max_statistics),
        "AllDrawsMade": comparison.exhaustive,
        "TailApproximation": comparison.tail or None,
        "RandomSeed": trial.random_seed,
    }


def _scheme(analysis: Analysis, design: Design, trial: Trial) -> str:
    if design.orders:
        return "sign-flips" if analysis.estimator == "period" else trial.scheme
    return scheme_of(analysis.estimand(design), trial)


def correction_of(
    statistic: str, comparison: stats.Comparison, node: str, features: Iterable[Feature]
) -> dict[str, str]:
    """Return by what, and over what, a map of p is corrected."""
    nodes = counted(int(np.isfinite(comparison.p_fwe).sum()), node)
    looks = "; allocations that an earlier look would have stopped at are not counted" if comparison.earlier else ""
    families = {
        "pFdr": nodes,
        "pFwe": f"{nodes}, both signs{looks}",
        "pFweAll": f"{nodes}, both signs, of {'; '.join(one.title for one in features)}{looks}",
    }
    return {"Correction": CORRECTIONS.get(statistic, NONE), "Family": families.get(statistic, f"each {node} by itself")}


def about_described(sample: Sample, said: str, feature: Feature) -> dict[str, Any]:
    """Return what stands beside a map that describes, and of which nothing is tested."""
    arm, design = sample.arm, sample.design
    return {
        "Description": f"{said}: {feature.title}.",
        "Formula": f"{' and '.join(_visits(design).values())} as they are",
        "AdjustedFor": [],
        "Contrast": NONE,
        "NumberAnalysed": {name: int((arm == k).sum()) for k, name in enumerate(design.arms)},
        "Scheme": DESCRIBED,
        "NumberOfDraws": 0,
        "Software": software(),
    }


def software() -> str:
    """Return what wrote a map."""
    return f"trialgraph {__version__}"


def of_route(route: Route, trial: Trial) -> dict[str, str]:
    """Return what all maps of a route have in common."""
    return {"Statistic": route.statistic(trial), "StandardErrors": "HC3" if trial.hc3 else "ordinary"}
