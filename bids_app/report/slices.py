"""Axial slices of a map on anatomy, in mm: arrays on axes of matplotlib."""

from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap

from bids_app.space.grid import Grid

N_SLICES = 6
FAINT = 0.1  # of the template's largest value: what is less is outside the head
MARGIN = 8  # mm of the template around the nodes
DARKEST = 1.6  # of the grey scale, in the template's largest value: the map stands out


def draw_slices(axis: Axes, grid: Grid, values: np.ndarray, colours: ScalarMappable, *, anatomy: bool = True) -> None:
    """Draw axial slices in a row, left is left; nodes without a value are red.

    The map hides the anatomy where there are nodes: a colour that is mixed with grey is no colour of the bar.

    Parameters
    ----------
    axis : Axes
    grid : grid.Grid
    values : (N,) ndarray
    colours : ScalarMappable
    anatomy : bool, optional
        Whether the grid lies in MNI space, so that the template can lie below.
    """
    heights = np.flatnonzero(grid.mask.any(axis=(0, 1)))
    (left, right), (back, front) = (_edges(grid, along) for along in (0, 1))
    (low, high), (bottom, top) = (_bounds(grid, along) for along in (0, 1))
    step = high - low + 2 * MARGIN
    lost = np.where(np.isfinite(values), np.nan, 1.0)
    for place, index in enumerate(heights[(np.linspace(0.12, 0.88, N_SLICES) * heights.size).astype(int)]):
        offset, z = place * step, grid.affine[2, 2] * index + grid.affine[2, 3]
        if anatomy:
            _draw_template(axis, z, offset, (low - MARGIN, high + MARGIN))
        extent = (left + offset, right + offset, back, front)
        _show(axis, _slice(grid, values, index), extent, cmap=colours.get_cmap(), norm=colours.norm)
        _show(axis, _slice(grid, lost, index), extent, cmap=ListedColormap(["red"]))
        axis.text(offset + (low + high) / 2, 0, f"z = {z:.0f} mm", fontsize=8, ha="center", va="bottom",
                  transform=axis.get_xaxis_transform())  # fmt: skip
    axis.set_xlim(low - MARGIN, low - MARGIN + N_SLICES * step)
    axis.set_ylim(bottom - 2.5 * MARGIN, top + MARGIN)
    axis.set_axis_off()
    for x, side in ((low, "L"), (high, "R")):
        axis.text(x, top, side, fontsize=9, ha="center", va="top")


def _edges(grid: Grid, along: int) -> tuple[float, float]:
    """Return where the first and the last voxel begin and end along an axis, in mm."""
    edge, origin = grid.affine[along, along], grid.affine[along, 3]
    return float(origin - edge / 2), float(origin + edge * (grid.mask.shape[along] - 0.5))


def _bounds(grid: Grid, along: int) -> tuple[float, float]:
    """Return between which places there are nodes along an axis, in mm."""
    others = tuple(axis for axis in range(3) if axis != along)
    there = np.flatnonzero(grid.mask.any(axis=others))[[0, -1]]
    ends = grid.affine[along, along] * there + grid.affine[along, 3]
    half = abs(grid.affine[along, along]) / 2
    return float(ends.min() - half), float(ends.max() + half)


def _slice(grid: Grid, values: np.ndarray, index: int) -> np.ndarray:
    volume = np.full(grid.mask.shape, np.nan)
    volume[grid.mask] = values
    return volume[:, :, index].T


def _show(axis: Axes, picture: np.ndarray, extent: tuple[float, float, float, float], **colours: object) -> None:
    axis.imshow(picture, origin="lower", interpolation="nearest", extent=extent, **colours)  # type: ignore[arg-type]


@cache
def _template() -> tuple[np.ndarray, np.ndarray]:
    from nilearn.datasets import load_mni152_template  # here, for it loads scikit-learn

    image = load_mni152_template(resolution=2)
    data = np.asarray(image.dataobj, dtype=float)
    data /= data.max()
    return np.where(data > FAINT, data, np.nan), image.affine


def _draw_template(axis: Axes, z: float, offset: float, across: tuple[float, float]) -> None:
    """Draw the template's slice at a height, from one place to another across."""
    data, affine = _template()
    index = round((z - affine[2, 3]) / affine[2, 2])
    if not 0 <= index < data.shape[2]:
        return
    x = affine[0, 3] + affine[0, 0] * np.arange(data.shape[0])
    inside = np.flatnonzero((x >= across[0]) & (x <= across[1]))
    edge, (_, n_back, _) = affine[0, 0] / 2, data.shape
    extent = (
        x[inside[0]] - edge + offset,
        x[inside[-1]] + edge + offset,
        affine[1, 3] - affine[1, 1] / 2,
        affine[1, 3] + affine[1, 1] * (n_back - 0.5),
    )
    _show(axis, data[inside, :, index].T, extent, cmap="gray", vmin=0, vmax=DARKEST)
