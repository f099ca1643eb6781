"""The table of scores of one group at several visits, by one mixed model for repeated measures of each."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bids_app.stats.repeated import ANY, AVERAGE, INTERACTION, SECOND, RepeatedScores, named, of_f
from bids_app.stats.scores import Mmrm, NotEstimated, fit_mmrm
from bids_app.stats.scores.covariance import steps

CHANGES = {
    ANY: "any change from the first visit at any later visit",
    INTERACTION: "changes that differ between the later visits",
}
MODEL = (
    "Of each outcome one mixed model for repeated measures of all visits, by restricted maximum likelihood, valid if "
    "what is missing depends on observed values only: a mean of everyone at each visit, adjusted for nothing, and a "
    "covariance of the visits; whoever has a score at any of them counts. Standard errors, F and degrees of freedom by "
    "Kenward and Roger (1997). Where nobody lacks a visit a change is that of the paired t test, and F that of "
    "Hotelling."
)
NO_FIRST, NO_LATER = "nobody has a score at the first visit", "nobody has a score at a later visit"
CHANGES_COLUMNS = {
    "outcome": "Clinical outcome",
    "followup": f"Session of the later visit; {AVERAGE}: over the later visits of the model, each counting alike; of a "
    "row with F what is tested: " + "; ".join(f"{name}: {text}" for name, text in CHANGES.items()),
    "n": "Participants with a score then; of the average and of F, at any later visit",
    "missing": "The others of the group",
    "n_both": "Participants with a score then and at the first visit",
    "mean_first": "Mean of everyone at the first visit, by the model, in the units of the outcome",
    "mean": "The same at the later visit",
    "estimate": "Change: the later minus the first",
    "standard_error": "Standard error of the change, by Kenward and Roger",
    "df": "Degrees of freedom of t, or of the denominator of F, by Kenward and Roger",
    "t": "Student's t",
    "f": "F of several changes at once, scaled as Kenward and Roger have it",
    "df_numerator": "How many they are: degrees of freedom of its numerator",
    "ci_low": "Lower end of the 95 % confidence interval of this change alone",
    "ci_high": "Upper end",
    "p": "Two-sided p of this change alone, or p of F",
    "together_low": "Lower end of the 95 % interval that holds for all changes of the outcome together",
    "together_high": "Upper end",
    "p_together": "Two-sided p corrected over all changes of the outcome, the average among them, by the multivariate "
    "t with their correlation and the fewest of their degrees of freedom; not over outcomes",
    "n_model": "Participants in the model",
    "covariance": "Form of the covariance of a participant's visits",
    "note": "What was not possible, or must be known to read the row: which forms of the covariance were tried before",
}


def changes_table(outcomes: Mapping[str, RepeatedScores]) -> pd.DataFrame:
    r"""Estimate the change of one group from the first visit to every later one, and on average over these.

    Parameters
    ----------
    outcomes : dict of RepeatedScores
        By name; of one arm, with the first visit as the baseline.

    Returns
    -------
    DataFrame
        Columns as `CHANGES_COLUMNS`; of one later visit there is no average. Rows of F, of several changes, last.

    Examples
    --------
    Everyone has both visits: changes of 1, 2 and 3 have the mean 2 and the standard error :math:`1 / \sqrt{3}`.

    >>> baseline, values = np.array([5.0, 7.0, 3.0]), np.array([[6.0], [9.0], [6.0]])
    >>> data = RepeatedScores(("everyone",), ("day3",), np.zeros(3, int), baseline, values)
    >>> (row,) = changes_table({"mood": data}).to_dict("records")
    >>> round(row["estimate"], 6), round(row["standard_error"] ** 2, 6), round(row["df"], 6)
    (2.0, 0.333333, 2.0)
    """
    rows = [{"outcome": name, **row} for name, data in outcomes.items() for row in _rows(data)]
    return pd.DataFrame(rows, columns=list(CHANGES_COLUMNS))


def _rows(data: RepeatedScores) -> Iterator[dict[str, Any]]:
    later, about, fit = list(data.shared), dict[str, Any](), None
    found: dict[tuple[int, ...], dict[str, Any]] = {}
    try:
        fit = _fitted(data)
        found = _estimates(fit, data)
        note = SECOND.format(used=fit.structure, left="; ".join(fit.left)) if fit.left else ""
        about |= {"n_model": fit.n_participants, "covariance": fit.structure, "note": _named(note, data)}
    except NotEstimated as error:
        about["note"] = f"not estimated: {_named(str(error), data)}"
    wanted = {(visit,) for visit in range(len(data.followups))}
    for visits in sorted(wanted | set(found), key=lambda one: (len(one), one)):
        row = {**_counted(data, list(visits)), **about, **found.get(visits, {})}
        if found and visits not in found:
            row["note"] = "not estimated: nobody has a score at this visit, which is not in the model"
        yield row
    if fit and len(later) > 1:
        changes = _changes(len(later))
        for name, weights in ((ANY, changes), (INTERACTION, changes[1:] - changes[:1])):
            yield about | _counted(data, later) | {"followup": name} | of_f(fit.joint(weights[:, None]))


def _fitted(data: RepeatedScores) -> Mmrm:
    """Fit the means of the first visit and of the later ones at which anybody has a score."""
    first, later = data.baseline, data.values[:, data.shared]
    if first is None:
        raise NotEstimated(NO_FIRST)
    if not later.size:
        raise NotEstimated(NO_LATER)
    forms = [one.name for one in steps(1 + later.shape[1], with_baseline=True)]
    return fit_mmrm(np.column_stack([first, later]), data.arm, structures=forms)


def _changes(n_later: int) -> np.ndarray:
    """Return the weights of the visits in the change to each later one, (M, 1 + M)."""
    return np.column_stack([-np.ones(n_later), np.eye(n_later)])


def _estimates(fit: Mmrm, data: RepeatedScores) -> dict[tuple[int, ...], dict[str, Any]]:
    """Return what is estimated of the change to each later visit and on average, by the numbers of the visits."""
    later = data.shared
    sets = [[visit] for visit in range(len(later))] + ([list(range(len(later)))] if len(later) > 1 else [])
    rows = np.array([_changes(len(later))[visits].mean(axis=0) for visits in sets])[:, None]
    first = np.eye(1, 1 + len(later))
    found = {}
    for visits, row, joint in zip(sets, rows, fit.simultaneous(rows).contrasts, strict=True):
        alone = fit.contrast(row)
        found[tuple(int(one) for one in later[visits])] = {
            "mean_first": fit.contrast(first).estimate,
            "mean": fit.contrast(row + first).estimate,
            **{name: getattr(alone, name) for name in ("estimate", "standard_error", "df", "t", "ci_low", "ci_high")},
            **{"p": alone.p, "p_together": joint.p, "together_low": joint.ci_low, "together_high": joint.ci_high},
        }
    return found


def _counted(data: RepeatedScores, visits: list[int]) -> dict[str, Any]:
    there = np.isfinite(data.values[:, visits]).any(axis=1)
    both = there if data.baseline is None else there & np.isfinite(data.baseline)
    n_both = 0 if data.baseline is None else int(both.sum())
    followup = data.followups[visits[0]] if len(visits) == 1 else AVERAGE
    return {"followup": followup, "n": int(there.sum()), "missing": int(np.sum(~there)), "n_both": n_both}


def _named(text: str, data: RepeatedScores) -> str:
    """Put the names of the visits for their numbers in the model, whose first is the first visit."""
    visits = ("first visit", *(f"ses-{data.followups[one]}" for one in data.shared))
    return named(text, visits, data.arms).replace(f"{data.arms[0]} at ", "").replace("follow-ups", "visits")
