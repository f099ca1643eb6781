"""The table of scores of all treatments of a cross-over trial, by one mixed model of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bids_app.stats.estimands import Row
from bids_app.stats.inference import Inference
from bids_app.stats.manyperiods import ManyPeriods, compare_periods
from bids_app.stats.permutation import compare
from bids_app.stats.repeated import ANY, ANY_ARM, NO_BASELINE, NO_F, REPEATED_COLUMNS
from bids_app.stats.scores.degrees import SmallSample
from bids_app.stats.scores.fitted import contrast_of
from bids_app.stats.scores.patterns import NotEstimated
from bids_app.stats.scores.periods import model_of_periods
from bids_app.stats.scores.simultaneous import LargestT
from bids_app.stats.sequences import compared_treatments, of_rows, sequence_draws
from bids_app.stats.twovisits import filled

LEVEL = 0.95
MODEL = (
    "Of each outcome one mixed model of all periods that are there, with a random participant, period and treatment, "
    "by restricted maximum likelihood, valid if what is missing depends on observed values only; standard errors, F, "
    "degrees of freedom by Kenward and Roger (1997). Strata and covariates have a coefficient in each period."
)
RERANDOMIZED = (
    "p_rerandomized is of those who have every period, by re-drawing the sequences within the strata: among sequences "
    "that are the same one if the two treatments are alike where these are enough, of all sequences for F."
)


def treatments_table(
    outcomes: Mapping[str, ManyPeriods],
    treatments: Sequence[str],
    weighted: Sequence[tuple[str, Row]] = (),
    *,
    n_draws: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every treatment with the reference in every outcome, and by F whether any of them differ.

    Parameters
    ----------
    outcomes : dict of ManyPeriods
        By name; which pair they are of does not matter.
    treatments : sequence of str
        The K names, the reference first.
    weighted : sequence of (str, tuple of float)
        Further comparisons: a name, and the weight of each treatment.
    n_draws, seed : int, optional
        Of the re-randomization.

    Returns
    -------
    DataFrame
        Columns as `repeated.REPEATED_COLUMNS`; the row of F last.
    """
    rows = [
        {"outcome": name, "baseline": NO_BASELINE, **row}
        for name, data in outcomes.items()
        for row in _rows(data, treatments, weighted, n_draws, seed)
    ]
    return pd.DataFrame(rows, columns=list(REPEATED_COLUMNS))


def _rows(
    data: ManyPeriods, treatments: Sequence[str], weighted: Sequence[tuple[str, Row]], n_draws: int, seed: int
) -> Iterator[dict[str, Any]]:
    size = len(treatments)
    pairs = [replace(data, pair=(number, 0)) for number in range(1, size)]
    weights = np.array([*(one.row for one in pairs), *(row for _, row in weighted)])
    sides: list[dict[str, str | None]] = [{"active": name, "reference": treatments[0]} for name in treatments[1:]]
    sides += [{"active": name, "reference": None} for name, _ in weighted]
    about, small = _fitted(data)
    found = [{} for _ in weights] if small is None else _together(small, weights)
    for place, (named, row) in enumerate(zip(sides, weights, strict=True)):
        drawn = compare_periods(pairs[place], "crossover", n_draws=n_draws, seed=seed) if place < len(pairs) else None
        p = {"p_rerandomized": np.nan if drawn is None else drawn.p_rerandomized}
        yield {**named, "followup": None, **_counted(data, row), **about, **found[place], **p}
    if small is not None and size > 2:
        test = small.joint(np.eye(len(small.coefficients))[: size - 1])
        of_f: dict[str, Any] = {
            "f": test.statistic,
            "df_numerator": test.df_numerator,
            "df": test.df_denominator,
            "p": test.p,
        }
        of_f |= {"note": NO_F} if np.isnan(test.p) else {}
        named = {"active": ANY_ARM, "reference": treatments[0], "followup": ANY}
        counted = _counted(data, np.array([-1.0] + [1.0] * (size - 1)))
        yield {**named, **counted, **about, **of_f, "p_rerandomized": _p_of_any(data, n_draws, seed)}


def _fitted(data: ManyPeriods) -> tuple[dict[str, Any], SmallSample | None]:
    """Return what is to be said of the model, and the model; None where the scores do not determine it."""
    there, whole = np.isfinite(data.values).any(axis=1), np.isfinite(data.values).all(axis=1)
    own = replace(data, covariates=None if data.covariates is None else filled(data.covariates)).of(there)
    used, sequence = np.unique(own.sequence, return_inverse=True)
    try:
        small = model_of_periods(own.values, sequence, own.given[used], own.nuisance()[:, 1:])
    except (NotEstimated, ValueError, np.linalg.LinAlgError) as error:
        return {"note": f"not estimated: {error}"}, None
    lacking = int(np.sum(there & ~whole))
    note = f"{lacking} without some period" if lacking else ""
    return {"n_model": int(there.sum()), "covariance": "compound symmetry", "note": note}, small


def _together(small: SmallSample, weights: np.ndarray) -> list[dict[str, Any]]:
    """Return what is estimated of each difference, with intervals and p that hold for all of them together."""
    rows = np.zeros((len(weights), len(small.coefficients)))
    rows[:, : weights.shape[1] - 1] = weights[:, 1:]
    alone = [contrast_of(small, row) for row in rows]
    covariance = rows @ small.covariance @ rows.T
    spread = np.sqrt(np.diag(covariance))
    largest = LargestT.of(covariance / np.outer(spread, spread), min(one.df for one in alone))
    limit = largest.critical(LEVEL)
    return [
        {
            **{
                name: getattr(one, name) for name in ("estimate", "standard_error", "df", "t", "ci_low", "ci_high", "p")
            },
            "p_together": largest.beyond(abs(one.t)),
            "together_low": one.estimate - limit * one.standard_error,
            "together_high": one.estimate + limit * one.standard_error,
        }
        for one in alone
    ]


def _counted(data: ManyPeriods, row: np.ndarray) -> dict[str, float]:
    counted: dict[str, float] = {}
    for name, those in (("active", np.flatnonzero(row > 0)), ("reference", np.flatnonzero(row < 0))):
        values = np.array([data.on(int(one)) for one in those])
        there = np.isfinite(values).any(axis=0)
        counted |= {f"n_{name}": int(there.sum()), f"missing_{name}": int(np.sum(~there))}
        if len(those) == 1 and there.any():
            counted[f"mean_{name}"] = float(np.nanmean(values))
    return counted


def _p_of_any(data: ManyPeriods, n_draws: int, seed: int) -> float:
    """Return p of F over all treatments by re-drawing the sequences of those who have every period; NaN if none."""
    own = replace(data, before=None).complete("crossover")
    size = data.given.max() + 1
    rows = [tuple(float(one == active) - float(one == 0) for one in range(size)) for active in range(1, size)]
    maps = [one[:, None] for one in own.values.T]
    try:
        stated = compared_treatments(maps, own.sequence, own.given, rows, own.nuisance())
        draws = sequence_draws(own.sequence, own.given, [0] * size, own.strata, n_draws, seed).allocations
        found = compare(stated, of_rows(draws, len(maps)), Inference(statistic="voxel", min_per_arm=1))
    except ValueError:
        return np.nan
    return float(found.p[0])
