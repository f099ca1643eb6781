"""How clinical outcomes were compared, in words: by the methods that their tables hold, and by no other."""

from collections.abc import Mapping
from typing import Any

from bids_app.stats.repeated import ANY
from bids_app.trial.comparison_record import ComparisonRecord

Facts = Mapping[str, Any]
MIXED = (
    "by a mixed model for repeated measures of both visits [@mallinckrodt2008] of {whom} with {before} at the "
    "baseline, an unstructured covariance, and the standard errors and degrees of freedom of Kenward and Roger "
    "[@kenward1997]"
)
SAID = {
    "ancova": "by least squares, ANCOVA on the baseline [@vickers2001; @statsmodels], of {present}",
    "change": "by least squares, the change from the baseline [@statsmodels], of {present}",
    "post": "by least squares, the {score} alone [@statsmodels], of {present}",
    "within": "by Student's t of one sample, the mean change of everyone, adjusted for nothing [@statsmodels], of "
    "{present}",
    "signed-ranks": "by Wilcoxon's signed ranks of the changes, of {present}",
    "crossover": "by least squares, half the difference between the periods, between the sequences{adjusted} "
    "[@statsmodels], of {present}",
    "unadjusted": "by the same, whatever the baselines, of {present}",
    "mixed-periods": "by a mixed model of all periods that are there, with a random participant, period and treatment, "
    "and the standard error and degrees of freedom of Kenward and Roger [@kenward1997], of everyone with a period",
    "mixed": MIXED.replace("{before}", "one mean of the arms [@liang2000]"),
    "mixed-interaction": MIXED.replace("{before}", "a mean of each arm (the difference of their changes)"),
    "ranks": "by ranks of the {score}, not adjusted, with the interval of Brunner and Munzel for the probability of "
    "doing better [@brunner2000], of {present}",
    "ranks, adjusted": "by ranks adjusted for those of the baseline [@quade1967], a test by re-randomization alone, of "
    "{present}",
    "proportion": "by the shares that reached a cut-off, with the interval of the score test [@miettinen1985], of "
    "{present}",
    "proportion, missing as failure": "by the same shares [@miettinen1985] of {whom}, a missing follow-up counted as a "
    "failure",
}


OF_SEVERAL = {
    "crossover": "by least squares, participant and period taken out{adjusted} [@statsmodels], of {present}",
    "beside-carry-over": "by the same, adjusted for first-order carry-over, of {present}",
    "first-period": "by least squares, period 1 alone [@statsmodels], of those of {whom} with period 1",
}


def outcomes_text(trial: Facts, record: ComparisonRecord) -> str:
    """Describe how the outcomes of comparisons were analysed.

    Parameters
    ----------
    trial : dict
        Content of trial.json, and ``Methods``: which endpoints were estimated by which.
    record : ComparisonRecord

    Returns
    -------
    str
        With keys of the bibliography.
    """
    words, names, whom = record.arms.words, ", ".join(trial["Outcomes"]), _whom(trial)
    score, having = "follow-up", "a follow-up"
    if record.arms.treatments:
        score, having = "difference between the periods", "both periods"
    elif record.arms.design.of_change:
        having = "all of these visits" if record.arms.design.summaries else "both visits"
    elif record.arms.baseline_session is None:
        score, having = "score at the visit", "one"
    if record.arms.orders:
        having = "every period"
    of_baselines = ", adjusted for the difference of their baselines" * record.arms.design.has_baselines
    said = {"whom": whom, "present": f"those of {whom} with {having}", "score": score, "adjusted": of_baselines}
    found = [
        f"{words.of(text.format(**said))}: {', '.join(endpoints)}"
        for method, text in (SAID | (OF_SEVERAL if record.arms.orders else {})).items()
        if (endpoints := trial["Methods"].get(method))
    ]
    if not found:
        return f"Clinical outcomes ({names}) were asked for, and none of them could be compared by itself."
    return (
        f"Clinical outcomes ({names}) were compared {'; '.join(found)}. Their p values are of each outcome by itself."
    )


def repeated_text(about: Facts, record: ComparisonRecord) -> str:
    """Describe the model of all arms and follow-ups, of what stands beside its table; nothing where there is none."""
    words, forms = record.arms.words, about["Covariance"]
    if not forms:
        return ""
    if not words.several:
        return _changes_text(about)
    if record.arms.orders:
        return (
            f" Over all treatments, {', '.join(forms)} {'was' if len(forms) == 1 else 'were each'} analysed by one "
            "mixed model of all periods that are there, with a random participant, period and treatment "
            f"[@kenward1997]; every treatment was compared with {about['ReferenceArm']}, with 95 % intervals and p "
            "values by the multivariate t that hold for all of these together"
            f"{', and whether any differs by F of Kenward and Roger' if about['JointTests'] else ''}."
        )
    before = "with it as a score like the others and one mean" if words.randomized else "adjusted for it"
    return (
        f" Over all {words.arms} and follow-ups, {', '.join(forms)} {'was' if len(forms) == 1 else 'were each'} "
        "analysed by one mixed model for repeated measures [@mallinckrodt2008; @kenward1997], where it has a baseline "
        f"{before}; every {words.arm} was compared with {about['ReferenceArm']} at every follow-up and on average, "
        "with 95 % intervals and p values by the multivariate t that hold for all of these together."
        f"{_joint(about, record)}{_covariance(forms)}"
    )


def _changes_text(about: Facts) -> str:
    """Describe the model of one group over all visits."""
    forms = about["Covariance"]
    asked = [
        "there is any change at any later visit" if one == ANY else "changes differ between the later visits"
        for one in about["JointTests"]
    ]
    tested = f" Whether {' and whether '.join(asked)} was tested by F of Kenward and Roger." if asked else ""
    return (
        f" Over all visits, {', '.join(forms)} {'was' if len(forms) == 1 else 'were each'} analysed by one mixed model "
        "for repeated measures [@mallinckrodt2008; @kenward1997] of everyone with a score at any visit, adjusted for "
        "nothing; the change from the first visit was estimated at every later one and on average, with 95 % intervals "
        f"and p values by the multivariate t that hold for all of these together.{tested}{_covariance(forms)}"
    )


def _covariance(forms: Mapping[str, str]) -> str:
    by_form: dict[str, list[str]] = {}
    for name, form in forms.items():
        by_form.setdefault(form, []).append(name)
    said = "; ".join(f"{form} for {', '.join(names)}" for form, names in by_form.items())
    return f" The covariance of the visits was {said}."


def _joint(about: Facts, record: ComparisonRecord) -> str:
    """Say what F tests, and by what p is beside that of the model."""
    words, text = record.arms.words, ""
    if about["JointTests"]:
        asked = [
            f"any {words.arm} differs at any follow-up" if one == ANY else "differences change over the follow-ups"
            for one in about["JointTests"]
        ]
        text += f" Whether {' and whether '.join(asked)} was tested by F of Kenward and Roger."
    if about["LabelsRedrawn"]:
        text += (
            f" Beside p of the model stands p by re-randomization of the {words.arms} within strata "
            "[@rosenberger2019], with the covariance of the model without what is tested."
        )
    return text


def _whom(trial: Facts) -> str:
    everyone = trial.get("Population", "all") == "all"
    return "everyone randomized" if everyone else f"the {len(trial['Population'])} chosen by --participant-label"
