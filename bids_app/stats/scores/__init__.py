"""Clinical scores of several arms at several follow-ups: the mixed model for repeated measures and what it rests on.

Arrays in, arrays out, with numpy and scipy alone. Maps and re-randomization lie beside, in `bids_app.stats`; tables,
names of arms and visits, files and words for people belong above.
"""

from bids_app.stats.scores.covariance import STRUCTURES
from bids_app.stats.scores.degrees import KENWARD_ROGER, SATTERTHWAITE, JointTest
from bids_app.stats.scores.fitted import Contrast, Mmrm, Simultaneous
from bids_app.stats.scores.mmrm import fit_constrained, fit_mmrm
from bids_app.stats.scores.patterns import NotEstimated
from bids_app.stats.scores.rerandomized import Randomized

__all__ = [
    "KENWARD_ROGER",
    "SATTERTHWAITE",
    "STRUCTURES",
    "Contrast",
    "JointTest",
    "Mmrm",
    "NotEstimated",
    "Randomized",
    "Simultaneous",
    "fit_constrained",
    "fit_mmrm",
]
