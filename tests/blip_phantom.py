"""The head of `fitted_phantom`, acquired with opposite phase encodings, with a known field, as raw data of BIDS."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from fitted_phantom import COREGISTRATION, GRID, READOUT, SECONDS, SHAPE, shifted, signal, to_t1w
from nibabel.affines import apply_affine

from bids_app.preproc.motion import rigid

HERTZ = 55.0
N_VOLUMES = 7
BLIP_READOUT = 0.04  # of the images of the field map; that of the scan is another
CENTRE = apply_affine(COREGISTRATION, to_t1w(np.array([[0.0, -18, 8]])))[0]
MOTION = np.random.default_rng(7).uniform(-1, 1, (N_VOLUMES, 6)) * [1.5, 1.5, 1.5, 0.02, 0.02, 0.02]
HEAD = rigid([1.5, -1, 1, 0.02, 0.01, -0.02], CENTRE)  # from the scan to the field map


def levels(axis):
    """Return coefficients of a field as `fitted_phantom.field` takes them, which varies most across an axis."""
    rng = np.random.default_rng(3)
    waves = [(-1) ** (np.arange(11) // 3) * rng.uniform(0.6, 1, 11), rng.uniform(0.5, 1, 11), rng.uniform(0.5, 1, 10)]
    if axis == 0:
        waves[0], waves[1] = waves[1], waves[0]
    fine = [10 * rng.uniform(-1, 1, 11), rng.uniform(-1, 1, 11), rng.uniform(0.4, 1, 10)]
    return [[HERTZ * waves[0], *waves[1:]], fine]


def acquired(direction, coefficients, readout, matrix, *, seed):
    """Return the volume that is acquired of the head, and how much brighter each voxel is where it is squeezed."""
    points = shifted(matrix, coefficients, direction, readout)
    axis = "ijk".index(direction[0])
    voxels = apply_affine(np.linalg.inv(GRID) @ matrix, points).reshape(*SHAPE, 3)[..., axis]
    noise = np.random.default_rng(seed).normal(0, 3, SHAPE)
    return (signal(points).reshape(SHAPE) + noise).astype(np.float32), np.gradient(voxels, axis=axis)


def blip(direction, coefficients, *, seed, matrix=HEAD):
    """Return an image of the field map."""
    values, squeezed = acquired(direction, coefficients, BLIP_READOUT, matrix, seed=seed)
    return (values * squeezed).astype(np.float32)


def write(path, volumes, **said):
    """Write an image and its sidecar."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(volumes, GRID)
    if volumes.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], SECONDS))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(said))
    return image


def write_bids(root, direction, blips):
    """Write a scan of a direction, and an image of the field map for each of others; return the field's coefficients.

    What is squeezed is not brighter in the scan: its intensities are left as they are, and edges are looked for.
    """
    coefficients = levels("ijk".index(direction[0]))
    root.mkdir(parents=True)
    (root / "dataset_description.json").write_text(json.dumps({"Name": "phantom", "BIDSVersion": "1.8.0"}))
    matrices = [rigid(one, CENTRE) for one in MOTION]
    series = [acquired(direction, coefficients, READOUT, one, seed=at)[0] for at, one in enumerate(matrices)]
    said = {"RepetitionTime": SECONDS, "TaskName": "rest", "PhaseEncodingDirection": direction}
    name = "sub-01_task-rest_bold.nii.gz"
    write(root / "sub-01" / "func" / name, np.stack(series, axis=-1), TotalReadoutTime=READOUT, **said)
    for index, one in enumerate(blips):
        label = f"sub-01_dir-{one.replace('-', 'Minus')}_epi.nii.gz"
        said = {"PhaseEncodingDirection": one, "TotalReadoutTime": BLIP_READOUT, "IntendedFor": f"func/{name}"}
        write(root / "sub-01" / "fmap" / label, blip(one, coefficients, seed=100 + index), **said)
    return coefficients
