"""The table of scores of all arms at all follow-ups of a study, by one mixed model for repeated measures of each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bids_app.stats.scores import JointTest, Mmrm, NotEstimated, Randomized, fit_constrained, fit_mmrm
from bids_app.stats.twovisits import TwoVisits

Difference = tuple[int, tuple[int, ...]]  # its number in `RepeatedScores.row`, averaged over follow-ups of the data
ALL: Difference = (0, ())
AVERAGE = "average"
ANY_ARM, ANY, INTERACTION = "any arm", "any", "interaction"
JOINT = {ANY: "any difference at any follow-up", INTERACTION: "differences that change from one follow-up to another"}
NO_P = "no p by re-randomization: {error}"
NO_F = "no F: too few scores for its degrees of freedom"
ONE_MEAN, ADJUSTED, NO_BASELINE = "one mean of all arms", "adjusted for at each follow-up", "none"
MODEL = (
    "Of each outcome one mixed model for repeated measures of all arms and follow-ups, by restricted maximum "
    "likelihood, valid if what is missing depends on observed values only; standard errors, F and degrees of freedom "
    "by Kenward and Roger (1997). {baseline} Strata and covariates have a coefficient at each visit."
)
RERANDOMIZED = (
    "p_rerandomized is of labels re-drawn within the strata: of the arms of a difference, and of all arms for F. "
    "Scores are weighted by the covariance of the same model without what is tested, which no draw changes, so that p "
    "is exact if treatment changed nobody's score at any visit nor whether it is missing."
)
BASELINES = {
    ONE_MEAN: "The baseline is a score like the others, of which the arms have one mean, as randomization has it "
    "(Liang & Zeger 2000): whoever has any score counts.",
    ADJUSTED: "The baseline is adjusted for with a slope at each follow-up; who lacks it, or every follow-up, is left "
    "out.",
    NO_BASELINE: "There is no baseline to adjust for.",
}
SECOND = "{used} covariance of the visits, a second choice; {left}"
REPEATED_COLUMNS = {
    "outcome": "Clinical outcome",
    "active": f"Arm that is compared; {ANY_ARM}: all but the reference arm, where there are several; or the name of "
    "weights of several arms",
    "reference": "Arm that it is compared with; none of weights: in the columns below it is then the arms with "
    "negative weights, and the compared arm those with positive ones",
    "followup": f"Session of the follow-up; {AVERAGE}: over the follow-ups of the model, each counting alike; of a row "
    "with F what is tested: " + "; ".join(f"{name}: {text}" for name, text in JOINT.items()),
    "n_active": "Participants of the compared arm with a score then, in the model; of the average and of F, at any "
    "follow-up",
    "n_reference": "The same of the reference arm",
    "missing_active": "Participants of the compared arm without a score then",
    "missing_reference": "The same of the reference arm",
    "mean_active": "Adjusted mean of the compared arm, in the units of the outcome",
    "mean_reference": "The same of the reference arm",
    "estimate": "Their difference",
    "standard_error": "Standard error of the difference, by Kenward and Roger",
    "df": "Degrees of freedom of t, or of the denominator of F, by Kenward and Roger",
    "t": "Student's t",
    "f": "F of several differences at once, scaled as Kenward and Roger have it",
    "df_numerator": "How many they are: degrees of freedom of its numerator",
    "ci_low": "Lower end of the 95 % confidence interval of this difference alone",
    "ci_high": "Upper end",
    "p": "Two-sided p of this difference alone, or p of F",
    "p_rerandomized": "The same p by re-randomizing the arms within the strata; none of the interaction, of which no "
    "allocation is an example: treatment may work alike at every follow-up",
    "together_low": "Lower end of the 95 % interval that holds for all differences of the outcome together",
    "together_high": "Upper end",
    "p_together": "Two-sided p corrected over all differences of the outcome, averages among them, by the multivariate "
    "t with their correlation and the fewest of their degrees of freedom; not over outcomes",
    "n_model": "Participants in the model, of all arms",
    "baseline": "How the baseline enters; " + "; ".join(f"{name}: {text}" for name, text in BASELINES.items()),
    "covariance": "Form of the covariance of a participant's visits",
    "note": "What was not possible, or must be known to read the row: which forms of the covariance were tried before",
}


@dataclass(frozen=True)
class RepeatedScores:
    """A score of everyone in K arms, before treatment and at M follow-ups, with what is missing left missing.

    Attributes
    ----------
    arms : tuple of str
        The reference first.
    followups : tuple of str
        In their order.
    arm : (n,) int ndarray
        0 to K - 1.
    baseline : (n,) float ndarray or None
    values : (n, M) float ndarray
    covariates : (n, c) float ndarray or None
    strata : (n,) ndarray of labels or None
    weighted : tuple of (str, tuple of float)
        Further comparisons: a name, and the weight of each arm.
    """

    arms: tuple[str, ...]
    followups: tuple[str, ...]
    arm: np.ndarray
    baseline: np.ndarray | None
    values: np.ndarray
    covariates: np.ndarray | None = None
    strata: np.ndarray | None = None
    weighted: tuple[tuple[str, tuple[float, ...]], ...] = ()

    @property
    def numbers(self) -> range:
        """Of the comparisons: those of the arms with the reference, then those by weights."""
        return range(1, len(self.arms) + len(self.weighted))

    def row(self, number: int) -> np.ndarray:
        """Return the weights of the arms in a comparison, (K,) float."""
        if number >= len(self.arms):
            return np.array(self.weighted[number - len(self.arms)][1])
        return np.array([float(arm == number) - float(arm == 0) for arm in range(len(self.arms))])

    def sides(self, number: int) -> dict[str, str | None]:
        """Return what a comparison is of: an arm and the reference, or the name of weights."""
        if number >= len(self.arms):
            return {"active": self.weighted[number - len(self.arms)][0], "reference": None}
        return {"active": self.arms[number], "reference": self.arms[0]}

    def known(self, arm: int) -> np.ndarray:
        """Who of an arm has a score at each follow-up, (n_arm, M) bool."""
        return np.isfinite(self.values[self.arm == arm])

    @property
    def shared(self) -> np.ndarray:
        """Follow-ups at which every arm has a score, (m,) int."""
        counts = np.array([self.known(arm).sum(axis=0) for arm in range(len(self.arms))])
        return np.flatnonzero(counts.all(axis=0))

    def baseline_as(self, randomized: bool) -> str:
        """Say how the baseline enters the model."""
        if self.baseline is None:
            return NO_BASELINE
        return ONE_MEAN if randomized else ADJUSTED

    @property
    def explained(self) -> np.ndarray:
        """Covariates and dummies of the strata, those that add nothing to the others left out, (n, c) float."""
        followup = self.values[:, -1]
        return TwoVisits(self.arm, None, followup, self.covariates, self.strata).filled().nuisance()[:, 1:]

    def fit(self, randomized: bool) -> Mmrm:
        """Fit the model of all arms at the shared follow-ups."""
        values = self.values[:, self.shared]
        if self.baseline is not None and randomized:
            return fit_constrained(values, self.arm, self.baseline, self.explained)
        return fit_mmrm(values, self.arm, self.baseline, self.explained, by_visit=True)

    def repeating(self, n_draws: int, seed: int) -> Randomized:
        """Return the same scores, to repeat the randomization."""
        values = self.values[:, self.shared]
        return Randomized(values, self.arm, self.baseline, self.explained, self.strata, n_draws=n_draws, seed=seed)


def repeated_table(
    outcomes: Mapping[str, RepeatedScores], *, randomized: bool = True, n_draws: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Compare every arm with the reference at every follow-up, and on average over them.

    Parameters
    ----------
    outcomes : dict of RepeatedScores
        By name.
    randomized : bool, optional
        Whether chance made the arms, so that they have one mean before treatment; else it is adjusted for.
    n_draws : int, optional
        Of the re-randomization, of arms that chance made; 0 for none.
    seed : int, optional

    Returns
    -------
    DataFrame
        Columns as `REPEATED_COLUMNS`; of one follow-up there is no average. Rows of F, of several differences, last.
    """
    n_draws = n_draws if randomized else 0
    rows = [
        {"outcome": name, **row}
        for name, data in outcomes.items()
        for row in _rows(data, randomized, data.repeating(n_draws, seed) if n_draws else None)
    ]
    return pd.DataFrame(rows, columns=list(REPEATED_COLUMNS))


def _rows(data: RepeatedScores, randomized: bool, draws: Randomized | None) -> Iterator[dict[str, Any]]:
    about: dict[str, Any] = {"baseline": data.baseline_as(randomized)}
    shared, fit = data.shared, None
    wanted = {(number, (visit,)) for number in data.numbers for visit in range(len(data.followups))}
    found: dict[Difference, dict[str, Any]] = {}
    drawn: dict[Difference, float] = {}
    try:
        if not len(shared):
            raise NotEstimated("at no follow-up every arm has a score")
        fit = data.fit(randomized)
        found = _estimates(fit, data)
        drawn, why = _drawn(draws, found, data) if draws else ({}, "")
        note = "; ".join(filter(None, [_said(fit, data), why]))
        about |= {"n_model": fit.n_participants, "covariance": fit.structure, "note": note}
    except NotEstimated as error:
        about["note"] = f"not estimated: {_named(str(error), data)}"
    for one in sorted(wanted | set(found), key=lambda one: (one[0], len(one[1]), one[1])):
        counted = _counted(data, data.row(one[0]), list(one[1]))
        row = {**data.sides(one[0]), **counted, **about, **found.get(one, {})}
        if found and one not in found:
            row["note"] = "not estimated: an arm has no score at this follow-up, which is not in the model"
        yield row | {"p_rerandomized": drawn.get(one, np.nan)}
    if fit:
        yield from (about | row for row in _joint_rows(fit, data, drawn.get(ALL, np.nan)))


def _drawn(
    draws: Randomized, found: Mapping[Difference, Any], data: RepeatedScores
) -> tuple[dict[Difference, float], str]:
    """Return p by re-randomization of each difference and of `ALL`; or none of them, and why."""
    drawn: dict[Difference, float] = {}
    try:
        for number in sorted({number for number, _ in found}):
            visits = [visits for one, visits in found if one == number]
            weights = np.array([np.isin(data.shared, one) / len(one) for one in visits])
            p = draws.p_of_weights(data.row(number), weights)
            drawn |= {(number, one): float(value) for one, value in zip(visits, p, strict=True)}
        return drawn | {ALL: draws.p_of_any()}, ""
    except NotEstimated:
        return {}, NO_P.format(error="the model without a difference is not estimated")
    except ValueError as error:  # of strata that leave no other allocation
        return {}, NO_P.format(error=error)


def _counted(data: RepeatedScores, row: np.ndarray, visits: list[int]) -> dict[str, Any]:
    followup = data.followups[visits[0]] if len(visits) == 1 else AVERAGE
    counted: dict[str, Any] = {"followup": followup}
    for name, those in (("active", np.flatnonzero(row > 0)), ("reference", np.flatnonzero(row < 0))):
        there = np.isfinite(data.values[np.isin(data.arm, those)][:, visits]).any(axis=1)
        counted |= {f"n_{name}": int(there.sum()), f"missing_{name}": int(np.sum(~there))}
    return counted


def _joint_rows(fit: Mmrm, data: RepeatedScores, drawn: float) -> Iterator[dict[str, Any]]:
    """Test several differences at once: all of them, and theirs from those of the first follow-up."""
    others = list(range(1, len(data.arms)))
    counted = data.sides(1) | ({"active": ANY_ARM} if len(others) > 1 else {})
    counted |= _counted(data, np.array([-1.0, *(1.0 for _ in others)]), list(data.shared))
    for followup, weights in zip(JOINT, (fit.every_difference(), fit.every_change()), strict=True):
        if len(weights) > (followup == ANY):  # one difference alone has its t
            p = {"p_rerandomized": drawn if followup == ANY else np.nan}
            yield counted | {"followup": followup} | of_f(fit.joint(weights)) | p


def of_f(test: JointTest) -> dict[str, Any]:
    """Return the columns of a row of F."""
    found = {"f": test.statistic, "df_numerator": test.df_numerator, "df": test.df_denominator, "p": test.p}
    return found | ({"note": NO_F} if np.isnan(test.p) else {})


def _estimates(fit: Mmrm, data: RepeatedScores) -> dict[Difference, dict[str, Any]]:
    """Return what is estimated of each comparison at each follow-up and on average, by its number and follow-ups."""
    n_visits, shared = fit.shape[1], data.shared
    sets = [[visit] for visit in range(n_visits)] + ([list(range(n_visits))] if n_visits > 1 else [])
    keys = [(number, visits) for number in data.numbers for visits in sets]
    over = [np.isin(range(n_visits), visits) / len(visits) for _, visits in keys]
    weights = np.array([np.outer(data.row(number), own) for (number, _), own in zip(keys, over, strict=True)])
    together = fit.simultaneous(weights)
    found = {}
    for (number, visits), own, joint in zip(keys, weights, together.contrasts, strict=True):
        alone = fit.contrast(own)
        found[number, tuple(int(one) for one in shared[visits])] = {
            "mean_active": fit.contrast(np.where(own > 0, own, 0)).estimate,
            "mean_reference": fit.contrast(np.where(own < 0, -own, 0)).estimate,
            **{name: getattr(alone, name) for name in ("estimate", "standard_error", "df", "t", "ci_low", "ci_high")},
            **{"p": alone.p, "p_together": joint.p, "together_low": joint.ci_low, "together_high": joint.ci_high},
        }
    return found


def _said(fit: Mmrm, data: RepeatedScores) -> str:
    """Say which forms were tried before, and who was left out."""
    parts = [SECOND.format(used=fit.structure, left="; ".join(fit.left))] if fit.left else []
    if fit.n_without_baseline:
        parts.append(f"{fit.n_without_baseline} without a baseline are left out")
    return _named("; ".join(parts), data)


def _named(text: str, data: RepeatedScores) -> str:
    """Put the names of arms and sessions for their numbers.

    Examples
    --------
    >>> values = np.array([[1, np.nan, 2], [1, 2, 3]])
    >>> data = RepeatedScores(("placebo", "drug"), ("day3", "day7", "day14"), np.array([0, 1]), None, values)
    >>> _named("nobody has scores at both baseline and follow-up 2", data)
    'nobody has scores at both baseline and ses-day14'
    """
    return named(text, [f"ses-{data.followups[visit]}" for visit in data.shared], data.arms)


def named(text: str, visits: Sequence[str], arms: Sequence[str]) -> str:
    """Put names for the numbers of follow-ups, from 1 on, and of arms, from 0 on.

    Examples
    --------
    >>> named("nobody has a score in: arm 1 at follow-up 2", ["ses-day3", "ses-day7"], ["placebo", "drug"])
    'nobody has a score in: drug at ses-day7'
    """
    text = re.sub(r"follow-up (\d+)", lambda one: visits[int(one[1]) - 1], text)
    return re.sub(r"\barm (\d+)", lambda one: arms[int(one[1])], text)
