"""Surfaces: grayordinates as the nodes of a graph."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, ScalarAxis
from numpy.typing import ArrayLike, DTypeLike
from scipy import sparse

from bids_app.bids.names import EXTENSION
from bids_app.space.mesh import heat_smooth, lattice_laplacian, mesh_edges, mesh_laplacian, neighbour_table
from bids_app.stats.lattice import neighbours as lattice_neighbours

HEMISPHERES = {"L": "CIFTI_STRUCTURE_CORTEX_LEFT", "R": "CIFTI_STRUCTURE_CORTEX_RIGHT"}


Mesh = tuple[np.ndarray, np.ndarray]  # positions and triangles


@dataclass(frozen=True)
class Surface:
    """Vertices of two hemispheres, and voxels below them if the data have some, as the nodes of a graph.

    Attributes
    ----------
    mask : (G,) bool ndarray
        Which of the grayordinates are nodes.
    axis : BrainModelAxis
        What each of the G grayordinates is.
    meshes : dict of (positions, faces)
        For L and R, the (V, 3) positions in mm and the (M, 3) triangles of all vertices of the hemisphere.
    """

    mask: np.ndarray
    axis: BrainModelAxis
    meshes: dict[str, Mesh]

    extension = EXTENSION
    node = "grayordinate"
    node_size = np.nan  # vertices stand for unequal areas

    @property
    def n_nodes(self) -> int:
        """Count of nodes."""
        return int(self.mask.sum())

    @property
    def coordinates(self) -> np.ndarray:
        """World coordinates of the nodes, (N, 3) float64, in mm."""
        return self.positions[self.mask]

    @cached_property
    def positions(self) -> np.ndarray:
        """World coordinates of all grayordinates, (G, 3) float64, in mm."""
        places = np.full((len(self.axis), 3), np.nan)
        for side, members in self._hemispheres():
            places[members] = self.meshes[side][0][self.axis.vertex[members]]
        if self._voxels.size:
            places[self._voxels] = nib.affines.apply_affine(self.axis.affine, self.axis.voxel[self._voxels])
        return places

    def _hemispheres(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each hemisphere that the axis has, and its grayordinates."""
        for side, structure in HEMISPHERES.items():
            members = np.flatnonzero(self.axis.name == structure)
            if members.size:
                yield side, members

    def nodes_of(self, side: str) -> np.ndarray:
        """Return the grayordinate of each vertex of a hemisphere, (V,) int, -1 for none."""
        grayordinate = np.full(len(self.meshes[side][0]), -1)
        members = np.flatnonzero(self.axis.name == HEMISPHERES[side])
        grayordinate[self.axis.vertex[members]] = members
        return grayordinate

    @property
    def _voxels(self) -> np.ndarray:
        return np.flatnonzero(self.axis.volume_mask)

    def __str__(self) -> str:
        return f"{self.n_nodes} grayordinates"

    def image(self, values: ArrayLike, fill: float = np.nan, dtype: DTypeLike = np.float32) -> nib.Cifti2Image:
        """Put one value per node into a CIFTI image of all grayordinates, (1, G)."""
        row = np.full((1, len(self.axis)), fill, dtype=dtype)
        row[0, self.mask] = values
        return nib.Cifti2Image(row, (ScalarAxis(["values"]), self.axis))

    def halves(self, values: np.ndarray) -> dict[str, nib.GiftiImage]:
        """Return one value per node as GIFTI, for L and R, where every vertex is a grayordinate; else nothing."""
        row = np.full(len(self.axis), np.nan, dtype=np.float32)
        row[self.mask] = values
        members = dict(self._hemispheres())
        if self._voxels.size or any(len(self.meshes[side][0]) != found.size for side, found in members.items()):
            return {}
        return {side: _gifti(row[found]) for side, found in members.items()}

    def mask_image(self) -> nib.Cifti2Image:
        """Return which grayordinates are nodes, as a CIFTI image of 0 and 1."""
        return self.image(1, fill=0)

    def within(self, kept: np.ndarray) -> Self:
        """Return the surface with other nodes.

        Parameters
        ----------
        kept : (G,) bool ndarray
        """
        return replace(self, mask=np.asarray(kept).ravel())

    def same_as(self, other: object) -> bool:
        """Say whether another grid has the same nodes in the same places."""
        return (
            isinstance(other, Surface)
            and self.axis == other.axis
            and np.array_equal(self.mask, other.mask)
            and np.allclose(self.positions, other.positions, equal_nan=True)
        )

    def neighbours(self, connectivity: int = 6) -> np.ndarray:
        """Return the neighbours of each node as `stats.tfce` takes them.

        Parameters
        ----------
        connectivity : {6, 18, 26}, optional
            Of voxels; vertices are neighbours along the edges of the mesh.
        """
        edges = [mesh_edges(self._faces_of(side)) for side, _ in self._hemispheres()]
        if self._voxels.size:
            edges.append(self._touching(connectivity))
        position = np.full(len(self.axis), -1)
        position[self.mask] = np.arange(self.n_nodes)
        among = position[np.vstack(edges)]
        return neighbour_table(among[(among >= 0).all(axis=1)], self.n_nodes)

    def _faces_of(self, side: str) -> np.ndarray:
        """Return a hemisphere's triangles as grayordinates; those beside the medial wall have none there."""
        found = self.nodes_of(side)[self.meshes[side][1]]
        return found[(found >= 0).all(axis=1)]

    def _touching(self, connectivity: int) -> np.ndarray:
        """Return the pairs of voxels that touch, as grayordinates."""
        voxels = self.axis.voxel[self._voxels]
        box = np.zeros(voxels.max(axis=0) + 1, dtype=bool)
        box[tuple(voxels.T)] = True
        order = np.zeros(box.shape, dtype=int)
        order[tuple(voxels.T)] = self._voxels
        members = order[box]
        table = lattice_neighbours(box, connectivity)
        first, column = np.nonzero(table >= 0)
        pairs = np.column_stack([members[first], members[table[first, column]]])
        return pairs[pairs[:, 0] < pairs[:, 1]]

    @cached_property
    def _laplacian(self) -> sparse.csr_array:
        n_all = len(self.axis)
        faces = [self._faces_of(side) for side, _ in self._hemispheres()]
        total = sparse.csr_array((n_all, n_all))
        if faces:
            total = total + mesh_laplacian(np.nan_to_num(self.positions), np.vstack(faces))
        if self._voxels.size:
            size = float(nib.affines.voxel_sizes(self.axis.affine).mean())
            total = total + lattice_laplacian(self._touching(6), size, n_all)
        return total

    def smoothed(self, values: np.ndarray, fwhm: float) -> np.ndarray:
        """Smooth a map along the surface, and through the voxels below it, by heat diffusion.

        Parameters
        ----------
        values : (N,) ndarray
            NaN where a node has no value.
        fwhm : float
            In mm.
        """
        everywhere = np.full(len(self.axis), np.nan)
        everywhere[self.mask] = values
        return heat_smooth(self._laplacian, everywhere, fwhm)[self.mask]


def _gifti(values: np.ndarray) -> nib.GiftiImage:
    return nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(values, "NIFTI_INTENT_SHAPE")])
