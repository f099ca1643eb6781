"""Words for people in place of the names of columns and of methods."""

import re

SAID = {
    "ancova": "adjusted for the baseline (ANCOVA)",
    "change": "change score",
    "post": "follow-up alone",
    "crossover": "difference of the periods",
    "beside-carry-over": "adjusted for carry-over",
    "mixed": "mixed model",
    "mixed-interaction": "mixed model with a baseline of each group",
    "proportion": "share that reached it",
    "followup": "follow-up",
    "mean_fd": "mean FD, mm",
    "minutes": "minutes kept",
    "coverage": "share of the mask with signal",
}
COLUMNS = {
    "mean_fd_difference": "half the difference in mean FD between the periods",
    "baseline_mean_fd": "mean FD at baseline",
    "followup_mean_fd": "mean FD at follow-up",
    "period1_mean_fd": "mean FD in period 1",
    "period2_mean_fd": "mean FD in period 2",
    "mean_fd": "mean FD",
    "p_rerandomized": "p re-randomized",
    "p_hc3": "p HC3",
    "p_holm": "p Holm",
    "p_max": "p max",
    "p_fwe": "p FWE",
    "p_fwe_all": "p FWE, all measures",
}
_COLUMN = re.compile(r"\b(" + "|".join(COLUMNS) + r")\b")


def said(value: object) -> object:
    """Say what a cell holds in words; what is not known is left as it is.

    Examples
    --------
    >>> said("mixed-interaction"), said("age"), said("baseline_mean_fd"), said(3)
    ('mixed model with a baseline of each group', 'age', 'mean FD at baseline', 3)
    """
    return SAID[value] if isinstance(value, str) and value in SAID else in_words(value)


def in_words(text: object) -> object:
    """Put words in place of the names of columns within a text.

    Examples
    --------
    >>> in_words("p_hc3 of each row allows the arms' variances to differ.")
    "p HC3 of each row allows the arms' variances to differ."
    """
    return _COLUMN.sub(lambda found: COLUMNS[found[1]], text) if isinstance(text, str) else text
