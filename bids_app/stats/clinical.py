"""The table of the clinical outcomes: one row per outcome and method."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bids_app.stats.ancova import completed, linear_estimate, outcome_of
from bids_app.stats.estimates import Estimate, described
from bids_app.stats.manyperiods import CARRIED, ManyPeriods, compare_periods
from bids_app.stats.ranks import ADJUSTED, adjusted_rank_estimate, rank_estimate, signed_rank_estimate
from bids_app.stats.responders import proportion_estimate
from bids_app.stats.scores.periods import mixed_periods, periods_estimate
from bids_app.stats.scores.two_visits import mixed_estimate
from bids_app.stats.twovisits import TwoVisits

METHODS = {
    "ancova": "follow-up adjusted for the baseline, by least squares",
    "change": "follow-up minus baseline, by least squares",
    "post": "follow-up alone, by least squares",
    "within": "mean change of one group by Student's t of one sample (the paired t test), adjusted for nothing",
    "signed-ranks": "Wilcoxon's test of the changes",
    "crossover": "half of period 1 minus period 2, compared between the sequences, by least squares; where the periods "
    "have baselines, adjusted for the difference of these",
    "unadjusted": "the same, whatever the baselines",
    "mixed-periods": "mixed model of all periods that are there, with a random participant, period and treatment, "
    "whatever the baselines; where somebody has one period only",
    "mixed": "mixed model for repeated measures over both visits, unstructured, arms with one mean at baseline",
    "mixed-interaction": "the same with a baseline mean of each arm: the difference of their changes, where nobody was "
    "randomized",
    "ranks": "ranks of the follow-up, not adjusted; probability of doing better in the active arm",
    ADJUSTED: "ranks of the follow-up adjusted for those of the baseline, strata and covariates: a test alone",
    "proportion": "difference of the shares that reached the cut-off",
    "proportion, missing as failure": "the same with everyone randomized, a missing follow-up counted as a failure",
}
MAIN, SENSITIVITY = "main", "sensitivity"
DECIDES = "p"
COMPLETE, EVERYONE = "with a follow-up", "everyone randomized"
BOTH = "with both periods"
ANY_PERIOD = "with at least one period"
ALL_FOUR = "with both periods and their baselines"
BOTH_VISITS = "with both visits"
OF_DIFFERENCES = (
    "ranks of the difference between the periods; the estimate is the probability that it is better in the sequence "
    "with the active treatment first"
)
ESTIMATE_COLUMNS = {
    "n_active": "Participants of the active arm in the row",
    "n_reference": "Participants of the reference arm in the row",
    "estimate": "Active minus reference arm, in the units of the outcome",
    "standard_error": "Standard error of the estimate",
    "ci_low": "Lower end of the 95 % confidence interval",
    "ci_high": "Upper end of the 95 % confidence interval",
    "t": "Student's t",
    "df": "Degrees of freedom of t",
    "p": "Two-sided p of t",
    "p_hc3": "Two-sided p with the HC3 standard error, for arms of unequal variance",
    "p_rerandomized": "Two-sided p of re-randomizing the arms within the strata",
    "effect_size": "Effect size",
    "effect_low": "Lower end of its 95 % confidence interval",
    "effect_high": "Upper end of its 95 % confidence interval",
    "effect_kind": "What the effect size is; Hedges g is in units of the SD within the arms of the outcome analysed",
    "note": "What was not possible, or must be known to read the row",
}
_COLUMNS = {
    "outcome": "Clinical outcome",
    "endpoint": "The score, or the cut-off that was reached",
    "method": "",
    "population": f"{COMPLETE}, or {EVERYONE} with whatever exists",
    "analysis": f"{MAIN}: the row that the endpoint is judged by; {SENSITIVITY}: the same question by other means",
    "deciding_p": "Which column of the main row decides: p, which belongs to the interval of the row; the other p are "
    "of the same question under other assumptions",
    **{
        f"{visit}_{statistic}_{arm}": f"{text} of the {arm} arm at {word}, over those of the row who have it"
        for visit, word in (("baseline", "baseline"), ("followup", "follow-up"))
        for arm in ("active", "reference")
        for statistic, text in (("mean", "Mean"), ("sd", "Standard deviation"))
    },
    **ESTIMATE_COLUMNS,
}
CLINICAL_COLUMNS = described(_COLUMNS, METHODS, METHODS)
CROSSOVER_METHODS = {name: METHODS[name] for name in ("crossover", "unadjusted", "mixed-periods")} | {
    "ranks": "ranks of that difference"
}
_CROSSOVER_COLUMNS = {
    name.replace("baseline", "period1").replace("followup", "period2"): text.replace("at baseline", "in period 1")
    .replace("at follow-up", "in period 2")
    .replace(" arms", " sequences")
    .replace(" arm", " sequence")
    for name, text in _COLUMNS.items()
} | {
    "population": f"{BOTH}, {ALL_FOUR}, or {ANY_PERIOD}",
    "estimate": "Active minus reference treatment, in the units of the outcome",
}
ALL_PERIODS, ANY_OF_PERIODS, IN_FIRST = "with every period", "with any period", "with period 1"
SEVERAL_METHODS = {
    "crossover": "the treatments within participants, participant and period taken out, by least squares; where the "
    "periods have baselines, adjusted for these",
    "unadjusted": METHODS["unadjusted"],
    CARRIED: "the same, adjusted for what the treatment of the period before left behind (first-order carry-over)",
    "first-period": "period 1 alone, as a parallel trial, by least squares",
    "mixed-periods": METHODS["mixed-periods"].replace("one period only", "some periods only"),
}
_SEVERAL_COLUMNS = {name: text for name, text in _COLUMNS.items() if not name.startswith("baseline")} | {
    "population": f"{ALL_PERIODS}, {IN_FIRST}, or {ANY_OF_PERIODS}",
    "estimate": "Active minus reference treatment, in the units of the outcome",
    "n_active": "Participants with a value under the active treatment",
    "n_reference": "Participants with a value under the reference treatment",
    **{
        f"followup_{statistic}_{arm}": f"{text} under the {arm} treatment, over those of the row"
        for arm in ("active", "reference")
        for statistic, text in (("mean", "Mean"), ("sd", "Standard deviation"))
    },
    "p_hc3": "Not made of several periods",
    "p_rerandomized": "Two-sided p of re-drawing the sequences within the strata",
    "effect_kind": "What the effect size is; Hedges g is in units of the SD within participants of one period",
}
CHANGE_COLUMNS = {name: text for name, text in _COLUMNS.items() if not name.endswith("_reference")} | {
    "population": BOTH_VISITS,
    **{
        f"{visit}_{statistic}_active": f"{text} at {word}"
        for visit, word in (("baseline", "the first visit"), ("followup", "the later visit"))
        for statistic, text in (("mean", "Mean"), ("sd", "Standard deviation"))
    },
    "n_active": "Participants in the row",
    "estimate": "Mean of the later visit minus the first, in the units of the outcome",
    "p": "Two-sided p of t, or of the signed ranks",
    "p_hc3": "Two-sided p with the HC3 standard error",
    "p_rerandomized": "Two-sided p of flipping the signs of the changes",
    "effect_kind": "What the effect size is; Hedges g is in units of the SD of the changes",
}


def clinical_columns(
    table: pd.DataFrame, *, crossover: bool = False, single: bool = False, several: bool = False
) -> dict[str, str]:
    """Describe the columns of a table of this module by what is in it."""
    if several:
        return described(_SEVERAL_COLUMNS, SEVERAL_METHODS, table["method"])
    columns, methods = (_CROSSOVER_COLUMNS, CROSSOVER_METHODS) if crossover else (_COLUMNS, METHODS)
    found = described(CHANGE_COLUMNS if single else columns, methods, table["method"])
    return {name: text for name, text in found.items() if name in CHANGE_COLUMNS or not single}


def methods_of(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return by which methods which endpoints of a table of this module were estimated, or tested."""
    found: dict[str, list[str]] = {}
    for row in table[table[["estimate", "p_rerandomized"]].notna().any(axis=1)].to_dict("records"):
        endpoint = row["outcome"] if row["endpoint"] == "score" else f"{row['outcome']}:{row['endpoint']}"
        found.setdefault(row["method"], []).append(endpoint)
    return found


def clinical_table(
    outcomes: Mapping[str, TwoVisits],
    *,
    ordinal: Collection[str] = (),
    higher_is_better: Collection[str] = (),
    successes: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    n_draws: int | None = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every outcome by every method that suits it.

    Parameters
    ----------
    outcomes : dict of TwoVisits
        By name, in the order of the rows.
    ordinal, higher_is_better : collection of str, optional
        Outcomes that are compared by ranks too; outcomes of which more is better.
    successes : dict of dict of (n,) float ndarray, optional
        By outcome and by the text of the cut-off: 1 or 0, NaN where it is not known.
    n_draws : int or None, optional
        Of the re-randomization; None where nobody was randomized, so that the arms differ before treatment too.
    seed : int, optional

    Returns
    -------
    DataFrame
        Columns as `CLINICAL_COLUMNS`; the first row of an endpoint is its main analysis: ranks of an ordinal
        outcome, else ANCOVA; of a cut-off everyone randomized, with a missing follow-up as a failure. An outcome
        without a baseline has the rows that need none.
    """
    randomized, draws = n_draws is not None, {"n_draws": n_draws or 0, "seed": seed}
    rows = []
    for name, data in outcomes.items():
        if name in ordinal:
            found = rank_estimate(data, higher_is_better=name in higher_is_better, **draws)
            rows.append(_row(name, "score", found, data.completers(), COMPLETE))
            if data.baseline is not None:
                rows.append(_row(name, "score", adjusted_rank_estimate(data, **draws), data.completers(), COMPLETE))
        rows += [_row(name, "score", *parts) for parts in _of_score(data, randomized, draws)]
        for endpoint, success in (successes or {}).get(name, {}).items():
            rows += [_row(name, endpoint, *parts) for parts in _of_cutoff(data, success, draws)]
    return _first_is_main(rows)


def by_mixed_model(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `clinical_table` with the mixed model in place of ANCOVA as the main row of an outcome."""
    of_ancova = set(table.loc[(table["analysis"] == MAIN) & (table["method"] == "ancova"), "outcome"])
    mixed = table["method"].str.startswith("mixed") & table["outcome"].isin(of_ancova)
    endpoint = table.groupby(["outcome", "endpoint"], sort=False).ngroup()
    return _first_is_main(table.take(np.lexsort([~mixed.to_numpy(), endpoint.to_numpy()])).reset_index(drop=True))


def crossover_table(
    outcomes: Mapping[str, TwoVisits],
    *,
    ordinal: Collection[str] = (),
    higher_is_better: Collection[str] = (),
    n_draws: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every outcome of a cross-over trial as `clinical_table` does: arms are sequences, visits its periods.

    Raises
    ------
    ValueError
        An outcome is of one period only.
    """
    draws, rows = {"n_draws": n_draws, "seed": seed}, []
    for name, data in outcomes.items():
        if data.baseline is None:
            raise ValueError(f"{name} is known at one period only: a cross-over trial compares both")
        both = completed(data, "unadjusted")
        if name in ordinal:
            half = replace(data, baseline=None, followup=outcome_of(data, "unadjusted")[0])
            found = rank_estimate(half, higher_is_better=name in higher_is_better, **draws)
            rows.append(_row(name, "score", replace(found, note=OF_DIFFERENCES), both, BOTH))
        for estimator in ("crossover", "unadjusted") if data.of_baselines is not None else ("crossover",):
            found, adjusted = linear_estimate(data, estimator, **draws), estimator == "crossover"
            whom = ALL_FOUR if adjusted and data.of_baselines is not None else BOTH
            rows.append(_row(name, "score", found, completed(data, estimator), whom))
        if (np.isfinite(data.baseline) != data.observed).any():
            rows.append(_row(name, "score", periods_estimate(data), data, ANY_PERIOD))
    return _first_is_main(rows)


def several_periods_table(
    outcomes: Mapping[str, ManyPeriods], *, carried: bool = True, n_draws: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Compare two treatments of several in every outcome of a cross-over trial.

    Parameters
    ----------
    outcomes : dict of ManyPeriods
    carried : bool, optional
        Whether the sequences tell carry-over from the treatments.
    n_draws, seed : int, optional

    Returns
    -------
    DataFrame
        As `clinical_table`, without columns of a baseline; ``followup`` is under the treatment. The first row of an
        outcome is its main analysis.
    """
    rows = []
    for name, data in outcomes.items():
        beside = ["unadjusted"] * (data.before is not None) + [CARRIED] * carried + ["first-period"]
        for estimator in ("crossover", *beside):
            found = compare_periods(data, estimator, n_draws=n_draws, seed=seed)
            whom = IN_FIRST if estimator == "first-period" else ALL_PERIODS
            rows.append(_row_of_periods(name, found, data.complete(estimator), whom))
        if not np.isfinite(data.values).all():
            rows.append(_row_of_periods(name, mixed_periods(data), data, ANY_OF_PERIODS))
    return _first_is_main(rows)[list(_SEVERAL_COLUMNS)]


def _row_of_periods(outcome: str, found: Estimate, data: ManyPeriods, population: str) -> dict[str, Any]:
    values = data.first_alone().by_treatment if found.method == "first-period" else data.by_treatment
    of_treatments = {}
    for arm, of in zip(("active", "reference"), values, strict=True):
        known = of[np.isfinite(of)]
        of_treatments[f"followup_mean_{arm}"] = known.mean() if len(known) else np.nan
        of_treatments[f"followup_sd_{arm}"] = known.std(ddof=1) if len(known) > 1 else np.nan
    return {"outcome": outcome, "endpoint": "score", "population": population, **of_treatments, **vars(found)}


def change_table(
    outcomes: Mapping[str, TwoVisits], *, ordinal: Collection[str] = (), n_draws: int = 10_000, seed: int = 0
) -> pd.DataFrame:
    """Test the mean change of every outcome of one group, whose arm is 1.

    Parameters
    ----------
    outcomes : dict of TwoVisits
    ordinal : collection of str, optional
        Outcomes that are tested by signed ranks too, and first.
    n_draws, seed : int, optional
        Of the signs.

    Returns
    -------
    DataFrame
        Columns as `CHANGE_COLUMNS`.
    """
    rows = []
    for name, data in outcomes.items():
        both = data if data.baseline is None and not data.is_change else completed(data, "within")
        if name in ordinal and data.baseline is not None:
            rows.append(_row(name, "score", signed_rank_estimate(both), both, BOTH_VISITS))
        rows.append(_row(name, "score", linear_estimate(data, "within", n_draws=n_draws, seed=seed), both, BOTH_VISITS))
    return _first_is_main(rows)[list(CHANGE_COLUMNS)]


def _first_is_main(rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(CLINICAL_COLUMNS))
    again = table.duplicated(["outcome", "endpoint"])
    return table.assign(analysis=np.where(again, SENSITIVITY, MAIN), deciding_p=np.where(again, "", DECIDES))


def _of_score(data: TwoVisits, randomized: bool, draws: dict[str, int]) -> list[tuple[Estimate, TwoVisits, str]]:
    """Return estimate, data and population of each row."""
    if data.baseline is None:
        return [(linear_estimate(data, "post", **draws), data.completers(), COMPLETE)]
    linear = [(linear_estimate(data, name, **draws), completed(data, name), COMPLETE) for name in ("ancova", "change")]
    mixed = (mixed_estimate(data, constrained=randomized, **draws), data, EVERYONE)
    return [linear[0], mixed, linear[1]]


def _of_cutoff(data: TwoVisits, success: np.ndarray, draws: dict[str, int]) -> list[tuple[Estimate, TwoVisits, str]]:
    rows = []
    for failure, population in ((True, EVERYONE), (False, COMPLETE)):
        values = np.where(np.isnan(success), 0.0, success) if failure else success
        shares = type(data)(data.arm, None, values)
        found = proportion_estimate(success, data, missing_as_failure=failure, **draws)
        rows.append((found, shares, population))
    return rows


def _row(outcome: str, endpoint: str, found: Estimate, data: TwoVisits, population: str) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "endpoint": endpoint,
        "population": population,
        **describe(data),
        **vars(found),
    }


def describe(data: TwoVisits) -> dict[str, float]:
    """Return mean and standard deviation of each arm at each visit, by the names of `CLINICAL_COLUMNS`.

    Parameters
    ----------
    data : TwoVisits
        NaN are left out; a value that exists at one visit only has no baseline.

    Returns
    -------
    dict of float
    """
    described = {}
    for visit, values in (("baseline", data.baseline), ("followup", data.followup)):
        for arm, label in (("active", 1), ("reference", 0)):
            known = np.empty(0) if values is None else values[(data.arm == label) & np.isfinite(values)]
            described[f"{visit}_mean_{arm}"] = known.mean() if len(known) else np.nan
            described[f"{visit}_sd_{arm}"] = known.std(ddof=1) if len(known) > 1 else np.nan
    return described
