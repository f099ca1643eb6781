"""The statistical analysis plan as a text, made from the plan before there are data."""

import re
from collections.abc import Iterator
from typing import cast

from bids_app import __version__
from bids_app.graph.features import Feature
from bids_app.graph.measures import CONNECTIVITY, GLOBALS
from bids_app.report.documents import Block, Bullets, Grid, Heading, Paragraph
from bids_app.report.group_methods import STATISTICS
from bids_app.report.outcome_methods import SAID as OF_OUTCOMES
from bids_app.report.pages import number
from bids_app.settings.cutoffs import parse_cutoffs
from bids_app.settings.deviation import said
from bids_app.settings.objectives import CORRECTIONS, NOT_STATED, Event, Objective, protocol_said
from bids_app.settings.plan import Plan
from bids_app.settings.roles import OF_DESIGN, outcome_model, settings_of, single
from bids_app.settings.settings import DENOISE_STRATEGIES, EDGE_STATISTICS, SINGLE, Settings, Trial

UNKEYED = r"\s*\[@[^]]*\]"  # citations of the bibliography
DESIGNS = {
    "parallel": "randomized trial of parallel arms",
    "groups": "comparison of groups that nobody randomized",
    "crossover": "randomized cross-over trial",
    "one-group": "everybody as one group",
    "paired": "two treatments within participants, in an order that is not known",
}

BOUNDED = "with bounds of what they could have changed in the regions"


def sap_of(settings: Settings, name: str, estimator: str) -> list[Block]:
    """Return the text of a statistical analysis plan.

    Parameters
    ----------
    settings : Settings
        As the plan alone has them, with the defaults where it says nothing.
    name : str
        Of the plan's file.
    estimator : str
        How arms are compared at each node, in words.

    Returns
    -------
    list of Block
    """
    plan = cast(Plan, settings.trial.plan)
    title = plan.protocol.title or NOT_STATED
    return [
        Heading(f"Statistical analysis plan: {title}", 1),
        Paragraph(
            f"Made by trialgraph {__version__} from {name} (SHA-256 {plan.sha256}), which the analysis is run by and "
            "held against. Where that file changes, this text is of another plan."
        ),
        *_administration(settings),
        *_objectives(plan),
        *_multiplicity(plan, settings.trial),
        *_imaging(settings),
        *_comparison(settings.trial, estimator),
        *_outcomes(settings.trial),
        *_left_open(settings),
        *_departures(),
    ]


def _administration(settings: Settings) -> Iterator[Block]:
    plan, trial = cast(Plan, settings.trial.plan), settings.trial
    facts = protocol_said(plan.protocol, plan.interim)
    facts |= {"Design": DESIGNS[trial.design], "Arms": said(trial.arms or tuple(plan.protocol.n_planned) or NOT_STATED)}
    facts["Reference"] = trial.reference_arm or NOT_STATED
    facts["Visits"] = f"baseline {_sessions(trial.baseline)}, follow-up {_sessions(trial.followup)}"
    facts["Randomization stratified by"] = said(trial.strata) if trial.strata else "nothing, or not stated"
    yield Heading("The trial")
    yield Grid(("What", "Planned"), tuple(facts.items()))


def _sessions(labels: tuple[str, ...]) -> str:
    return ", ".join(f"ses-{label}" for label in labels) or f"as the data order them ({NOT_STATED})"


def _objectives(plan: Plan) -> Iterator[Block]:
    yield Heading("Objectives and estimands")
    if not plan.objectives:
        yield Paragraph("No objective is stated: nothing will be said to be confirmed.")
    for number_, one in enumerate(plan.objectives, 1):
        yield Heading(f"{number_}. {one.name} ({one.role})", 3)
        yield Grid(("Attribute of the estimand", "Planned"), tuple(one.attributes.items()))
        yield from _events(one)


def _events(one: Objective) -> Iterator[Block]:
    if one.events:
        heads = ("Intercurrent event", "Strategy", "What the analysis does", "Counted by arm")
        yield Grid(heads, tuple((event.name, event.strategy, event.done, _counted(event)) for event in one.events))


def _counted(event: Event) -> str:
    return f"of the column {event.column}, while blinded over all arms" if event.column else "no column is named"


def _multiplicity(plan: Plan, trial: Trial) -> Iterator[Block]:
    yield Heading("Error rate")
    alpha = number(trial.alpha)
    if len(plan.objectives) > 1:
        how = CORRECTIONS[str(plan.protocol.correction)]
        yield Paragraph(
            f"Over the {len(plan.objectives)} objectives the error is kept at {alpha}, two-sided: {how}. An objective "
            "that is not analysed as planned counts as one with p = 1."
        )
    else:
        yield Paragraph(f"The level is {alpha}, two-sided.")
    yield Paragraph(
        "Within an objective on a map p is corrected over all nodes and both signs by the maximum statistic of the "
        "same draws, and so is that of the connections of an atlas; that of a region, of a measure of the whole "
        "graph or of a clinical outcome is p of this one value. What is no objective is "
        "secondary or exploratory, whatever its p."
    )


def _imaging(settings: Settings) -> Iterator[Block]:
    signal, graph = settings.signal, settings.graph
    band = f"{signal.bandpass[0]:g} to {signal.bandpass[1]:g} Hz" if signal.bandpass else "no band-pass filter"
    rules = " or ".join(rule.text for rule in graph.rules)
    size = "the grid of the data" if graph.voxel_size is None else f"{graph.voxel_size} mm"
    nodes = [f"voxels of the mask {graph.mask} on {size}"] * bool(graph.metrics)
    nodes += [f"parcels of {atlas}" for atlas in graph.atlases]
    yield Heading("Imaging")
    yield Bullets(
        (
            f"Cleaning: {signal.denoise} ({DENOISE_STRATEGIES[signal.denoise]}); {band}; "
            f"{'linear trend removed' if signal.detrend else 'trend kept'}; volumes with a framewise displacement "
            f"above {signal.fd_threshold:g} mm are censored.",
            f"A visit with less than {signal.min_minutes:g} minutes of data left is not compared.",
            f"Nodes: {'; '.join(nodes)}. Edges: {rules}.",
            f"Maps are compared as {'z scores within the mask' if settings.trial.map_values == 'z' else 'raw values'}, "
            f"smoothed by {graph.smooth_maps:g} mm FWHM.",
        )
    )
    measures = [Feature(name, "full").measure for name in dict.fromkeys((*graph.metrics, *graph.parcels.metrics))]
    objectives = cast(Plan, settings.trial.plan).objectives
    measures += [GLOBALS[name] for name in dict.fromkeys(one.whole_graph for one in objectives) if name]
    measures += [CONNECTIVITY] if settings.trial.edge_statistic != "none" else []
    rows = tuple((one.name, one.description, one.reference) for one in measures)
    yield Grid(("Measure", "Definition", "Whose"), rows)


def _comparison(trial: Trial, estimator: str) -> Iterator[Block]:
    adjusted = [*trial.covariates, *["mean framewise displacement at baseline"] * _of_motion(trial)]
    adjusted += [f"strata of {name}" for name in trial.strata]
    within = ", within strata" if trial.strata else ""
    draws = {
        "rerandomize": f"the labels of the arms are drawn again as they were allocated{within}",
        "freedman-lane": "residuals are permuted (Freedman and Lane)",
        "sign-flips": "the signs of everyone's changes are flipped",
    }[trial.scheme]
    statistic = STATISTICS[trial.statistic].format(threshold=number(trial.cluster_threshold)).partition(" [@")[0]
    settled = f"until it is settled on which side of {trial.alpha} every corrected p is"
    often = settled if trial.until_settled else f"{trial.n_draws:,} times"
    yield Heading("Comparison at every node")
    yield Bullets(
        (
            f"Estimate: {estimator}; adjusted for {', '.join(adjusted) or 'nothing else'}"
            f"{', with HC3 standard errors' if trial.hc3 else ''}. Effects are given in the units of the measure and "
            "as Hedges g, each with its 95 % confidence interval.",
            f"Test: {statistic}; {draws}, {often} (seed {trial.random_seed}).",
            *_of_connections(trial),
            "A covariate that is missing for some is replaced by the mean of the others. Participants without both "
            "visits are not in the maps; how many and why is shown"
            f"{'' if trial.design in SINGLE else f', by arm, {BOUNDED}'}.",
            *(f"Region named beforehand: {one.name}." for one in trial.regions),
        )
    )


def _of_connections(trial: Trial) -> Iterator[str]:
    if trial.edge_statistic == "none":
        return
    forming = f", of |z| > {number(trial.cluster_threshold)}" if trial.edge_statistic.startswith("nbs") else ""
    yield (
        f"Connections: the same estimate and draws at every pair of parcels; the statistic is {trial.edge_statistic}, "
        f"{EDGE_STATISTICS[trial.edge_statistic]}{forming}; p is corrected over all pairs and both signs."
    )


def _of_motion(trial: Trial) -> bool:
    """Say whether motion at baseline is adjusted for: it has nothing to do with the mean of a change."""
    return trial.baseline_motion and trial.design in ("parallel", "groups")


def _outcomes(trial: Trial) -> Iterator[Block]:
    if not trial.outcomes:
        return
    model = outcome_model(trial, alone=len(trial.followup) < 2 and len(trial.arms) < 3)
    yield Heading("Clinical outcomes")
    yield Grid(
        ("Outcome", "The row that decides"), tuple((name, _model(name, trial, model)) for name in trial.outcomes)
    )
    given = "belong to a group" if trial.design == "groups" else "were randomized"
    whose = f"{given} and have {'both periods' if trial.design == 'crossover' else 'a follow-up'}"
    yield Paragraph(
        "Everyone with both visits is in the row that decides. Beside it stand other models; they decide nothing."
        if trial.design in SINGLE
        else f"All who {whose} are in the model. Beside "
        "it stand other models, bounds and tipping points for missing follow-ups; they decide nothing."
    )


def _model(name: str, trial: Trial, model: str) -> str:
    """Say how an outcome is judged."""
    cutoffs = {f"{one.outcome}:{one.name}": one.rule for one in parse_cutoffs(trial.cutoffs)}
    if name in cutoffs:
        return f"{cutoffs[name]}: difference of the shares of everyone randomized, a missing follow-up as a failure"
    if name in trial.ordinal:
        return _words("ranks", trial)
    if model == "mmrm":
        of = "visits of everyone" if trial.design in SINGLE else "follow-ups"
        return (
            f"mixed model for repeated measures of all {of}, unstructured covariance, REML, standard errors and "
            "degrees of freedom of Kenward and Roger"
        )
    return _words(OF_DESIGN.get(trial.design, "ancova"), trial)


def _words(method: str, trial: Trial) -> str:
    having = "both visits" if trial.design in SINGLE else "both periods" if method == "crossover" else "a follow-up"
    text = OF_OUTCOMES[method].format(score="follow-up", present=f"everyone with {having}", adjusted="", whom="all")
    return re.sub(UNKEYED, "", text).removeprefix("by ")


def _left_open(settings: Settings) -> Iterator[Block]:
    plan, used = cast(Plan, settings.trial.plan), settings_of(settings)
    yield Heading("What the plan leaves open")
    yield Paragraph("Done by default; anything else will be listed as a departure.")
    rows = [(name, said(single(name, used[name])) if name in used else "any") for name in plan.left_open]
    yield Grid(("Key of the plan", "Default"), tuple(rows) or (("nothing", ""),))


def _departures() -> Iterator[Block]:
    yield Heading("Departures")
    yield Paragraph(
        "Every setting that differs from the plan, how the scans were really processed, covariates that could not be "
        "used, planned outcomes that are not there, and another number of participants are listed on the page of the "
        "results. A departure that changes the question makes every result exploratory and confirms no objective. That "
        "results had been seen before the plan was first used is said, and confirms nothing either."
    )
