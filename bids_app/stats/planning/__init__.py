"""Power of a trial that is planned, by simulating it and analysing it as planned.

Arrays in, arrays out. Maps, atlases, names of arms and visits, files and words for people belong above.
"""

from bids_app.stats.planning.curve import Curve, as_it_is, expected_power, fit_curve, mean_spread, size_for, wilson
from bids_app.stats.planning.decision import Decision, decide
from bids_app.stats.planning.noise import Noise, noise_like
from bids_app.stats.planning.pilot import LEAST_PARTICIPANTS, Pilot, beside_itself, smoothness, touching_correlation
from bids_app.stats.planning.planned import Outcome, PlannedTrial, Question, Region, simulate_once
from bids_app.stats.planning.search import Tried, try_size

__all__ = [
    "LEAST_PARTICIPANTS",
    "Curve",
    "Decision",
    "Noise",
    "Outcome",
    "Pilot",
    "PlannedTrial",
    "Question",
    "Region",
    "Tried",
    "as_it_is",
    "beside_itself",
    "decide",
    "expected_power",
    "fit_curve",
    "mean_spread",
    "noise_like",
    "simulate_once",
    "size_for",
    "smoothness",
    "touching_correlation",
    "try_size",
    "wilson",
]
