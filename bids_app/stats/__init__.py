"""Comparison of the arms of a randomized trial, voxel by voxel or parcel by parcel.

Arrays in, arrays out: maps are (n, V), participants by voxels.
"""

from bids_app.stats.allocation import Allocations, allocations, tabled_allocations
from bids_app.stats.closure import Intersection, closed, intersections
from bids_app.stats.clusters import Cluster, find_clusters, find_components
from bids_app.stats.design import independent_columns, nuisance
from bids_app.stats.earlier import EarlierLook, going_on
from bids_app.stats.effects import Effect, JointEffect, estimate, hedges
from bids_app.stats.estimands import Estimand, by_treatment, crossed, two_periods, two_visits
from bids_app.stats.extent import cluster_statistic, component_statistic
from bids_app.stats.hypotheses import Hypothesis, arm_codes, hypothesis
from bids_app.stats.inference import STATISTICS, Inference
from bids_app.stats.lattice import neighbours
from bids_app.stats.model import LinearModel
from bids_app.stats.objectives import CORRECTIONS, fixed_sequence, gatekeeping, holm
from bids_app.stats.permutation import Comparison, by_chance, compare, compare_arms, compare_until_settled, settled
from bids_app.stats.pvalues import familywise, monte_carlo_error
from bids_app.stats.rearrangement import Rearrangements, exchange_blocks, residual_permutations, sign_flips
from bids_app.stats.sequences import (
    Exchange,
    SequenceDraws,
    compared_treatments,
    exchange,
    first_period,
    last_against_first,
    of_rows,
    sequence_draws,
    within,
)
from bids_app.stats.settling import Stopping, anytime_p
from bids_app.stats.tail import ParetoTail, familywise_tail, fit_tail
from bids_app.stats.tfce import tfce, tfnbs
from bids_app.stats.together import across
from bids_app.stats.variance import VarianceWarning, variance_warning
from bids_app.stats.voxels import VoxelModels
from bids_app.stats.zscore import ZTable, f_to_z, t_to_z

__all__ = [
    "CORRECTIONS",
    "STATISTICS",
    "Allocations",
    "Cluster",
    "Comparison",
    "EarlierLook",
    "Effect",
    "Estimand",
    "Exchange",
    "Hypothesis",
    "Inference",
    "Intersection",
    "JointEffect",
    "LinearModel",
    "ParetoTail",
    "Rearrangements",
    "SequenceDraws",
    "Stopping",
    "VarianceWarning",
    "VoxelModels",
    "ZTable",
    "across",
    "allocations",
    "anytime_p",
    "arm_codes",
    "by_chance",
    "by_treatment",
    "closed",
    "cluster_statistic",
    "compare",
    "compare_arms",
    "compare_until_settled",
    "compared_treatments",
    "component_statistic",
    "crossed",
    "estimate",
    "exchange",
    "exchange_blocks",
    "f_to_z",
    "familywise",
    "familywise_tail",
    "find_clusters",
    "find_components",
    "first_period",
    "fit_tail",
    "fixed_sequence",
    "gatekeeping",
    "going_on",
    "hedges",
    "holm",
    "hypothesis",
    "independent_columns",
    "intersections",
    "last_against_first",
    "monte_carlo_error",
    "neighbours",
    "nuisance",
    "of_rows",
    "residual_permutations",
    "sequence_draws",
    "settled",
    "sign_flips",
    "t_to_z",
    "tabled_allocations",
    "tfce",
    "tfnbs",
    "two_periods",
    "two_visits",
    "variance_warning",
    "within",
]
