"""Among whom labels are re-drawn, who is missing, and what of the draws was not done as asked."""

from collections.abc import Iterator

import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.group.drawing import main_draws
from bids_app.group.sample import Sample
from bids_app.settings.settings import DESCRIBED, Trial
from bids_app.stats.attrition import attrition
from bids_app.trial.design import Design

ABOUT = "Missing follow-ups"


def completers(flow: pd.DataFrame, design: Design, sample: Sample, trial: Trial) -> tuple[Finding, ...]:
    """Say what the tests assume of who is compared, and how the draws are made.

    Parameters
    ----------
    flow : DataFrame
        As from `flow.participant_flow`.
    design : design.Design
    sample : sample.Sample
    trial : settings.Trial

    Returns
    -------
    tuple of Finding
    """
    found = [*(_of_one_group(flow, design, sample, trial) if design.single else _completers(flow, design, trial))]
    if trial.tail_approximation and (draws := main_draws(sample, trial)).exhaustive:
        text = f"--tail-approximation is not applied: all {len(draws)} draws there are were made, so that p is exact."
        found.append(Finding("Statistics", text))
    return tuple(found)


def _completers(flow: pd.DataFrame, design: Design, trial: Trial) -> Iterator[Finding]:
    """Yield who is compared of those randomized, and a warning where the losses differ by arm."""
    randomized = flow[flow["arm"].isin(design.compared)]
    if design.orders:
        yield from _of_several(randomized, design, trial)
        return
    arm = (randomized["arm"] == design.active).to_numpy(int)
    losses = attrition(arm, randomized["analysed"].to_numpy(bool))
    total, lost = sum(losses.randomized), sum(losses.lost)
    drawn = (
        f"{design.words.arm.capitalize()} labels are re-drawn"
        if trial.scheme == "rerandomize"
        else "Residuals are permuted"
    )
    within = f" within strata ({', '.join(trial.strata)})" if trial.strata else ""
    words, about = design.words, ABOUT if design.baseline is not None and not design.treatments else "Missing scans"
    text = f"{drawn} among the {total - lost} of {total} {words.enrolled} who are compared{within}. "
    if not lost:
        yield Finding(about, text + "Nobody is missing.")
        return
    yield Finding(about, text + words.losses)
    if losses.differs:
        each = zip(losses.lost, losses.randomized, design.compared, strict=True)
        gone = " but ".join(f"{count} of {size} of {name}" for count, size, name in each)
        yield Finding(
            about,
            f"{gone} are not compared (Fisher's exact p = {losses.p:.2g}): the losses differ by {words.arm}. "
            f"{words.differing}",
            warning=True,
        )


def _of_several(randomized: pd.DataFrame, design: Design, trial: Trial) -> Iterator[Finding]:
    """Yield who is compared of several periods, and a warning where fewer of one sequence are left."""
    lost, total, words = int((~randomized["analysed"]).sum()), len(randomized), design.words
    drawn = "Sequences are re-drawn" if trial.scheme == "rerandomize" else "Residuals are permuted"
    within = f" within strata ({', '.join(trial.strata)})" if trial.strata else ""
    text = f"{drawn} among the {total - lost} of {total} {words.enrolled} who have every period{within}. "
    yield Finding("Missing scans", text + (words.losses if lost else "Nobody is missing."))


def _of_one_group(flow: pd.DataFrame, design: Design, sample: Sample, trial: Trial) -> Iterator[Finding]:
    """Yield who is looked at of one group, and a warning where they are too few for a small p."""
    n, total, words = len(sample.arm), int((flow["arm"] == design.active).sum()), design.words
    if trial.estimator == DESCRIBED:
        text = f"{n} of {total} are described; nothing is tested. "
    else:
        drawn = "Signs are flipped" if design.of_change else "Residuals are permuted"
        text = f"{drawn} among the {n} of {total} who are compared. "
    yield Finding("Missing scans", text + (words.losses if n < total else "Nobody is missing."))
    if design.of_change and (least := 2.0 ** (1 - n)) > trial.alpha:
        text = f"{n} participants have {2**n} ways to flip signs, so that no p is below {least:.2g}: nothing can be "
        yield Finding("Statistics", f"{text}significant at {trial.alpha:g}.", warning=True)
