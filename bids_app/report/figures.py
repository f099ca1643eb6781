"""Figures, by matplotlib and nilearn: arrays and images in, figures out."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from nilearn import plotting
from nilearn.datasets import load_mni152_template
from nilearn.image import new_img_like

from bids_app.report.surfacefigures import surface_maps_figure
from bids_app.surface import Surface

N_SLICES = 8


def carpet_figure(carpet):
    """Draw motion, and the signal of a sample of nodes before and after cleaning.

    Parameters
    ----------
    carpet : dict of ndarray
        As from `denoise.clean_run`.
    """
    seconds = float(carpet["repetition_time"])
    kept, motion = carpet["kept"], carpet["framewise_displacement"]
    times = np.arange(kept.size) * seconds
    figure, axes = plt.subplots(3, 1, figsize=(10, 6), sharex=True, height_ratios=(1, 2, 2))
    figure.subplots_adjust(left=0.06, right=0.99, top=0.96, bottom=0.08, hspace=0.25)
    axes[0].plot(times, motion, color="#0072b2", linewidth=1)
    axes[0].vlines(times[~kept], 0, np.nanmax(motion, initial=0.1), color="#d55e00", alpha=0.4, linewidth=2)
    axes[0].set_ylabel("FD (mm)")
    axes[0].set_title("Framewise displacement; volumes left out are marked", fontsize=9, loc="left")
    after = np.full((len(carpet["after"]), kept.size), np.nan)
    after[:, np.flatnonzero(kept)] = carpet["after"]
    for axis, values, title in zip(
        axes[1:], (carpet["before"], after), ("Before cleaning", "After cleaning"), strict=True
    ):
        axis.imshow(
            _rows_z_scored(values),
            aspect="auto",
            cmap="gray",
            vmin=-2,
            vmax=2,
            interpolation="nearest",
            extent=(0, kept.size * seconds, len(values), 0),
        )
        axis.set_title(f"{title} (z-scored signal of {len(values)} nodes, -2 to 2)", fontsize=9, loc="left")
        axis.set_ylabel("nodes")
    axes[2].set_xlabel("seconds")
    return figure


def _rows_z_scored(values):
    centred = values - np.nanmean(values, axis=1, keepdims=True)
    return centred / np.maximum(np.nanstd(values, axis=1, keepdims=True), 1e-12)


def maps_figure(grid, maps, present):
    """Draw axial slices of every map, as measured; nodes without a signal are red.

    Parameters
    ----------
    grid : grid.Grid or surface.Surface
    maps : dict of (N,) ndarray
        Keyed by Feature.
    present : (N,) bool ndarray
        Nodes with a signal.
    """
    if isinstance(grid, Surface):
        return surface_maps_figure(grid, maps)
    heights = np.flatnonzero(grid.mask.any(axis=(0, 1)))
    slices = heights[(np.linspace(0.12, 0.88, N_SLICES) * heights.size).astype(int)]
    figure, axes = plt.subplots(len(maps), 1, figsize=(11, 1.5 * len(maps)), squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=1 - 0.2 / (1.5 * len(maps)), bottom=0.01, hspace=0.08)
    lost = _slices_in_a_row(grid, np.where(present, np.nan, 1.0), slices)
    for axis, (feature, values) in zip(axes[:, 0], maps.items(), strict=True):
        strip = _slices_in_a_row(grid, values, slices)
        low, high = np.nanpercentile(values, (2, 98)) if np.isfinite(values).any() else (0, 1)
        drawn = axis.imshow(strip, origin="lower", cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
        axis.imshow(lost, origin="lower", cmap=ListedColormap(["red"]), interpolation="nearest")
        axis.set_axis_off()
        bar = figure.colorbar(drawn, ax=axis, shrink=0.8, pad=0.01)
        bar.set_label(f"{feature.title.replace(', ', chr(10))}\n({feature.unit})", fontsize=7)
        bar.ax.tick_params(labelsize=7)
    width = grid.mask.shape[0]
    for place, index in enumerate(slices):
        height = grid.affine[2, 2] * index + grid.affine[2, 3]
        axes[0, 0].text((place + 0.5) * width, grid.mask.shape[1], f"z = {height:.0f} mm", fontsize=8, ha="center")
    return figure


def _slices_in_a_row(grid, values, slices):
    volume = np.full(grid.mask.shape, np.nan)
    volume[grid.mask] = values
    return np.hstack([volume[:, :, index].T for index in slices])


def effect_figure(effect, p_fwe, title, alpha=0.05):
    """Draw the effect everywhere, with the significant clusters outlined.

    Parameters
    ----------
    effect, p_fwe : Nifti1Image
        Effect size, and p corrected over voxels.
    title : str
        With the direction of the difference.
    alpha : float
    """
    figure = plt.figure(figsize=(13, 2.5))
    significant = np.nan_to_num(p_fwe.get_fdata(), nan=1) <= alpha
    values = np.nan_to_num(effect.get_fdata(dtype=np.float32))
    display = plotting.plot_stat_map(
        new_img_like(effect, values),
        bg_img=load_mni152_template(resolution=2),
        display_mode="z",
        cut_coords=_cuts(significant, p_fwe.affine),
        cmap="RdBu_r",
        vmax=max(float(np.percentile(np.abs(values[values != 0]), 99.5)), 0.1),
        threshold=1e-6,
        draw_cross=False,
        black_bg=False,
        title=None,
        figure=figure,
    )
    if significant.any():
        display.add_contours(
            new_img_like(p_fwe, significant.astype(np.float32)), levels=[0.5], colors="black", linewidths=1.2
        )
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def _cuts(significant, affine):
    """Return axial cuts from the bottom to the top of the brain, moved to where the clusters are."""
    cuts = np.linspace(-24, 60, N_SLICES)
    if significant.any():
        heights = np.flatnonzero(significant.any(axis=(0, 1)))
        sizes = significant.sum(axis=(0, 1))[heights]
        for height in heights[np.argsort(sizes)[::-1]][:3]:
            coordinate = affine[2, 2] * height + affine[2, 3]
            cuts[np.argmin(np.abs(cuts - coordinate))] = coordinate
    return sorted(set(np.round(cuts).astype(float)))
