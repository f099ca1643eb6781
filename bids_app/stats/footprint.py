"""How much memory a test of all voxels holds, before it is made."""

from dataclasses import dataclass

import numpy as np

from bids_app.stats.leastsquares import VOXELS_AT_ONCE

# Draws done at once: few enough to stay in the cache, many enough for small maps. By the count of voxels only, so that
# rounding in the matrix products does not depend on the count of threads.
BATCH_ELEMENTS, LEAST_BATCH, MOST_BATCH = 2**19, 16, 256
OF_A_NUMBER = 8  # bytes
# Maps of one value per voxel that an effect and its p are, and what enhancing a map takes besides, as such maps.
EFFECT_MAPS, WORKSPACE_MAPS = 40, 20
BLOCKS = 8  # arrays of everyone's values in a block of voxels


def draws_at_once(n_voxels: int) -> int:
    """Return how many draws are done at once.

    Examples
    --------
    >>> draws_at_once(400), draws_at_once(10_000), draws_at_once(64_292)
    (256, 52, 16)
    """
    return int(np.clip(BATCH_ELEMENTS // max(n_voxels, 1), LEAST_BATCH, MOST_BATCH))


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What the memory of a test of a hypothesis depends on.

    Attributes
    ----------
    n, n_voxels : int
        Participants, and voxels.
    n_visits : int, optional
        Maps of each participant: the outcome is made of them, or they are adjusted for.
    n_tested, n_nuisance : int, optional
        Columns.
    robust : bool, optional
        Covariance HC3.
    rearranged : bool, optional
        Residuals are rearranged, in place of labels.
    most_neighbours : int, optional
        Of a voxel.
    """

    n: int
    n_voxels: int
    n_visits: int = 2
    n_tested: int = 1
    n_nuisance: int = 1
    robust: bool = False
    rearranged: bool = False
    most_neighbours: int = 6

    @property
    def maps(self) -> int:
        """Bytes of the maps."""
        return OF_A_NUMBER * self.n_visits * self.n * self.n_voxels

    def held(self, n_jobs: int = 1) -> int:
        """Return how many bytes a test with so many threads takes at most, without the maps.

        Of these the models grow with the participants, and what a thread has of its draws does not.

        Examples
        --------
        300 participants and two visits at 3 mm, in GB, with one thread and with two:

        >>> one = Footprint(n=300, n_voxels=64_292)
        >>> [round(one.held(n_jobs) / 1e9, 2) for n_jobs in (1, 2)]
        [0.61, 0.72]
        """
        models = (self.n_visits + 1) * self.n * self.n_voxels  # an outcome that is a difference is one more
        q, regressors = self.n_tested, self.n_visits - 1
        of_draw = (regressors + 4) * q + 2 * q * q + 4
        of_draw += 4 * q * q + 2 * q if self.robust else 0
        of_draw += 2 * (self.n_nuisance + regressors + 1) if self.rearranged else 0
        of_thread = draws_at_once(self.n_voxels) * of_draw + WORKSPACE_MAPS + self.most_neighbours
        of_block = (BLOCKS + self.n_visits * (n_jobs if self.robust else 1)) * self.n
        blocks = of_block * min(self.n_voxels, VOXELS_AT_ONCE)
        return OF_A_NUMBER * (models + blocks + self.n_voxels * (EFFECT_MAPS + n_jobs * of_thread))
