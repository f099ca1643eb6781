"""What the analyses are called, for people."""

from bids_app.trial.design import Design

BETWEEN = {
    "ancova": "follow-up adjusted for the baseline of the same {node} (ANCOVA)",
    "change": "follow-up minus baseline (change score, the arm-by-visit interaction)",
    "post": "follow-up alone, not adjusted for the baseline",
    "crossover": "half the difference between the periods, compared between the sequences: the treatments within "
    "participants, free of the period",
    "unadjusted": "half the difference between the periods, not adjusted for their baselines, which may hold what the "
    "first treatment left behind",
    "within": "mean of the later visit minus the first of everyone, tested by flipping signs",
    "beside-carry-over": "of several periods, the treatments adjusted for what that of the period before left behind",
    "first-period": "period 1 alone, compared between the sequences: the treatments between participants, by half of "
    "the data",
}
OF_PERIODS = {
    "period": "period 1 minus period 2, whatever was given (descriptive)",
    "carry-over": "sum of the periods, compared between the sequences: carry-over, a weak test that must not choose "
    "the analysis (descriptive)",
}
OF_BASELINES = {
    "crossover": ", adjusted for the difference of their baselines in the same {node}",
    "first-period": ", adjusted for its baseline in the same {node}",
    "period": ", adjusted for the baselines",
}
BASELINE_CARRY_OVER = {
    "baseline-carry-over": "baseline of period 2 minus that of period 1, compared between the sequences: what was left "
    "of the first treatment by then (descriptive)"
}
PAIRED = "mean of the difference between the treatments within participants, tested by flipping signs"
SLOPE = "mean of the later visit of everyone, tested by flipping signs"  # which is a change by itself
OF_SEVERAL = {
    "crossover": "the treatments within participants, participant and period taken out{before}",
    "unadjusted": "the same, not adjusted for the baselines, which may hold what the treatment before left behind",
    "beside-carry-over": "the same, adjusted for what the treatment of the period before left behind (first-order "
    "carry-over){before}",
    "first-period": "period 1 alone, as a parallel trial: the treatments between participants{own}",
    "period": "period 1 minus the last period, whatever was given, tested by flipping signs (descriptive)",
    "carry-over": "what a treatment left behind in the next period (first-order carry-over), a weak test that must not "
    "choose the analysis (descriptive)",
}
ALONE = "visit by itself"
UNADJUSTED = "follow-up, not adjusted for the baseline"
NOT_TESTED = "mean and standard deviation over participants: described, nothing is tested"
BLOCKS = "; residuals are permuted within arms and strata"


def mean_change(design: Design) -> str:
    """Say what is tested of one group, or of two treatments within participants."""
    if design.words.key == "paired":
        return PAIRED
    text = SLOPE if design.is_change else BETWEEN["within"]
    return text.replace("later visit", design.called["followup"])
