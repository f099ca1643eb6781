"""A trial on small surfaces: two icospheres with a medial wall, and a few voxels between them."""

import nibabel as nib
import numpy as np
from conftest import confounds_table
from nibabel.cifti2 import BrainModelAxis, SeriesAxis

from bids_app.space.surface import HEMISPHERES, Surface

RADIUS, APART = 60.0, 70.0
AFFINE = np.diag([8.0, 8, 8, 1])
AFFINE[:3, 3] = -16


def icosphere(subdivisions=2):
    """Return positions, (V, 3) of norm 1, and faces, (M, 3): 10 * 4**subdivisions + 2 vertices."""
    golden = (1 + 5**0.5) / 2
    points = [(a, b * golden, 0) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([np.roll(point, shift) for shift in range(3) for point in points], dtype=float)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    near = np.isclose(distance, 2)
    faces = [
        (i, j, k) for i in range(12) for j in range(i) for k in range(j) if near[i, j] and near[j, k] and near[i, k]
    ]
    points, faces = points / np.linalg.norm(points[0]), np.array(faces)
    for _ in range(subdivisions):
        points, faces = _divided(points, faces)
    outward = (
        np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])
        * points[faces].mean(axis=1)
    ).sum(axis=1) > 0
    faces[~outward] = faces[~outward][:, ::-1]
    return points, faces


def _divided(points, faces):
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [0, 2]]]), axis=1)
    edges, which = np.unique(sides, axis=0, return_inverse=True)
    middles = points[edges].sum(axis=1)
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    first, second, third = len(points) + which.reshape(3, -1)
    a, b, c = faces.T
    parts = [(a, first, third), (first, b, second), (third, second, c), (first, second, third)]
    return np.vstack([points, middles]), np.vstack([np.column_stack(part) for part in parts])


def save_mesh(path, positions, faces):
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = [
        nib.gifti.GiftiDataArray(positions.astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(faces.astype(np.int32), "NIFTI_INTENT_TRIANGLE"),
    ]
    nib.save(nib.GiftiImage(darrays=arrays), path)
    return path


def hemispheres():
    """Return, for L and R, positions in mm and faces."""
    points, faces = icosphere()
    return {side: (points * RADIUS + (place, 0, 0), faces) for side, place in (("L", -APART), ("R", APART))}


def grayordinates():
    """Return the axis: per hemisphere the vertices not on the medial wall, and 4 x 4 x 4 voxels."""
    axes = []
    for side, (positions, _) in hemispheres().items():
        outer = np.abs(positions[:, 0]) > 20
        axes.append(BrainModelAxis.from_mask(outer, HEMISPHERES[side]))
    box = np.ones((4, 4, 4), dtype=bool)
    axes.append(BrainModelAxis.from_mask(box, "CIFTI_STRUCTURE_THALAMUS_LEFT", AFFINE))
    return axes[0] + axes[1] + axes[2]


def small_surface():
    """Return the surface with all of these as its nodes."""
    axis = grayordinates()
    return Surface(np.ones(len(axis), dtype=bool), axis, hemispheres())


def series(seed, n_nodes, n_volumes):
    """Return (n_nodes, n_volumes): three slow sources, mixed, and noise."""
    rng = np.random.default_rng(seed)
    seconds = 2.0 * np.arange(n_volumes)
    sources = np.sin(2 * np.pi * np.outer([0.02, 0.04, 0.07], seconds) + rng.uniform(0, 6, 3)[:, None])
    return (1000 + rng.normal(0, 20, (n_nodes, 3)) @ sources + rng.normal(0, 8, (n_nodes, n_volumes))).astype(
        np.float32
    )


def add_surface_run(trial, sub, ses, kind, n_volumes=60):
    """Write a run on surfaces as fMRIPrep names it, with its confounds; returns the file and the series."""
    entities = {"sub": sub, "ses": ses, "task": "rest"}
    seed = int(sub) * 10 + int(ses)
    table = trial.name("timeseries", ".tsv", entities | {"desc": "confounds"})
    confounds_table(seed, n_volumes).to_csv(table, sep="\t", na_rep="n/a", index=False)
    if kind == "cifti":
        axis = grayordinates()
        values = series(seed, len(axis), n_volumes)
        path = trial.name("bold", ".dtseries.nii", entities | {"space": "fsLR", "den": "91k"})
        nib.save(nib.Cifti2Image(values.T, (SeriesAxis(0, 2, n_volumes), axis)), path)
        return path, values
    halves = []
    for side, (positions, _) in hemispheres().items():
        half = series(seed * 2 + (side == "R"), len(positions), n_volumes)
        path = trial.name("bold", ".func.gii", entities | {"hemi": side, "space": "fsaverage5"})
        nib.save(nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(volume) for volume in half.T]), path)
        path.with_name(path.name.replace(".func.gii", ".json")).write_text('{"RepetitionTime": 2.0}')
        halves.append(half)
    return path.with_name(path.name.replace("hemi-R", "hemi-L")), np.vstack(halves)
