"""A head whose way from the template to every volume is known: a raw scan, and what fMRIPrep leaves at level minimal.

In the template it is three ellipsoids. A smooth warp and an affine make the T1w of it, a rigid transform the reference
of the run, motion every volume, and a field of cubic B-splines shifts the signal along the phase encoding. If slices
have times, the signal rises and falls meanwhile.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, from_matvec
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from bids_app.preproc.motion import rigid
from bids_app.preproc.registration import write_series_of_transforms

SPACE = "MNI152NLin2009cAsym"
CENTRE = np.array([0.0, -18, 8])
BRAIN, WHITE, FLUID = (70.0, 88, 72), (42.0, 58, 42), (12.0, 24, 12)
T1W_VALUES, BOLD_VALUES = (600.0, 1000, 200), (1000.0, 500, 1300)  # grey, white, fluid
SHAPE = (40, 46, 38)
TURN = nib.eulerangles.euler2mat(0.1, -0.08, 0.12)
GRID = from_matvec(TURN @ np.diag([-4.5, 4.5, 4.5]), TURN @ (90, -104, -84) + (0, -18, 12))
N_VOLUMES, SECONDS, READOUT = 7, 2.0, 0.05
RISE, PERIOD = 0.2, 15.0  # of the signal, as a share and in seconds
COREGISTRATION = rigid([3, -4, 6, 0.06, -0.04, 0.05], CENTRE)  # T1w to reference
AFFINE = from_matvec(np.diag([1.06, 0.95, 1.02]) @ nib.eulerangles.euler2mat(0.05, 0.03, -0.06), [2, 5, -4])
TO_FIELDMAP = rigid([2, 3, -1, 0, 0.05, 0], CENTRE)  # field map to reference
RAYS = np.random.default_rng(3).normal(size=(400, 3))
RAYS /= np.linalg.norm(RAYS, axis=1)[:, None]
STEPS = np.arange(-8, 8, 0.1)  # in mm
KNOTS = from_matvec(np.diag([30.0, 30, 30]), (-150, -160, -130))


def displacement(points):
    """Return by how much the warp moves points of the template before the affine, in mm."""
    x, y, z = (points / 130 * 2 * np.pi).T
    return 4 * np.column_stack([np.sin(y) * np.cos(z), np.sin(z + 1) * np.cos(x), np.sin(x - 1) * np.cos(y)])


def to_t1w(points):
    """Take points of the template to those of the T1w."""
    return apply_affine(AFFINE, points + displacement(points))


def to_template(points):
    """Take points of the T1w to those of the template: the inverse of `to_t1w`, by fixed point."""
    start = apply_affine(np.linalg.inv(AFFINE), points)
    found = start
    for _ in range(15):
        found = start - displacement(found)
    return found


def within(points, radii):
    """Return 1 within an ellipsoid and 0 outside of it, with an edge of about 2 mm."""
    distance = np.linalg.norm((points - CENTRE) / radii, axis=-1)
    return 1 / (1 + np.exp((distance - 1) * np.mean(radii) / 0.7))


def tissues(points):
    """Return the shares of grey matter, white matter and fluid at points of the template."""
    brain, white, fluid = (within(points, radii) for radii in (BRAIN, WHITE, FLUID))
    return np.column_stack([brain - white, white - fluid, fluid])


def field(points, levels):
    """Return the field in Hz at points of the reference, by the B-splines of scipy along each axis.

    Each level is three lists of coefficients, whose outer product is that of the image: so its field is a product.
    """
    knots = apply_affine(np.linalg.inv(KNOTS) @ np.linalg.inv(TO_FIELDMAP), points).T
    return sum(np.prod([_along(one, at) for one, at in zip(level, knots, strict=True)], axis=0) for level in levels)


def _along(coefficients, at):
    """Evaluate cubic B-splines with knots at whole numbers; beyond the last, where no head is, they go on level."""
    last = len(coefficients) - 2
    return BSpline(np.arange(-2, last + 4), coefficients, 3)(np.clip(at, 1, last))


def voxels_of(shape, affine):
    return apply_affine(affine, np.indices(shape).reshape(3, -1).T)


@dataclass(frozen=True)
class Phantom:
    """Where it lies, and what was put in.

    Attributes
    ----------
    bids, fmriprep : Path
    motion : (T, 6) ndarray
        In mm and radians, about the centre of the brain in the reference.
    largest_shift : float
        Of the distortion, in voxels.
    """

    bids: Path
    fmriprep: Path
    motion: np.ndarray
    largest_shift: float

    @property
    def anatomy(self):
        """fMRIPrep's folder of the anatomy."""
        return self.fmriprep / "sub-01" / "anat"


def course(seconds):
    """Return the signal at a time of the run, 1 on average, where slices have times."""
    return 1 + RISE * np.sin(2 * np.pi * np.asarray(seconds) / PERIOD)


def make_phantom(root, direction="j-", n_volumes=N_VOLUMES, n_positions=N_VOLUMES, slice_times=None, anatomy=None):
    """Write the phantom below a folder.

    Parameters
    ----------
    root : Path
    direction : str
        Of the phase encoding.
    n_volumes, n_positions : int
        The head takes its positions in turn.
    slice_times : sequence of float, optional
        In seconds; without them nothing changes in time.
    anatomy : Path, optional
        The folder of another phantom's anatomy, which is the same for all.
    """
    rng = np.random.default_rng(7)
    centre = apply_affine(COREGISTRATION, to_t1w(CENTRE[None]))[0]
    motion = rng.uniform(-1, 1, (N_VOLUMES, 6)) * [2, 2, 2, 0.03, 0.03, 0.03]
    motion[5] = 0
    motion = np.resize(motion[:n_positions], (n_volumes, 6))
    matrices = [rigid(one, centre) for one in motion]
    waves = (-1) ** (np.arange(11) // 3), np.ones(11), np.ones(10)
    coefficients = [[85 * waves[0] * rng.uniform(0.5, 1, 11), *(rng.uniform(0.4, 1, len(one)) for one in waves[1:])]]
    coefficients += [[20 * rng.uniform(-1, 1, 11), rng.uniform(-1, 1, 11), rng.uniform(0.4, 1, 10)]]
    phantom = Phantom(root / "bids", root / "fmriprep", motion, _largest(coefficients))
    _write_raw(phantom, matrices, coefficients, direction, slice_times)
    if anatomy is None:
        _write_anatomy(phantom.anatomy)
    else:
        shutil.copytree(anatomy, phantom.anatomy)
    _write_fit(phantom, matrices, coefficients, direction)
    return phantom


def signal(points):
    """Return the BOLD signal at points of the reference."""
    back = apply_affine(np.linalg.inv(COREGISTRATION), points)
    return tissues(to_template(back)) @ BOLD_VALUES


def _largest(coefficients):
    points = apply_affine(COREGISTRATION, to_t1w(CENTRE + np.random.default_rng(0).uniform(-50, 50, (500, 3))))
    return np.abs(field(points, coefficients)).max() * READOUT


def shifted(matrix, coefficients, direction, readout=READOUT):
    """Return the reference's points whose signal was acquired in each voxel of a volume, by fixed point."""
    grid = np.indices(SHAPE).reshape(3, -1).T.astype(float)
    axis, sign = "ijk".index(direction[0]), -1 if direction.endswith("-") else 1
    back = np.linalg.inv(matrix) @ GRID
    points = apply_affine(back, grid)
    for _ in range(8):  # the field changes by less than a fifth of a voxel from voxel to voxel
        moved = grid.copy()
        moved[:, axis] -= sign * readout * field(points, coefficients)
        points = apply_affine(back, moved)
    return points


def _describe(path, kind, **more):
    path.mkdir(parents=True, exist_ok=True)
    content = {"Name": "phantom", "BIDSVersion": "1.8.0", "DatasetType": kind, **more}
    (path / "dataset_description.json").write_text(json.dumps(content))


def _write_raw(phantom, matrices, coefficients, direction, slice_times):
    _describe(phantom.bids, "raw")
    func = phantom.bids / "sub-01" / "func"
    func.mkdir(parents=True)
    rng = np.random.default_rng(1)
    distinct = {matrix.tobytes(): matrix for matrix in matrices}
    volumes = {key: signal(shifted(one, coefficients, direction)).reshape(SHAPE) for key, one in distinct.items()}
    data = np.stack([volumes[matrix.tobytes()] for matrix in matrices], axis=-1)
    if slice_times is not None:
        data *= course(np.asarray(slice_times)[:, None] + SECONDS * np.arange(len(matrices)))
    data += rng.normal(0, 3, data.shape)
    image = nib.Nifti1Image(data.astype(np.float32), GRID)
    image.header.set_zooms((4.5, 4.5, 4.5, SECONDS))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, func / "sub-01_task-rest_run-01_bold.nii.gz")
    said = {"RepetitionTime": SECONDS, "TaskName": "rest", "PhaseEncodingDirection": direction}
    said |= {"TotalReadoutTime": READOUT}
    said |= {} if slice_times is None else {"SliceTiming": list(slice_times)}
    (func / "sub-01_task-rest_run-01_bold.json").write_text(json.dumps(said))


def _write_anatomy(folder):
    folder.mkdir(parents=True)
    shape, affine = (64, 76, 64), from_matvec(np.diag([3.0, 3, 3]), (-95, -130, -85))
    shares = tissues(to_template(voxels_of(shape, affine)))
    images = {
        "desc-preproc_T1w": shares @ T1W_VALUES,
        "desc-brain_mask": (shares.sum(axis=1) > 0.5).astype(np.uint8),
        **{f"label-{name}_probseg": part for name, part in zip(("GM", "WM", "CSF"), shares.T, strict=True)},
    }
    for name, values in images.items():
        kind = np.uint8 if name.endswith("mask") else np.float32
        nib.save(nib.Nifti1Image(values.reshape(shape).astype(kind), affine), folder / f"sub-01_{name}.nii.gz")
    write_normalization(folder / f"sub-01_from-T1w_to-{SPACE}_mode-image_xfm.h5")


def write_normalization(path):
    """Write the warp and the affine as one composite transform of ITK, as ANTs leaves it."""
    flip, size, first, shape = np.array([-1, -1, 1]), 6.0, np.array([-126.0, -162, -108]), (43, 49, 38)
    lps = np.indices(shape).reshape(3, -1).T * size + first
    vectors = (displacement(lps * flip) * flip).reshape(*shape, 3).astype(np.float32)
    image = ants.from_numpy(vectors, origin=first.tolist(), spacing=[size] * 3, has_components=True)
    warp = ants.transform_from_displacement_field(image)
    itk = np.diag([*flip, 1]) @ AFFINE @ np.diag([*flip, 1])
    affine = ants.create_ants_transform(
        transform_type="AffineTransform", dimension=3, matrix=itk[:3, :3], translation=itk[:3, 3].tolist()
    )
    ants.write_transform(ants.compose_ants_transforms([warp, affine]), str(path))


def _write_fit(phantom, matrices, coefficients, direction):
    made_by = {"Name": "fMRIPrep", "Version": "23.2.0"}
    _describe(phantom.fmriprep, "derivative", GeneratedBy=[made_by])
    func, fmap = (phantom.fmriprep / "sub-01" / kind for kind in ("func", "fmap"))
    for folder in (func, fmap):
        folder.mkdir(parents=True)
    stem = func / "sub-01_task-rest_run-01"
    write_series_of_transforms(matrices, f"{stem}_from-orig_to-boldref_mode-image_desc-hmc_xfm.txt")
    write_series_of_transforms([COREGISTRATION], f"{stem}_from-boldref_to-T1w_mode-image_desc-coreg_xfm.txt")
    write_series_of_transforms([TO_FIELDMAP], f"{stem}_from-boldref_to-auto00000_mode-image_xfm.txt")
    distorted = signal(shifted(np.eye(4), coefficients, direction))
    for name, values in (("hmc", distorted), ("coreg", signal(voxels_of(SHAPE, GRID)))):
        image = nib.Nifti1Image(values.reshape(SHAPE).astype(np.float32), GRID)
        nib.save(image, f"{stem}_desc-{name}_boldref.nii.gz")
    for level, parts in enumerate(coefficients):
        image = nib.Nifti1Image(np.einsum("a,b,c->abc", *parts).astype(np.float32), KNOTS)
        nib.save(image, fmap / f"sub-01_fmapid-auto00000_desc-coeff{level}_fieldmap.nii.gz")


def edges(image, radii, place=None):
    """Return how far the white matter's edge lies from where it was put, in mm, along rays from the centre.

    ``place`` takes points of the template to those of the image.
    """
    profile = profiles(image, radii, place)
    level = (profile[:, :20].mean(axis=1) + profile[:, -20:].mean(axis=1)) / 2
    return STEPS[np.argmax(profile > level[:, None], axis=1)]


def profiles(image, radii, place=None):
    """Read an image along rays, from before to behind the edge of an ellipsoid: (rays, steps)."""
    expected = 1 / np.linalg.norm(RAYS / radii, axis=1)
    points = (CENTRE + (expected[:, None] + STEPS)[..., None] * RAYS[:, None]).reshape(-1, 3)
    voxels = apply_affine(np.linalg.inv(image.affine), points if place is None else place(points))
    return map_coordinates(image.get_fdata(), voxels.T, order=1).reshape(len(RAYS), -1)
