"""What the statistics of a comparison assume, in sentences for the page."""

from collections.abc import Collection, Iterator

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.group.routes import Route
from bids_app.group.sample import Sample
from bids_app.group.treatments import how_drawn
from bids_app.group.trial_tables import Scores
from bids_app.settings.settings import DESCRIBED, Settings, Trial
from bids_app.trial.design import Design
from bids_app.trial.flow import LEFT_OUT, several_scans
from bids_app.trial.wording import (
    BASELINES_CARRY,
    CARRY_OVER,
    FIRST_ORDER,
    ONE_GROUP,
    PARALLEL,
    SEVERAL_BASELINES_CARRY,
    SEVERAL_PERIODS,
    Wording,
)

ABOUT = "Statistics"


def assumptions(settings: Settings, route: Route, sample: Sample, flow: pd.DataFrame) -> tuple[Finding, ...]:
    """List what the comparison of one route assumes.

    Parameters
    ----------
    settings : Settings
    route : Route
    sample : sample.Sample
    flow : DataFrame
        As from `flow.participant_flow`.

    Returns
    -------
    tuple of Finding
    """
    trial, words = settings.trial, sample.design.words
    one_visit = sample.design.baseline is None
    texts: tuple[str | None, ...] = (
        _draws(trial, sample),
        _independent(words),
        _intervals(trial, words),
        _spread(trial, words),
        _model(trial, words),
        _centred(sample),
        *_carried(sample.design),
        _motion(sample, trial),
        _minutes(settings, flow, words),
        _averages(flow, sample.design),
        _gaps(trial, words),
        "Each family of tests (the voxels, the parcels of each atlas, the measures of whole graphs, connections, "
        "whole-brain means) is corrected by itself; nothing is corrected over the families, or over the analyses "
        "beside the headline's.",
        None if one_visit or sample.design.treatments or sample.design.single else _within(words),
    )
    adopted = (Finding("Options", settings.adopted),) if settings.adopted else ()
    if trial.estimator == DESCRIBED:
        texts = (_minutes(settings, flow, words), _averages(flow, sample.design), _gaps(trial, words))
    return (*adopted, *(Finding(ABOUT, text) for text in texts if text))


def _carried(design: Design) -> Iterator[str]:
    """Say what is assumed of what treatments leave behind."""
    if design.treatments:
        yield FIRST_ORDER if design.orders else CARRY_OVER
    if design.has_baselines:
        yield SEVERAL_BASELINES_CARRY if design.orders else BASELINES_CARRY


def left_out(
    flow: pd.DataFrame, wanted: Collection[str], scores: Scores | None, words: Wording = PARALLEL
) -> tuple[Finding, ...]:
    """Warn if --participant-label leaves out some who were randomized."""
    n_left_out = int((flow["reason"] == LEFT_OUT).sum())
    if not wanted or not n_left_out:
        return ()
    outcomes = " The clinical outcomes are compared among the others only, too." if scores else ""
    text = (
        f"--participant-label leaves out {n_left_out} of {len(flow)} participants. They are counted in the flow, and "
        f"the comparison is no longer of everyone {words.enrolled}.{outcomes}"
    )
    return (Finding("Participants", text, warning=True),)


def _independent(words: Wording) -> str:
    together = "treated together in groups or by the same therapist" if words.randomized else "of one family or clinic"
    return (
        f"Participants are taken to be independent of one another: siblings, and participants {together}, are not "
        "modelled, and would make p too small."
    )


def _within(words: Wording) -> str:
    one = "an arm" if words.randomized else "a group"
    return f"The change within {one} is described, not tested: {words.over_time}."


def _draws(trial: Trial, sample: Sample) -> str:
    if trial.scheme == "sign-flips":
        return (
            "The difference of each participant is taken to be as likely as its negative where nothing changes, that "
            "is to be distributed symmetrically about 0: all ways to flip signs are then equally likely."
        )
    if trial.scheme == "freedman-lane":
        return (
            "Residuals are permuted (Freedman and Lane): their errors are taken to be exchangeable, that is of one "
            "distribution for everyone; p is approximate in small samples."
        )
    if sample.allocation_table is not None:
        return "The allocations of the table of --allocations are taken to be all that were possible, each as likely."
    within = f" within each stratum ({', '.join(trial.strata)})" if trial.strata else ""
    exchanged = how_drawn(sample) if sample.design.orders else ""
    return (
        f"{exchanged[:1].upper()}{exchanged[1:]}{'. ' * bool(exchanged)}"
        "The randomization is taken to have made every allocation of these sizes of the "
        f"{sample.design.words.arms}{within} equally likely. "
        "If it was stratified otherwise or minimised, say so with --strata or --allocations."
    )


def _intervals(trial: Trial, words: Wording) -> str:
    alike = f"normal errors that vary alike in both {words.arms}" if words.several else "normal errors"
    errors = "HC3 standard errors, and normal means" if trial.hc3 else alike
    return (
        f"Confidence intervals are parametric (Student's t, {errors}), p of maps, parcels and measures by permutation: "
        "they are not the same test, so that near the level one may find a difference and the other not. Intervals are "
        "of each node by itself, not corrected."
    )


def _spread(trial: Trial, words: Wording) -> str:
    if trial.hc3 and words.several:
        return words.of(
            "With HC3 standard errors the test holds for arms that differ in spread too, but only approximately in "
            "small arms."
        )
    return words.spread


def _model(trial: Trial, words: Wording) -> str | None:
    if trial.estimator == "ancova":
        return (
            "ANCOVA takes the follow-up to depend linearly on the baseline and the covariates, alike in both "
            f"{words.arms}; {words.linear}."
        )
    if trial.estimator == "crossover":
        several = words.key == SEVERAL_PERIODS.key
        of = (
            "of one period within participants" if several else "of half the difference between a participant's periods"
        )
        return (
            "What the periods differ in is taken to be the same for everyone, whatever was given; Hedges g is over the "
            f"spread {of}, not over that between participants."
        )
    return None


def _centred(sample: Sample) -> str | None:
    """Say what covariates do to the mean of a change."""
    if not sample.design.of_change or not (len(sample.covariates.columns) or sample.strata is not None):
        return None
    return (
        "Covariates and strata are adjusted for in slopes and not in the mean change: centred over these people they "
        "would leave it as it is, and make its error too small for any others."
    )


def _motion(sample: Sample, trial: Trial) -> str:
    design = sample.design
    if design.treatments:
        return f"Motion is not adjusted for, {design.words.later_motion}."
    if design.of_change:
        return f"The change is not adjusted for motion, {design.words.later_motion}: see the table of motion."
    adjusted, at = design.motion in sample.covariates, "" if design.baseline is None else " at baseline"
    first = f"Motion{at} is adjusted for" if adjusted else f"Motion{at} is not adjusted for"
    why = "" if adjusted else " (--no-baseline-motion)" if not trial.baseline_motion else " (it is not known, or alike)"
    if design.baseline is None:
        return f"{first}{why}." if adjusted else f"{first}{why}, {design.words.later_motion}."
    return f"{first}{why}. Motion at follow-up is not, {design.words.later_motion}."


def _minutes(settings: Settings, flow: pd.DataFrame, words: Wording) -> str | None:
    analysed = flow[flow["analysed"]]
    if not analysed["followup_minutes"].notna().any():
        return None
    return (
        f"Visits with less than {settings.signal.min_minutes:g} minutes of data are left out, "
        f"{words.later_minutes}. Measures at a fixed threshold of r depend on how many volumes are kept: the "
        f"{'visits' if words.compared == ONE_GROUP.compared else words.arms} are taken to keep equally many."
    )


def _averages(flow: pd.DataFrame, design: Design) -> str | None:
    analysed = flow[flow["analysed"]]
    if not several_scans(analysed, design).any(axis=None):
        return None
    return (
        "Scans of one visit are averaged by the volumes kept; the model takes a visit with several scans to be as "
        "noisy as one with a single scan."
    )


def _gaps(trial: Trial, words: Wording) -> str | None:
    if trial.min_per_arm is None:
        return None
    return (
        "Nodes that not everyone has are compared among those who have them: who lacks a node is taken not to depend "
        f"on the {words.arm if words.several else 'value'}."
    )
