"""What the statistics of a comparison assume, in sentences for the page."""

from collections.abc import Collection

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.group.routes import Route
from bids_app.group.sample import Sample
from bids_app.group.trial_tables import Scores
from bids_app.settings.settings import Settings, Trial
from bids_app.trial.flow import LEFT_OUT

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
    trial = settings.trial
    texts = (
        _draws(trial, sample),
        "Participants are taken to be independent of one another: siblings, and participants treated together in "
        "groups or by the same therapist, are not modelled, and would make p too small.",
        _intervals(trial),
        _spread(trial),
        _model(trial),
        _motion(sample, trial),
        _minutes(settings, flow),
        _averages(flow),
        _gaps(trial),
        "Each family of tests (the voxels, the parcels of each atlas, the measures of whole graphs, connections, "
        "whole-brain means) is corrected by itself; nothing is corrected over the families, or over the analyses "
        "beside the headline's.",
        "The change within an arm is described, not tested: it holds whatever happens over time without treatment too.",
    )
    return tuple(Finding(ABOUT, text) for text in texts if text)


def left_out(flow: pd.DataFrame, wanted: Collection[str], scores: Scores | None) -> tuple[Finding, ...]:
    """Warn if --participant-label leaves out some who were randomized."""
    n_left_out = int((flow["reason"] == LEFT_OUT).sum())
    if not wanted or not n_left_out:
        return ()
    outcomes = " The clinical outcomes are compared among the others only, too." if scores else ""
    text = (
        f"--participant-label leaves out {n_left_out} of {len(flow)} participants. They are counted in the flow, and "
        f"the comparison is no longer of everyone randomized.{outcomes}"
    )
    return (Finding("Participants", text, warning=True),)


def _draws(trial: Trial, sample: Sample) -> str:
    if trial.scheme == "freedman-lane":
        return (
            "Residuals are permuted (Freedman and Lane): their errors are taken to be exchangeable, that is of one "
            "distribution for everyone; p is approximate in small samples."
        )
    if sample.allocation_table is not None:
        return "The allocations of the table of --allocations are taken to be all that were possible, each as likely."
    within = f" within each stratum ({', '.join(trial.strata)})" if trial.strata else ""
    return (
        f"The randomization is taken to have made every allocation of these sizes of the arms{within} equally likely. "
        "If it was stratified otherwise or minimised, say so with --strata or --allocations."
    )


def _intervals(trial: Trial) -> str:
    errors = "HC3 standard errors, and normal means" if trial.hc3 else "normal errors that vary alike in both arms"
    return (
        f"Confidence intervals are parametric (Student's t, {errors}), p of maps, parcels and measures by permutation: "
        "they are not the same test, so that near the level one may find a difference and the other not. Intervals are "
        "of each node by itself, not corrected."
    )


def _spread(trial: Trial) -> str:
    if trial.hc3:
        return (
            "With HC3 standard errors the test holds for arms that differ in spread too, but only approximately in "
            "small arms."
        )
    return (
        "The test is exact for the hypothesis that treatment changes nobody's value. Read as one of equal means it "
        "assumes that the arms vary alike: where the smaller arm varies more, p is too small."
    )


def _model(trial: Trial) -> str | None:
    if trial.estimator == "ancova":
        return (
            "ANCOVA takes the follow-up to depend linearly on the baseline and the covariates, alike in both arms; "
            "under randomization p holds without that, and the estimate is the mean effect."
        )
    return None


def _motion(sample: Sample, trial: Trial) -> str:
    adjusted = "baseline_mean_fd" in sample.covariates
    first = "Motion at baseline is adjusted for" if adjusted else "Motion at baseline is not adjusted for"
    why = "" if adjusted else " (--no-baseline-motion)" if not trial.baseline_motion else " (it is not known, or alike)"
    return (
        f"{first}{why}. Motion at follow-up is not, since treatment may change it: a difference between the arms may "
        "be one of motion."
    )


def _minutes(settings: Settings, flow: pd.DataFrame) -> str | None:
    analysed = flow[flow["analysed"]]
    if not analysed["followup_minutes"].notna().any():
        return None
    return (
        f"Visits with less than {settings.signal.min_minutes:g} minutes of data are left out, which happens after "
        "randomization. Measures at a fixed threshold of r depend on how many volumes are kept: the arms are taken to "
        "keep equally many."
    )


def _averages(flow: pd.DataFrame) -> str | None:
    analysed = flow[flow["analysed"]]
    if not (analysed[["baseline_scans", "followup_scans"]] > 1).any(axis=None):
        return None
    return (
        "Scans of one visit are averaged by the volumes kept; the model takes a visit with several scans to be as "
        "noisy as one with a single scan."
    )


def _gaps(trial: Trial) -> str | None:
    if trial.min_per_arm is None:
        return None
    return (
        "Nodes that not everyone has are compared among those who have them: who lacks a node is taken not to depend "
        "on the arm."
    )
