"""What the analyses are called, for people."""

BETWEEN = {
    "ancova": "follow-up adjusted for the baseline of the same {node} (ANCOVA)",
    "change": "follow-up minus baseline (change score, the arm-by-visit interaction)",
    "post": "follow-up alone, not adjusted for the baseline",
    "crossover": "half the difference between the periods, compared between the sequences: the treatments within "
    "participants, free of the period",
    "unadjusted": "half the difference between the periods, not adjusted for their baselines, which may hold what the "
    "first treatment left behind",
    "within": "mean of the later visit minus the first of everyone, tested by flipping signs",
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
ALONE = "visit by itself"
UNADJUSTED = "follow-up, not adjusted for the baseline"
NOT_TESTED = "mean and standard deviation over participants: described, nothing is tested"
BLOCKS = "; residuals are permuted within arms and strata"
