"""Cross-over trials of several treatments or periods: what is tested of a sample, and by which draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np

from bids_app import stats
from bids_app.group.analysis_words import OF_SEVERAL
from bids_app.group.drawing import Draws, blocks_of_pair, is_exact, main_draws
from bids_app.group.sample import Sample
from bids_app.settings.settings import Trial
from bids_app.stats.estimands import Row
from bids_app.stats.manyperiods import CARRIED
from bids_app.stats.sequences import tells_carry_over
from bids_app.trial.design import Design
from bids_app.trial.period_orders import PeriodOrders

Maps = Mapping[str | None, np.ndarray]
EXACT = (
    "labels are exchanged among participants whose sequences differ only in the places of {alike}: the test is exact "
    "for the hypothesis that these do not differ, whatever the other treatments do"
)
APPROXIMATE = (
    "too few participants have sequences that differ only in the places of {alike}, so that the labels of all "
    "sequences are exchanged and the other treatments are adjusted for in every draw: the test is exact if no "
    "treatment differs, and approximate where one of the others does"
)
ALL = "the labels of all sequences are exchanged: the test is exact for the hypothesis that no treatment differs"


def analyses_of_several(design: Design, *, describes: bool = True) -> list[str]:
    """Return the estimators of two treatments of several: the headline, what stands beside, and what describes."""
    orders = cast(PeriodOrders, design.orders)
    carried = tells_carry_over(orders.there)
    beside = ["unadjusted"] * design.has_baselines + [CARRIED] * carried
    first = {order[0] for order in orders.there}
    beside += ["first-period"] * (set(orders.pair(design.sides)) <= first)
    return ["crossover", *beside, *(["period", *["carry-over"] * carried] if describes else [])]


def of_several(estimator: str, design: Design) -> str:
    """Say for people what an estimator of two treatments of several is."""
    before = ", adjusted for the baselines of the periods as they differ within participants" * design.has_baselines
    return OF_SEVERAL[estimator].format(before=before, own=", adjusted for its baseline" * design.has_baselines)


def of_treatments(estimator: str, sample: Sample, maps: Maps) -> tuple[stats.Hypothesis, Callable[[Trial], Draws]]:
    """Return what an estimator of two treatments tests of the maps, and what makes the draws that test it."""
    design = sample.design
    if estimator == "period":
        stated = stats.last_against_first(*_of(sample, maps), sample.nuisance(), baselines=_baselines(design, maps))
        return stated, lambda options: stats.of_rows(_flips(sample, options), design.n_periods)
    row = tuple(map(design.weight, design.levels))
    periods, sequence, given = _of(sample, maps)
    if estimator == "first-period":
        own = _baselines(design, maps)[:1]
        baseline = own[0] if own else None
        alone = stats.first_period(periods[0], sequence, given, [row], sample.nuisance(), baseline=baseline)
        return alone, partial(main_draws, sample)
    before = [] if estimator == "unadjusted" else _baselines(design, maps)
    effect = estimator if estimator in (CARRIED, "carry-over") else "treatment"
    tested = stats.compared_treatments(
        periods, sequence, given, [row], sample.nuisance(), baselines=before, effect=effect
    )
    return tested, lambda options: stats.of_rows(main_draws(sample, options), design.n_periods)


def _flips(sample: Sample, trial: Trial) -> Draws:
    return stats.sign_flips(len(sample.arm), trial.n_draws, trial.random_seed)


def counting_participants(found: stats.Comparison, sample: Sample, n_rows: int) -> stats.Comparison:
    """Return a result that counts participants, where the model of several periods has several rows of each.

    ``n_rows`` are those of the model.
    """
    if not sample.design.orders:
        return found
    effect = replace(found.effect, n=found.effect.n // (n_rows // len(sample.arm)))
    return replace(found, effect=effect)


def of_rows_of_treatments(rows: Sequence[Row], sample: Sample, maps: Maps) -> stats.Hypothesis:
    """State differences of the treatments, by the headline: several are tested together by F."""
    before = _baselines(sample.design, maps)
    return stats.compared_treatments(*_of(sample, maps), rows, sample.nuisance(), baselines=before)


def _of(sample: Sample, maps: Maps) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the maps of the periods, who had which sequence, and what these are of."""
    orders = cast(PeriodOrders, sample.design.orders)
    return [maps[name] for name in sample.design.of_periods], sample.arm, np.array(orders.given)


def _baselines(design: Design, maps: Maps) -> list[np.ndarray]:
    return [maps[name] for name in design.baselines or ()]


def how_drawn(sample: Sample) -> str:
    """Say of the difference of a sample's two treatments how labels are exchanged, and whether that is exact."""
    design = sample.design
    if sample.allocation_table is not None:
        return "the labels are those of the table of possible allocations"
    if len(design.levels) == len(design.sides):
        return ALL
    exact = is_exact(sample, blocks_of_pair(design))
    return (EXACT if exact else APPROXIMATE).format(alike=" and ".join(design.sides))
