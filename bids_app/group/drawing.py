"""By which draws, and by which statistic, the nodes of a sample are tested."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from bids_app import stats
from bids_app.group.sample import Sample
from bids_app.settings.settings import Trial
from bids_app.trial.design import Design
from bids_app.trial.period_orders import PeriodOrders

STATISTICS = {"tfce": "tfce", "t": "voxel", "cluster-extent": "extent", "cluster-mass": "mass"}
Draws = stats.Allocations | stats.Rearrangements
OF_CONNECTIONS = {"tfnbs": "tfce", "nbs": "extent", "nbs-intensity": "mass", "t": "voxel"}


def inference_of(sample: Sample, trial: Trial) -> stats.Inference:
    """Return how the nodes of a sample are tested."""
    return stats.Inference(
        statistic=_statistic(sample, trial),
        neighbours=sample.grid.neighbours(trial.connectivity) if sample.grid is not None else None,
        pairs=sample.pairs,
        threshold=trial.cluster_threshold,
        robust=trial.hc3,
        min_per_arm=trial.min_per_arm or (1 if sample.design.orders else 2),  # who had a sequence alone counts too
        tail=trial.tail_approximation,
    )


def draws_of(estimand: stats.Estimand, sample: Sample, rows: np.ndarray, trial: Trial) -> Draws:
    """Return the draws that suit what is tested: of the arms' labels, of signs, or of residuals within the arms."""
    if estimand.kind == "difference":
        return main_draws(sample, trial)
    if scheme_of(estimand, trial) == "sign-flips":
        return stats.sign_flips(int(rows.sum()), trial.n_draws, trial.random_seed)
    strata = None if sample.strata is None else sample.strata[rows]
    blocks = stats.exchange_blocks(sample.arm[rows], strata)
    return stats.residual_permutations(len(blocks), blocks, trial.n_draws, trial.random_seed)


def draws_to_make(make: Callable[[Trial], Draws], trial: Trial) -> Draws:
    """Return the draws, or as many as there may be until p is settled, in an order by chance.

    Parameters
    ----------
    make : callable
        Makes the draws that options ask for.
    trial : settings.Trial

    Returns
    -------
    Allocations or Rearrangements
        All that are possible, where these are no more than are made by default: p is exact then.
    """
    draws = make(trial)
    if draws.exhaustive or not trial.until_settled:
        return draws
    many = make(replace(trial, n_permutations=stats.Stopping.most + 1))
    return many.mixed(trial.random_seed) if many.exhaustive else many


def scheme_of(estimand: stats.Estimand, trial: Trial) -> str:
    """Return by which scheme what is tested is drawn, as the options call it."""
    return {"difference": trial.scheme, "mean": "sign-flips", "slope": "freedman-lane"}[estimand.kind]


def main_draws(sample: Sample, trial: Trial) -> Draws:
    """Return the draws that test a difference of the arms, by the scheme that was chosen."""
    if trial.scheme == "rerandomize" and sample.design.orders and sample.allocation_table is None:
        return draws_of_blocks(sample, blocks_of_pair(sample.design), trial)
    if trial.scheme == "rerandomize":
        return sample.draws(trial)
    if trial.scheme == "sign-flips":
        return stats.sign_flips(len(sample.arm), trial.n_draws, trial.random_seed)
    return stats.residual_permutations(len(sample.arm), sample.strata, trial.n_draws, trial.random_seed)


def blocks_of_pair(design: Design) -> list[int]:
    """Return for each of several treatments a number that those have alike which a comparison is of."""
    return [-1 if design.weight(one) else place for place, one in enumerate(design.levels)]


def is_exact(sample: Sample, blocks: Sequence[int]) -> bool:
    """Say whether `draws_of_blocks` are exact whatever else works, without drawing."""
    given = cast(PeriodOrders, sample.design.orders).given
    return stats.exchange(sample.arm, given, blocks, sample.strata).exact


def draws_of_blocks(sample: Sample, blocks: Sequence[int], trial: Trial) -> stats.Allocations:
    """Return the draws for the hypothesis that the treatments of a block are alike, of sequences of several periods."""
    given = cast(PeriodOrders, sample.design.orders).given
    draws = stats.sequence_draws(sample.arm, given, blocks, sample.strata, trial.n_draws, trial.random_seed)
    return draws.allocations


def _statistic(sample: Sample, trial: Trial) -> str:
    if sample.grid is not None:
        return STATISTICS[trial.statistic]
    return "voxel" if sample.pairs is None else OF_CONNECTIONS[trial.edge_statistic]
