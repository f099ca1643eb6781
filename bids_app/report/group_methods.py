"""How the arms were compared, in words, from the files of the group level; ``[@key]`` cites the bibliography."""

from collections.abc import Mapping, Sequence
from typing import Any

from bids_app.report.headline import judged
from bids_app.report.pages import number
from bids_app.report.words import said
from bids_app.settings.deviation import Deviation
from bids_app.trial.comparison_record import ComparisonRecord

Facts = Mapping[str, Any]  # content of trial.json
STATISTICS = {
    "tfce": "exact signed threshold-free cluster enhancement of z (E = 0.5, H = 2) [@smith2009]",
    "t": "t of each node",
    "cluster-extent": "extent of clusters of z beyond {threshold}",
    "cluster-mass": "mass of clusters of z beyond {threshold}",
    "nbs": "count of connections in the component of z beyond {threshold} (network-based statistic) [@zalesky2010]",
    "nbs-intensity": "sum of z over the component of connections of z beyond {threshold} [@zalesky2010]",
    "tfnbs": "threshold-free network-based statistic of z (E = 0.4, H = 3) [@baggio2018; @vinokur2015]",
}


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
    for record in records:
        which = f", {record.arms.comparison}" if several else ""
        parts.append((f"Comparison: {record.route}{which}", f"{_model(record)} {_inference(record)}"))
    if together:
        parts.append(("Several comparisons", _together(together, records[0])))
    if trial and trial.get("Outcomes"):
        text = _outcomes(trial, records[-1]) + (_repeated(repeated, records[-1]) if repeated else "")
        parts.append(("Clinical outcomes", text))
    if trial:
        parts.append(("Plan", _plan(trial)))
    return parts


def _model(record: ComparisonRecord) -> str:
    n = record.arms.number_analysed
    arms, words = " and ".join(f"{count} of {arm}" for arm, count in n.items()), record.arms.words
    adjusted = [
        *(str(said(name)) for name in record.analyses.covariates),
        *(f"stratum {name}" for name in record.analyses.strata),
    ]
    active, reference = record.arms.sides
    within = " within participants" if record.arms.treatments else ""
    text = f"{active} was compared with {reference}{within} ({arms}). The headline is {'' if within else 'the '}"
    text += record.analyses.headline_text + (" [@hills1979]" if within else "")
    text += " [@vickers2001]" if record.analyses.headline == "ancova" else ""
    text += f", adjusted for {', '.join(adjusted)}" if adjusted else ""
    others = [words for key, words in record.analyses.estimators.items() if key != record.analyses.headline]
    others += record.analyses.descriptive.values() if within else ()
    text += f"; beside it, {'; '.join(others)}" if others else ""
    text += " [@freeman1989]" if "carry-over" in record.analyses.descriptive else ""
    text += f". {words.warning.removesuffix('.')}" if words.warning else ""
    return f"{text}. Effect sizes are Hedges g [@hedges1981] with 95 % confidence intervals."


def _inference(record: ComparisonRecord) -> str:
    inference, where = record.inference, "within strata" if record.analyses.strata else ""
    labels = f"{record.arms.words.arm} labels"
    if inference.scheme == "freedman-lane":
        text = f"Residuals were permuted {inference.draws} times {where} [@freedman1983; @winkler2014]"
    elif inference.all_allocations_enumerated:
        text = f"The {labels} were put through all {inference.draws} possible allocations {where} [@rosenberger2019]"
    else:
        text = f"The {labels} were re-randomized {inference.draws} times {where} [@rosenberger2019]"
    counted = "allocation" if record.arms.words.randomized else "order"
    how = STATISTICS[inference.statistic].format(threshold=number(inference.cluster_threshold))
    errors = ", with HC3 standard errors [@mackinnon1985]" if inference.standard_errors == "HC3" else ""
    tail = (
        " Small p values were taken from a generalized Pareto tail [@winkler2016]."
        if inference.tail_approximation
        else ""
    )
    return (
        f"{' '.join(text.split())}, covariates held fixed and the observed {counted} counted (seed "
        f"{inference.random_seed}). The statistic is the {how}{errors}; p values are corrected over all "
        f"{record.data.nodes_compared} nodes and both signs by the maximum statistic, and over the measures by the "
        f"minimum p; the false discovery rate is given beside them [@benjamini1995]. {judged(record)} "
        f"Significance: p ≤ {number(inference.alpha)}.{tail}{_named(record)}"
    )


def _together(together: Facts, record: ComparisonRecord) -> str:
    how = together["Together"].replace("(Marcus, Peritz & Gabriel 1976)", "[@marcus1976]")
    left = f" Not made: {' '.join(together['NotCompared'])}" if together["NotCompared"] else ""
    return (
        f"{len(together['Comparisons'])} comparisons were made. p over all of them is {record.arms.words.of(how)}; it "
        f"is of a model of {together['Model']}.{left}"
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


def _outcomes(trial: Facts, record: ComparisonRecord) -> str:
    names = (
        ", ".join(trial["Outcomes"]) if isinstance(trial["Outcomes"][0], str) else f"{len(trial['Outcomes'])} scores"
    )
    whom, words = record.arms.words.of(_whom(trial)), record.arms.words
    if record.arms.treatments:
        return (
            f"Clinical outcomes ({names}) were compared as half the difference between the periods, between the "
            f"sequences by least squares, for those of {whom} with both, by statsmodels [@statsmodels]; their p values "
            "are of each outcome by itself."
        )
    if record.arms.baseline_session is None:
        return (
            f"Clinical outcomes ({names}) were compared by least squares, and where they have a baseline adjusted for "
            f"it, for {whom}, by statsmodels [@statsmodels]; their p values are of each outcome by itself."
        )
    before = "one mean of the arms" if words.randomized else f"a mean of each {words.arm}"
    cited = " [@liang2000]" if words.randomized else " (the difference of their changes)"
    return (
        f"Clinical outcomes ({names}) were compared by ANCOVA on the baseline [@vickers2001], computed by statsmodels "
        f"[@statsmodels], and by a mixed model for repeated measures of both visits of {whom} [@mallinckrodt2008] with "
        f"{before} at the baseline{cited}, an unstructured covariance, and the standard errors and degrees of freedom "
        "of Kenward and Roger [@kenward1997]; their p values are of each outcome by itself."
    )


def _repeated(about: Facts, record: ComparisonRecord) -> str:
    """Describe the model of all arms and follow-ups, of what stands beside its table."""
    words, forms = record.arms.words, about["Covariance"]
    if not forms:
        return ""
    before = "with it as a score like the others and one mean" if words.randomized else "adjusted for it"
    by_form: dict[str, list[str]] = {}
    for name, form in forms.items():
        by_form.setdefault(form, []).append(name)
    said = "; ".join(f"{form} for {', '.join(names)}" for form, names in by_form.items())
    return (
        f" Over all {words.arms} and follow-ups, each outcome was analysed by one mixed model for repeated measures "
        f"[@mallinckrodt2008; @kenward1997], where it has a baseline {before}; every {words.arm} was compared with "
        f"{about['ReferenceArm']} at every follow-up and on average, with 95 % intervals and p values by the "
        "multivariate t that hold for all of these together. The covariance of the visits was "
        f"{said}."
    )


def _whom(trial: Facts) -> str:
    everyone = trial.get("Population", "all") == "all"
    return "everyone randomized" if everyone else f"the {len(trial['Population'])} chosen by --participant-label"


def _plan(trial: Facts) -> str:
    if not trial.get("Plan"):
        return "There was no analysis plan: every result is exploratory."
    departed = trial["Plan"]["Deviations"]
    departures = "; ".join(Deviation(row["What"], row["Planned"], row["Used"]).text for row in departed)
    return (
        f"The analysis was planned before (SHA-256 of the plan {trial['Plan']['SHA256']}). "
        f"{'It departs from the plan in: ' + departures if departed else 'It does not depart from the plan'}."
    )
