"""The analysis grid: which voxels are nodes of the graph, and the way between images and node arrays."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.ndimage import affine_transform, gaussian_filter

from bids_app.bids.files import replacing
from bids_app.bids.masks import read_mask
from bids_app.bids.names import is_surface
from bids_app.errors import DataError
from bids_app.space.surface import Surface
from bids_app.space.surface_files import load_surface, save_surface
from bids_app.stats.lattice import neighbours

logger = logging.getLogger(__name__)

GREY_MATTER_PROBABILITY = 0.2


@dataclass(frozen=True)
class Grid:
    """The voxels of a template mask, in C order, as the nodes of a graph.

    Attributes
    ----------
    mask : (X, Y, Z) bool ndarray
        True where a voxel is a node. Every participant has the same nodes.
    affine : (4, 4) float64 ndarray
        Voxel indices to world coordinates in mm.
    """

    mask: np.ndarray
    affine: np.ndarray

    extension = ".nii.gz"
    node = "voxel"

    @property
    def n_nodes(self) -> int:
        """Count of nodes."""
        return int(self.mask.sum())

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Edge lengths of a voxel in mm."""
        return tuple(float(size) for size in nib.affines.voxel_sizes(self.affine))

    @property
    def node_size(self) -> float:
        """Volume of a node in mm3."""
        return float(np.prod(self.voxel_size))

    @property
    def coordinates(self) -> np.ndarray:
        """World coordinates of the nodes, (N, 3) float64, in mm."""
        return nib.affines.apply_affine(self.affine, np.argwhere(self.mask))

    def __str__(self) -> str:
        return f"{self.n_nodes} nodes of {' x '.join(f'{edge:g}' for edge in self.voxel_size)} mm"

    def image(self, values: ArrayLike, fill: float = np.nan, dtype: DTypeLike = np.float32) -> nib.Nifti1Image:
        """Put one value per node back into a 3D image.

        Parameters
        ----------
        values : (N,) array-like
            One value per node, in the order of ``mask``.
        fill : float, optional
            What the voxels outside the mask hold.
        dtype : type, optional
            Of the image.

        Returns
        -------
        Nifti1Image, (X, Y, Z)
        """
        volume = np.full(self.mask.shape, fill, dtype=dtype)
        volume[self.mask] = values
        return _as_nifti(volume, self.affine)

    def mask_image(self) -> nib.Nifti1Image:
        """Return the node mask as an image, uint8."""
        return _as_nifti(self.mask.astype(np.uint8), self.affine)

    def halves(self, values: np.ndarray) -> dict[str, Any]:
        """Return nothing: only surfaces have two halves."""
        return {}

    def within(self, kept: np.ndarray) -> "Grid":
        """Return the grid with other nodes, given as a bool ndarray of the voxels in C order."""
        return Grid(np.reshape(kept, self.mask.shape), self.affine)

    def same_as(self, other: object) -> bool:
        """Say whether another grid has the same nodes in the same places."""
        return (
            isinstance(other, Grid) and np.array_equal(self.mask, other.mask) and np.allclose(self.affine, other.affine)
        )

    def neighbours(self, connectivity: int = 6) -> np.ndarray:
        """Return the neighbours of each node, as `stats.neighbours`."""
        return neighbours(self.mask, connectivity)

    def smoothed(self, values: np.ndarray, fwhm: float) -> np.ndarray:
        """Smooth a map, as `smooth`."""
        return smooth(self, values, fwhm)


Nodes = Grid | Surface  # what a graph is made on


def load_grid(path: Path) -> Nodes:
    """Read a grid back from its mask image, or a surface from its files."""
    if is_surface(path):
        return load_surface(path)
    image = nib.Nifti1Image.from_filename(path)
    return Grid(np.asarray(image.dataobj) > 0, image.affine)


def save_grid(grid: Nodes, path: Path) -> None:
    """Write a grid as its mask image, a surface as its files."""
    if isinstance(grid, Surface):
        save_surface(grid, path)
        return
    with replacing(path) as partial:
        nib.save(grid.mask_image(), partial)


def _as_nifti(volume: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    image = nib.Nifti1Image(volume, affine, dtype=volume.dtype)
    image.set_sform(affine, code="mni")
    image.set_qform(affine, code="mni")
    image.header.set_xyzt_units("mm", "sec")
    return image


def template_grid(mask: str = "gm", voxel_size: int = 3) -> Grid:
    """Lay the analysis grid over nilearn's ICBM 2009a template, which ships with nilearn.

    Parameters
    ----------
    mask : {"gm", "brain"}
        Nodes are the voxels with a grey-matter probability above 0.2, or the whole brain.
    voxel_size : int
        Edge of the isotropic voxels, in whole mm.

    Returns
    -------
    Grid

    Examples
    --------
    >>> template_grid("gm", 6).n_nodes
    8656
    """
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_mask  # here, for they load scikit-learn

    if mask == "gm":
        image = load_mni152_gm_mask(resolution=voxel_size, threshold=GREY_MATTER_PROBABILITY)
    else:
        image = load_mni152_brain_mask(resolution=voxel_size)
    return Grid(np.asarray(image.dataobj) > 0, image.affine)


def mask_grid(path: Path | str, voxel_size: int | None = None) -> Grid:
    """Lay the analysis grid over a mask image of the user's.

    Parameters
    ----------
    path : path-like
        A 3D image, as `masks.binarized` takes it.
    voxel_size : int, optional
        Edge of the isotropic voxels, in whole mm; the grid of the image itself if None.

    Returns
    -------
    Grid
    """
    inside, affine, note = read_mask(Path(path), f"--mask {path}")
    if note:
        logger.warning("%s", note)
    image = nib.Nifti1Image(inside.astype(np.float32), affine)
    if voxel_size is not None:
        from nilearn.image import resample_img  # here, for it loads scikit-learn

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Resampling binary images")  # what lies half inside is cut at one half
            image = resample_img(
                image,
                target_affine=np.eye(3) * voxel_size,
                interpolation="linear",
                force_resample=True,
                copy_header=True,
            )
    mask = np.asarray(image.dataobj) > 0.5
    if not mask.any():
        raise DataError(f"--mask {path}: no voxel is in the mask.")
    return Grid(mask, image.affine)


def on_grid_of(grid: Grid, image: Any) -> Grid:
    """Bring the nodes of a grid to the grid of an image (nearest neighbour), for ``--voxel-size native``."""
    to_grid = np.linalg.inv(grid.affine) @ image.affine
    mask = affine_transform(
        grid.mask.astype(np.uint8), to_grid, output_shape=image.shape[:3], order=0, mode="grid-constant"
    )
    return Grid(mask > 0, image.affine)


def smooth(grid: Grid, values: np.ndarray, fwhm: float) -> np.ndarray:
    """Smooth a map within the nodes that have a value, as a normalized convolution.

    Parameters
    ----------
    grid : Grid
    values : (N,) ndarray
        NaN where a node has no value; such nodes keep NaN and lend no weight.
    fwhm : float
        Full width at half maximum of the Gaussian, in mm.

    Returns
    -------
    (N,) float64 ndarray
    """
    present = np.isfinite(values)
    sigma = fwhm / np.sqrt(8 * np.log(2)) / np.array(grid.voxel_size)
    volumes = np.zeros((2, *grid.mask.shape))
    volumes[:, grid.mask] = np.where(present, values, 0), present
    total, weight = (gaussian_filter(volume, sigma, mode="constant")[grid.mask] for volume in volumes)
    return np.where(present, total / np.where(present, weight, 1), np.nan)


def z_score(values: np.ndarray) -> np.ndarray:
    """Subtract the mean over the nodes that have a value and divide by their standard deviation.

    A map that is the same everywhere is 0 everywhere.

    Examples
    --------
    >>> z_score(np.array([1.0, np.nan, 3.0]))
    array([-1., nan,  1.])
    """
    return (values - np.nanmean(values)) / (np.nanstd(values) or 1)
