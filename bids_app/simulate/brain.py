"""What all scans of a simulated trial share: tissue, networks and the regions that the drug changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from nilearn.datasets import fetch_coords_seitzman_2018, load_mni152_template, load_mni152_wm_mask
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from bids_app.space.grid import Grid, template_grid

NETWORKS = (
    "DefaultMode",
    "Visual",
    "SomatomotorDorsal",
    "FrontoParietal",
    "CinguloOpercular",
    "DorsalAttention",
    "Auditory",
    "VentralAttention",
)
NETWORK_SPREAD_MM = 9.0
NETWORK_GAIN = 0.65
NOISE_SPREAD_MM = 3.5
VENTRICLES: dict[str, Any] = {"center_mm": (0, -12, 14), "semi_axes_mm": (22, 35, 16), "darkest": 0.06}


@dataclass(frozen=True)
class PlantedRegion:
    """A sphere in which something is planted.

    Attributes
    ----------
    name : str
    metric_directions : dict of str to int
        +1 for each metric that rises. A metric that is absent is not meant to rise.
    center_mm : tuple of float
        World coordinates.
    radius_mm : float
    """

    name: str
    metric_directions: dict[str, int]
    center_mm: tuple[float, float, float]
    radius_mm: float

    def contains(self, coordinates: ArrayLike) -> np.ndarray:
        """Tell which points, (N, 3) in mm, lie in the sphere: (N,) bool ndarray."""
        return np.linalg.norm(np.asarray(coordinates) - self.center_mm, axis=1) <= self.radius_mm


PLANTED = (
    PlantedRegion("left angular gyrus", {"degree": 1, "clustering": 1}, (-48, -63, 35), 12.0),
    PlantedRegion("right angular gyrus", {"degree": 1, "clustering": 1}, (48, -63, 35), 12.0),
    PlantedRegion("right thalamus", {"degree": 1}, (11, -16, 8), 10.0),
)
# One network is densely connected within itself, so joining it raises clustering too. Networks
# that do not correlate with each other give neighbours that are not neighbours of one another.
ADDED_LOADINGS = {
    "left angular gyrus": {"DefaultMode": 1.0},
    "right angular gyrus": {"DefaultMode": 1.0},
    "right thalamus": {"Visual": 0.5, "SomatomotorDorsal": 0.5, "FrontoParietal": 0.5},
}
# Weakly connected before treatment, so that there is room to rise.
UNTREATED_SHARE = 0.28


@dataclass(frozen=True)
class Brain:
    """The voxels of the template brain and what lies in them.

    Attributes
    ----------
    grid : Grid
        Brain mask joined with the grey-matter mask, V voxels.
    white_matter, csf : (V,) bool ndarray
        Voxels whose mean signals are the tissue confounds.
    network_spread : (V, S) float32 ndarray
        Nearness of each voxel to each seed of a network.
    noise_smoother : (V, V) csr_array
        Spatial kernel with rows of unit norm, so that noise of unit variance keeps it.
    """

    grid: Grid
    white_matter: np.ndarray
    csf: np.ndarray
    network_spread: np.ndarray
    noise_smoother: csr_array

    @cached_property
    def planes(self) -> np.ndarray:
        """Constant and the three scaled coordinates, from which smooth fields are made: (V, 4) ndarray."""
        coordinates = self.grid.coordinates / 60
        return np.column_stack([np.ones(len(coordinates)), coordinates])

    @cached_property
    def intensity(self) -> np.ndarray:
        """Mean signal of each voxel in arbitrary units: (V,) ndarray."""
        contrast = 1000 - 150 * self.white_matter + 300 * self.csf
        return contrast * (1 + 0.05 * self.planes[:, 2])

    def loadings(self, seed_gains: np.ndarray, shares: Mapping[str, float] | None = None) -> np.ndarray:
        """Weigh the network series for each voxel.

        Parameters
        ----------
        seed_gains : (S,) ndarray
            Strength of each seed in this scan, about 1.
        shares : dict of float, optional
            Share of the planted change that is present, by region.

        Returns
        -------
        (V, K) ndarray
            In units of the noise in the pass band.
        """
        _, membership = _network_seeds()
        weights = NETWORK_GAIN * self.network_spread @ (seed_gains[:, None] * membership)
        for region in PLANTED:
            added = [ADDED_LOADINGS[region.name].get(network, 0.0) for network in NETWORKS]
            inside = region.contains(self.grid.coordinates)
            weights[inside] = UNTREATED_SHARE * weights[inside] + (shares or {}).get(region.name, 0.0) * np.array(added)
        return weights


def n_seeds() -> int:
    """Count of network seeds."""
    return len(_network_seeds()[0])


@cache
def _network_seeds() -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in mm, (S, 3), and to which network each belongs, (S, K)."""
    atlas = fetch_coords_seitzman_2018()
    used = np.isin(atlas.networks, NETWORKS)
    membership = atlas.networks[used, None] == np.array(NETWORKS)
    return atlas.rois.to_numpy()[used], membership.astype(np.float32)


def make_brain(voxel_size: int) -> Brain:
    """Lay out the brain on the template grid.

    Parameters
    ----------
    voxel_size : int
        Edge of the voxels in mm.

    Returns
    -------
    Brain
    """
    whole, grey = template_grid("brain", voxel_size), template_grid("gm", voxel_size)
    # The grey-matter template reaches beyond the brain mask here and there; no node may be empty.
    grid = Grid(whole.mask | grey.mask, whole.affine)
    csf = _ventricles(grid, voxel_size)
    white = np.asarray(load_mni152_wm_mask(resolution=voxel_size, threshold=0.9).dataobj)[grid.mask] > 0
    planted = np.any([region.contains(grid.coordinates) for region in PLANTED], axis=0)
    white, csf = white & ~csf & ~planted, csf & ~planted
    spread = _network_spread(grid.coordinates)
    spread[white] *= 0.5
    spread[csf] = 0
    return Brain(grid, white, csf, spread, _noise_smoother(grid.coordinates))


def _network_spread(coordinates: np.ndarray) -> np.ndarray:
    seeds, _ = _network_seeds()
    squared = ((coordinates[:, None] - seeds[None]) ** 2).sum(axis=2)
    return np.exp(-squared / (2 * NETWORK_SPREAD_MM**2)).astype(np.float32)


def _noise_smoother(coordinates: np.ndarray) -> csr_array:
    tree = cKDTree(coordinates)
    kernel = csr_array(tree.sparse_distance_matrix(tree, 2.6 * NOISE_SPREAD_MM, output_type="coo_matrix"))
    kernel.data = np.exp(-(kernel.data**2) / (2 * NOISE_SPREAD_MM**2))
    norms = np.sqrt(kernel.multiply(kernel).sum(axis=1))
    return csr_array(kernel.multiply(1 / norms[:, None]), dtype=np.float32)


def _ventricles(grid: Grid, voxel_size: int) -> np.ndarray:
    template = load_mni152_template(resolution=voxel_size).get_fdata()[grid.mask]
    offsets = (grid.coordinates - VENTRICLES["center_mm"]) / VENTRICLES["semi_axes_mm"]
    central = np.linalg.norm(offsets, axis=1) <= 1
    return central & (template <= np.quantile(template[central], VENTRICLES["darkest"]))
