"""How the arms were compared, in words, from the files of the group level; ``[@key]`` cites the bibliography."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bids_app.bids.values import joined
from bids_app.report.headline import judged
from bids_app.report.outcome_methods import outcomes_text, repeated_text
from bids_app.report.pages import number
from bids_app.report.words import said
from bids_app.settings.deviation import Deviation
from bids_app.settings.interim import SPENDING
from bids_app.trial.comparison_record import ComparisonRecord, Looked
from bids_app.trial.summaries import listed

Facts = Mapping[str, Any]  # content of trial.json
OF_NODE = re.compile(r"the same (voxel|grayordinate|parcel|measure|connection)\b")  # as routes call their nodes
STATISTICS = {
    "tfce": "exact signed threshold-free cluster enhancement of z (E = 0.5, H = 2) [@smith2009]",
    "t": "t of each node",
    "cluster-extent": "extent of clusters of z beyond {threshold}",
    "cluster-mass": "mass of clusters of z beyond {threshold}",
    "nbs": "count of connections in the component of z beyond {threshold} (network-based statistic) [@zalesky2010]",
    "nbs-intensity": "sum of z over the component of connections of z beyond {threshold} [@zalesky2010]",
    "tfnbs": "threshold-free network-based statistic of z (E = 0.4, H = 3) [@baggio2018; @vinokur2015]",
}

SCORES_DESCRIBED = (
    "Clinical outcomes ({names}) were described by mean and standard deviation at each visit; nothing was tested."
)
BLINDED = (
    "The trial was blinded: everyone was one group, whatever their arm, and each of {n} visits was described by "
    "itself. Of each two visits the standard deviations over participants, that of the change, and the correlation of "
    "the visits are given, from which the number of participants may be estimated anew without knowing an arm (Borm et "
    "al. 2007, Journal of Clinical Epidemiology 60:1234)."
)


def group_methods(
    records: Sequence[ComparisonRecord],
    trial: Facts | None,
    together: Facts | None = None,
    repeated: Facts | None = None,
) -> list[tuple[str, str]]:
    """Describe how the arms were compared.

    Parameters
    ----------
    records : list of ComparisonRecord
        Of each route.
    trial : dict or None
        Content of trial.json.
    together : dict, optional
        Content of comparisons.json, where there are several.
    repeated : dict or None, optional
        What stands beside the table of the outcomes of all arms and follow-ups.

    Returns
    -------
    list of (str, str)
    """
    several = len({record.arms.comparison for record in records}) > 1
    parts = []
    for comparison in dict.fromkeys(record.arms.comparison for record in records):
        own = [record for record in records if record.arms.comparison == comparison]
        heading = f"Comparison: {own[0].route}" if len(own) == 1 else "Comparison"
        parts.append((f"{heading}{f', {comparison}' * several}", _comparison(own)))
    if together:
        parts.append(("Several comparisons", _together(together, records[0])))
    if trial and trial.get("Outcomes") and not records[-1].analyses.tested:
        parts.append(("Clinical outcomes", SCORES_DESCRIBED.format(names=", ".join(trial["Outcomes"]))))
    elif trial and trial.get("Outcomes"):
        text = outcomes_text(trial, records[-1]) + (repeated_text(repeated, records[-1]) if repeated else "")
        parts.append(("Clinical outcomes", text))
    if trial and trial.get("Blinded") != "pooled":  # where nothing is tested that a plan could be about
        parts.append(("Plan", _plan(trial, repeated)))
    if said := dict.fromkeys(one.text for record in records for one in record.findings if one.about == "Blinding"):
        parts.append(("Blinding", " ".join(said)))
    return parts


def _comparison(records: Sequence[ComparisonRecord]) -> str:
    """Describe a comparison on all its routes, and what they have alike once."""
    alone = len(records) == 1
    models = dict.fromkeys(_model(one) if alone else OF_NODE.sub("the same node", _model(one)) for one in records)
    tested = [one for one in records if one.analyses.tested]
    if not tested:
        return " ".join(models)
    draws = dict.fromkeys(_draws(one) for one in tested)
    judgements = dict.fromkeys(judged(one) for one in tested)
    return " ".join([*models, *draws, _statistics(tested), *judgements, _level(tested[0])])


def _statistics(records: Sequence[ComparisonRecord]) -> str:
    """Say what is tested on each route, and over how many nodes it is corrected."""
    said = [f"the {_statistic(one)}, over {one.data.nodes_compared} nodes" for one in records]
    if len(records) > 1:
        said = [f"for {one.route}, {text}" for one, text in zip(records, said, strict=True)]
    errors = ", with HC3 standard errors [@mackinnon1985]" if records[0].inference.standard_errors == "HC3" else ""
    return (
        f"The statistic is {'; '.join(said)}{errors}. p values are corrected over these nodes and both signs by the "
        "maximum statistic, and over the measures by the minimum p; the false discovery rate is given beside them "
        f"[@benjamini1995].{''.join(map(_named, records))}"
    )


def _statistic(record: ComparisonRecord) -> str:
    return STATISTICS[record.inference.statistic].format(threshold=number(record.inference.cluster_threshold))


def _level(record: ComparisonRecord) -> str:
    tail = " Small p values were taken from a generalized Pareto tail [@winkler2016]."
    own = f"Significance: p ≤ {number(record.inference.alpha)}.{tail * record.inference.tail_approximation}"
    return own + _looked(record.interim)


def _looked(interim: Looked) -> str:
    """Say which of several looks it was, and what it spends."""
    if interim.look is None:
        return ""
    return (
        f" This was look {interim.look} of {interim.looks}: a level of {number(interim.alpha_of_all_looks)} was spent "
        f"over the looks by {SPENDING[str(interim.spending)]} spending [@lan1983], {number(interim.alpha_spent)} up to "
        f"here. Each look was tested at what it may spend beyond those before it{_in_common(interim)}."
    )


def _in_common(interim: Looked) -> str:
    """Say what the looks have in common, and what was made of it."""
    if interim.jointly:
        return (
            "; for corrected p, the labels were exchanged among those who came for the same look, and allocations that "
            "would have been significant at an earlier look were not counted, so that the error of all looks together "
            "is that level"
        )
    return ", which bounds the error of all looks together whatever they have in common"


def _model(record: ComparisonRecord) -> str:
    n = record.arms.number_analysed
    arms, words = " and ".join(f"{count} of {arm}" for arm, count in n.items()), record.arms.words
    adjusted = [
        *(str(said(name)) for name in record.analyses.covariates),
        *(f"stratum {name}" for name in record.analyses.strata),
    ]
    if record.arms.design.single:
        return _of_one_group(record, adjusted)
    active, reference = record.arms.sides
    within = " within participants" if record.arms.treatments else ""
    text = f"{active} was compared with {reference}{within} ({arms}). The headline is {'' if within else 'the '}"
    text += record.analyses.headline_text + (" [@hills1979]" if within and not record.arms.orders else "")
    text += " [@kenward2010]" if record.arms.period_baselines else ""
    text += " [@vickers2001]" if record.analyses.headline == "ancova" else ""
    text += f", adjusted for {', '.join(adjusted)}" if adjusted else ""
    others = [words for key, words in record.analyses.estimators.items() if key != record.analyses.headline]
    others += record.analyses.descriptive.values() if within else ()
    text += f"; beside it, {'; '.join(others)}" if others else ""
    text += " [@freeman1989]" if "carry-over" in record.analyses.descriptive else ""
    text += f". {words.warning.removesuffix('.')}" if words.warning else ""
    return f"{text}. Effect sizes are Hedges g [@hedges1981] with 95 % confidence intervals."


def _of_one_group(record: ComparisonRecord, adjusted: Sequence[str]) -> str:
    """Describe the model of one group."""
    n, words = sum(record.arms.number_analysed.values()), record.arms.words
    if not record.analyses.tested:
        return f"{n} participants were described as one group: {record.analyses.headline_text}."
    if record.analyses.slope is None:
        text = _visits_compared(record, n)
    else:
        text = f"{n} participants were looked at as one group. "
    text += f"The headline is the {record.analyses.headline_text}"
    text += f", adjusted for {', '.join(adjusted)}" if adjusted else ", adjusted for nothing"
    others = [said for key, said in record.analyses.texts.items() if key != record.analyses.headline]
    text += f"; beside it, {'; '.join(others)}" if others else ""
    sizes = (
        "Effect sizes are Hedges g [@hedges1981], the mean difference over the standard deviation of the differences, "
    )
    sizes = sizes if record.analyses.slope is None else "Slopes are given "
    return f"{text}. {words.warning} {sizes}with 95 % confidence intervals."


def _visits_compared(record: ComparisonRecord, n: int) -> str:
    """Say which visits of one group were compared, or put together."""
    sides, found = record.arms.sides, record.arms.design.summary("followup")
    having = f"all of {listed(found.sessions)}" if found else "both"
    if len(sides) == 1:
        return f"Everyone's {sides[0]} was looked at, within the {n} participants who have {having}. "
    return f"{' was compared with '.join(sides)} within the {n} participants who have {having}. "


def _draws(record: ComparisonRecord) -> str:
    """Say what was re-drawn, and how often."""
    inference, where = record.inference, "within strata" if record.analyses.strata else ""
    labels = f"{record.arms.words.arm} labels"
    if inference.scheme == "sign-flips":
        made = "in all" if inference.all_allocations_enumerated else "in"
        text = f"Signs of the participants' differences were flipped {made} {inference.draws} ways [@winkler2014]"
    elif inference.scheme == "freedman-lane":
        text = f"Residuals were permuted {inference.draws} times {where} [@freedman1983; @winkler2014]"
    elif inference.all_allocations_enumerated:
        text = f"The {labels} were put through all {inference.draws} possible allocations {where} [@rosenberger2019]"
    else:
        text = f"The {labels} were re-randomized {inference.draws} times {where} [@rosenberger2019]"
    text += f"; {inference.exchanged}" if inference.exchanged else ""
    counted = "allocation" if record.arms.words.randomized else "order"
    return (
        f"{' '.join(text.split())}, covariates held fixed and the observed {counted} counted (seed "
        f"{inference.random_seed}).{_stopped(record)}"
    )


def _stopped(record: ComparisonRecord) -> str:
    """Say why draws stopped, where that is because p was settled."""
    inference = record.inference
    if inference.draws_at_most is None:
        return ""
    text = (
        f" Draws stopped, at {inference.draws_at_most} at the latest, when it was settled on which side of "
        f"{number(inference.alpha)} all of them would find every corrected p, of maps and networks at the peaks: the "
        "probability, given those made, that all would say otherwise is 0.0002 at most [@lan1982; @gandy2009]. "
        "p is valid at any number of draws [@fischer2025]"
    )
    return f"{text}{f'; not settled is {joined(inference.not_settled)}' if inference.not_settled else ''}."


def _together(together: Facts, record: ComparisonRecord) -> str:
    if together.get("Blinded"):
        return BLINDED.format(n=len(together["Comparisons"]))
    how = together["Together"].replace("(Marcus, Peritz & Gabriel 1976)", "[@marcus1976]")
    left = f" Not made: {' '.join(together['NotCompared'])}" if together["NotCompared"] else ""
    weighted = together.get("Weighted", [])
    texts = dict.fromkeys(one["Text"] for one in weighted)
    by_weights = f", of these by weights: {'; '.join(texts)}" if texts else ""
    return (
        f"{len(together['Comparisons']) + len(weighted)} comparisons were made{by_weights}. p over all of them is "
        f"{record.arms.words.of(how)}; it is of a model of {together['Model']}.{left}"
    )


def _named(record: ComparisonRecord) -> str:
    regions = record.named_regions
    if not regions:
        return ""
    listed = ", ".join(f"{name} ({count} {'node' if count == 1 else 'nodes'})" for name, count in regions.items())
    return (
        f" The means of the regions that were named beforehand, {listed}, were compared by the same model and draws, "
        "with one correction over regions and measures by the maximum statistic."
    )


def _plan(trial: Facts, repeated: Facts | None) -> str:
    if not trial.get("Plan"):
        return "There was no analysis plan: every result is exploratory."
    departed = [*trial["Plan"]["Deviations"], *(repeated["Deviations"] if repeated else [])]
    departures = "; ".join(Deviation.of_record(row).text for row in departed)
    return (
        f"The analysis was planned before (SHA-256 of the plan {trial['Plan']['SHA256']}). "
        f"{'It departs from the plan in: ' + departures if departed else 'It does not depart from the plan'}."
    )
