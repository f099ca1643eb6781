"""Registration of images, by ANTs: transforms to files, and points through them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ants
import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from numpy.typing import ArrayLike

from bids_app.errors import DataError
from bids_app.preproc.hdf5 import drop_times

SEED = 1  # of the samples that ANTs draws; by itself it takes the clock
BINS = 32
LPS = np.array([-1, -1, 1])  # ANTs has x and y the other way round
QUICK, THOROUGH = (40, 20, 0), (100, 70, 20)


def to_ants(values: ArrayLike, affine: np.ndarray) -> ants.ANTsImage:
    """Make an ANTs image of an array (X, Y, Z) with its affine.

    Raises
    ------
    DataError
        The axes of the image are not at right angles.
    """
    sizes = voxel_sizes(affine)
    direction = LPS[:, None] * affine[:3, :3] / sizes
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-3):
        raise DataError("the axes of an image are not at right angles to each other, which ANTs does not take.")
    values = np.asarray(values, dtype=np.float32)
    return ants.from_numpy(values, (LPS * affine[:3, 3]).tolist(), sizes.tolist(), direction)


def start_at(fixed_centre: np.ndarray, moving_centre: np.ndarray, path: Path) -> str:
    """Write a first guess that takes one point to another, both world coordinates in mm."""
    centre = np.asarray(fixed_centre) * LPS
    transform = ants.create_ants_transform(
        transform_type="AffineTransform",
        dimension=3,
        matrix=np.eye(3),
        center=centre.tolist(),
        translation=(np.asarray(moving_centre) * LPS - centre).tolist(),
    )
    ants.write_transform(transform, str(path))
    return str(path)


def linear(fixed: ants.ANTsImage, moving: ants.ANTsImage, kind: str, prefix: Path, start: str) -> str:
    """Register linearly by mutual information.

    Parameters
    ----------
    fixed, moving : ANTsImage
    kind : {"Rigid", "Affine"}
    prefix : str
        Of the file that is written.
    start : str
        Path of a first guess.

    Returns
    -------
    str
        Path of the transform, which takes points of ``fixed`` to those of ``moving``.
    """
    found = _register(
        fixed,
        moving,
        kind,
        initial_transform=start,
        outprefix=str(prefix),
        aff_metric="mattes",
        aff_iterations=(500, 200, 100),
        aff_shrink_factors=(3, 2, 1),
        aff_smoothing_sigmas=(2, 1, 0),
        aff_random_sampling_rate=0.5,
    )
    return found["fwdtransforms"][0]


def deform(
    fixed: ants.ANTsImage,
    moving: ants.ANTsImage,
    prefix: Path,
    start: str,
    *,
    iterations: tuple[int, ...] = QUICK,
    mask: ants.ANTsImage | None = None,
) -> tuple[str, str]:
    """Register by an affine and a diffeomorphism (SyN; Avants et al. 2008, doi 10.1016/j.media.2007.06.004).

    Returns
    -------
    forward, inverse : str
        Paths of the composite transforms; the forward one takes points of ``fixed`` to those of ``moving``.
    """
    found = _register(
        fixed,
        moving,
        "SyN",
        initial_transform=start,
        outprefix=str(prefix),
        mask=mask,
        reg_iterations=iterations,
        write_composite_transform=True,
    )
    paths = found["fwdtransforms"], found["invtransforms"]
    for path in paths:
        drop_times(path)
    return paths


def deform_along(
    fixed: np.ndarray, moving: np.ndarray, sizes: np.ndarray, axis: int, prefix: Path, mask: np.ndarray
) -> np.ndarray:
    """Deform one image to another of the same grid along one of its axes alone (SyN).

    Parameters
    ----------
    fixed, moving : (X, Y, Z) ndarray
    sizes : (3,) ndarray
        Of voxels, in mm.
    axis : int
    prefix : Path
        Of the files that are written.
    mask : (X, Y, Z) bool ndarray
        Where they are compared.

    Returns
    -------
    (X, Y, Z) float32 ndarray
        By how many mm what lies at a voxel of ``fixed`` lies further on in ``moving``.
    """
    # Without their place in the world: then an axis of the grid is an axis of ANTs.
    images = [ants.from_numpy(np.asarray(one, np.float32), spacing=sizes.tolist()) for one in (fixed, moving, mask)]
    found = _register(
        images[0],
        images[1],
        "SyNOnly",
        initial_transform="Identity",
        outprefix=str(prefix),
        mask=images[2],
        syn_metric="mattes",
        reg_iterations=QUICK,
        restrict_transformation=tuple(float(index == axis) for index in range(3)),
    )
    (warp,) = (path for path in found["fwdtransforms"] if path.endswith(".nii.gz"))
    return np.asarray(ants.image_read(warp).numpy()[..., axis])


def _register(fixed: ants.ANTsImage, moving: ants.ANTsImage, kind: str, **options: Any) -> dict[str, Any]:
    ants.config.set_ants_deterministic(on=False, seed_value=SEED)  # a seed among the options would be passed over
    return ants.registration(fixed, moving, kind, **options)


def save_as_text(transform: Path | str, path: Path) -> None:
    """Write an affine transform file as ITK text."""
    ants.write_transform(ants.read_transform(str(transform)), str(path))


def write_series_of_transforms(matrices: Iterable[np.ndarray], path: Path) -> None:
    """Write rigid transforms, (T, 4, 4) in world coordinates (RAS), as one ITK text file."""
    flip = np.diag([*LPS, 1])
    lines = ["#Insight Transform File V1.0"]
    for index, matrix in enumerate(matrices):
        itk = flip @ matrix @ flip
        numbers = " ".join(f"{value:.12g}" for value in [*itk[:3, :3].ravel(), *itk[:3, 3]])
        lines += [f"#Transform {index}", "Transform: MatrixOffsetTransformBase_double_3_3"]
        lines += [f"Parameters: {numbers}", "FixedParameters: 0 0 0"]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def map_points(points: np.ndarray, transforms: Iterable[Path | str]) -> np.ndarray:
    """Take points through transforms, each as it is, one after the other.

    Parameters
    ----------
    points : (N, 3) ndarray
        World coordinates in mm (RAS).
    transforms : sequence of str
        Paths, the first to be applied first.

    Returns
    -------
    (N, 3) float64 ndarray
    """
    for transform in transforms:
        table = pd.DataFrame(np.asarray(points, dtype=float) * LPS, columns=list("xyz"))
        mapped = ants.apply_transforms_to_points(3, table, [str(transform)], whichtoinvert=[False])
        points = mapped[["x", "y", "z"]].to_numpy() * LPS
    return points


def bring(fixed: ants.ANTsImage, moving: ants.ANTsImage, transform: Path | str, nearest: bool = False) -> np.ndarray:
    """Resample an image to the grid of another; what lies outside is 0.

    Returns
    -------
    (X, Y, Z) float32 ndarray
    """
    kind = "nearestNeighbor" if nearest else "linear"
    return ants.apply_transforms(fixed, moving, [str(transform)], whichtoinvert=[False], interpolator=kind).numpy()


def bias_field(image: ants.ANTsImage, mask: ants.ANTsImage) -> np.ndarray:
    """Estimate the bias field by N4 (Tustison et al. 2010, doi 10.1109/TMI.2010.2046908).

    Parameters
    ----------
    image, mask : ANTsImage

    Returns
    -------
    (X, Y, Z) float32 ndarray
        Of mean 1 within the mask.
    """
    field = ants.n4_bias_field_correction(image, mask=mask, shrink_factor=2, return_bias_field=True).numpy()
    inside = mask.numpy() > 0
    field = np.maximum(field, 1e-3)
    return field / field[inside].mean()


def segment(values: np.ndarray, mask: np.ndarray, priors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Divide a brain into three tissues by Atropos (Avants et al. 2011, doi 10.1007/s12021-011-9109-y).

    Parameters
    ----------
    values : (X, Y, Z) ndarray
        Without bias field.
    mask : (X, Y, Z) bool ndarray
    priors : dict of (X, Y, Z) ndarray
        Probabilities, darkest tissue first.

    Returns
    -------
    dict of (X, Y, Z) float32 ndarray
    """
    # As voxels without a place: ANTs passes priors through files, which round it, and then refuses them.
    image, within, *given = (ants.from_numpy(np.asarray(part, np.float32)) for part in (values, mask, *priors.values()))
    # r=0: from a constant seed, which takes part in the order in which voxels are visited, not from the clock.
    found = ants.atropos(image, within, i=given, m="[0.1,1x1x1]", c="[5,0]", priorweight=0.25, r=0)
    return dict(zip(priors, (part.numpy() for part in found["probabilityimages"]), strict=True))


def mutual_information(one: np.ndarray, other: np.ndarray) -> float:
    """Return the normalised mutual information of two images (Studholme et al. 1999): 1 if independent, 2 if equal.

    Parameters
    ----------
    one, other : (N,) ndarray
        Their values at the same points.

    Examples
    --------
    >>> values = np.arange(3200.0)
    >>> round(mutual_information(values, values), 6)
    2.0
    """
    # Bins that hold the same count, so that a few bright voxels do not decide.
    ranks = [np.searchsorted(np.quantile(values, np.arange(1, BINS) / BINS), values) for values in (one, other)]
    joint = np.zeros((BINS, BINS))
    np.add.at(joint, tuple(ranks), 1 / len(one))
    apart = [_entropy(joint.sum(axis=axis)) for axis in (0, 1)]
    return float(sum(apart) / _entropy(joint.ravel()))


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return -(shares * np.log(shares)).sum()
