"""The analysis grid: which voxels are nodes of the graph, and the way between images and node arrays."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_mask

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

    @property
    def n_nodes(self):
        """Count of nodes."""
        return int(self.mask.sum())

    @property
    def voxel_size(self):
        """Edge lengths of a voxel in mm."""
        return tuple(float(size) for size in nib.affines.voxel_sizes(self.affine))

    @property
    def coordinates(self):
        """World coordinates of the nodes, (N, 3) float64, in mm."""
        return nib.affines.apply_affine(self.affine, np.argwhere(self.mask))

    def image(self, values, fill=np.nan):
        """Put one value per node back into a 3D image.

        Parameters
        ----------
        values : (N,) array-like
            One value per node, in the order of ``mask``.
        fill : float, optional
            What the voxels outside the mask hold.

        Returns
        -------
        Nifti1Image, float32, (X, Y, Z)
        """
        volume = np.full(self.mask.shape, fill, dtype=np.float32)
        volume[self.mask] = values
        return _as_nifti(volume, self.affine)

    def mask_image(self):
        """Return the node mask as an image, uint8."""
        return _as_nifti(self.mask.astype(np.uint8), self.affine)


def _as_nifti(volume, affine):
    image = nib.Nifti1Image(volume, affine)
    image.set_sform(affine, code="mni")
    image.set_qform(affine, code="mni")
    image.header.set_xyzt_units("mm", "sec")
    return image


def template_grid(mask="gm", voxel_size=3):
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
    if mask == "gm":
        image = load_mni152_gm_mask(resolution=voxel_size, threshold=GREY_MATTER_PROBABILITY)
    else:
        image = load_mni152_brain_mask(resolution=voxel_size)
    return Grid(np.asarray(image.dataobj) > 0, image.affine)
