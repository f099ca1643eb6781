"""Figures of one participant, by matplotlib: arrays in, figures out."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from bids_app.report.slices import draw_slices
from bids_app.report.surfacefigures import draw_cortex
from bids_app.space.grid import Grid
from bids_app.space.surface import Surface

ROW = 2.3  # inches of a row of maps
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito's
LINES = ("-", "--", ":")


def carpet_figure(carpet: Mapping[str, np.ndarray]) -> Figure:
    """Draw motion, the change from volume to volume, and the signal of a sample of nodes before and after cleaning.

    Parameters
    ----------
    carpet : dict of ndarray
        As from `denoise.clean_run`.
    """
    seconds, kept = float(carpet["repetition_time"]), carpet["kept"]
    times = np.arange(kept.size) * seconds
    figure, axes = plt.subplots(4, 1, figsize=(10, 7.2), sharex=True, height_ratios=(1, 1, 2, 2))
    figure.subplots_adjust(left=0.08, right=0.93, top=0.96, bottom=0.07, hspace=0.28)
    _draw_over_time(axes[0], times, {"": carpet["framewise_displacement"]}, kept, "FD (mm)")
    axes[0].set_title("Framewise displacement; volumes left out are marked", fontsize=9, loc="left")
    changes = {"before": carpet["dvars_before"], "after": carpet["dvars_after"]}
    _draw_over_time(axes[1], times, changes, kept, "DVARS")
    axes[1].set_title("Change from volume to volume over all nodes, in units of the signal", fontsize=9, loc="left")
    after = np.full((len(carpet["after"]), kept.size), np.nan)
    after[:, np.flatnonzero(kept)] = carpet["after"]
    order, end = by_global_signal(carpet["before"]), kept.size * seconds
    _draw_carpet(axes[2], carpet["before"][order], "Before cleaning", end)
    drawn = _draw_carpet(axes[3], after[order], "After cleaning", end)
    axes[3].set_xlabel("seconds")
    bar = figure.colorbar(drawn, cax=figure.add_axes((0.945, 0.07, 0.012, 0.5)), extend="both")
    bar.set_label("z score of each node", fontsize=8)
    return figure


def _draw_carpet(axis: Axes, values: np.ndarray, title: str, end: float) -> ScalarMappable:
    text = f"{title}: {len(values)} nodes, those that follow their mean before cleaning most at the top"
    axis.set_title(text, fontsize=9, loc="left")
    axis.set_ylabel("nodes")
    look: dict[str, Any] = {"cmap": "gray", "vmin": -2, "vmax": 2, "interpolation": "nearest", "aspect": "auto"}
    return axis.imshow(_rows_z_scored(values), extent=(0, end, len(values), 0), **look)


def by_global_signal(series: np.ndarray) -> np.ndarray:
    """Return the order of nodes by their correlation with the mean of all, the highest first.

    So widespread deflections show as bands (Aquino et al. 2020, doi:10.1016/j.neuroimage.2020.116614).

    Parameters
    ----------
    series : (N, T) ndarray

    Returns
    -------
    (N,) ndarray of int

    Examples
    --------
    The mean is (0, 1, 0) after z-scoring: the first node goes against it.

    >>> by_global_signal(np.array([[1.0, 0, 1], [0, 1, 0], [0, 2, 0]])).tolist()
    [1, 2, 0]
    """
    scored = np.nan_to_num(_rows_z_scored(series))
    return np.argsort(-scored @ scored.mean(axis=0), kind="stable")


def _draw_over_time(
    axis: Axes, times: np.ndarray, curves: Mapping[str, np.ndarray], kept: np.ndarray, label: str
) -> None:
    known = np.concatenate([values[np.isfinite(values)] for values in curves.values()])
    top = max(float(np.percentile(known, 99)) * 1.3, 1e-6) if known.size else 1
    for (name, values), colour in zip(curves.items(), COLOURS, strict=False):
        axis.plot(times, values, color=colour, linewidth=1, label=name or None)
    axis.vlines(times[~kept], 0, top, color="#888888", alpha=0.35, linewidth=2)
    axis.set_ylim(0, top)
    axis.set_ylabel(label)
    if len(curves) > 1:
        axis.legend(fontsize=7, frameon=False, loc="upper right", ncols=2)


def _rows_z_scored(values: np.ndarray) -> np.ndarray:
    centred = values - np.nanmean(values, axis=1, keepdims=True)
    return centred / np.maximum(np.nanstd(values, axis=1, keepdims=True), 1e-12)


def visits_figure(
    grid: Grid | Surface, maps: Mapping[str, np.ndarray], title: str, unit: str, *, anatomy: bool = True
) -> Figure:
    """Draw one measure at every scan in one colour range, and below each later one its difference from the first.

    Parameters
    ----------
    grid : grid.Grid or surface.Surface
    maps : dict of (N,) ndarray
        For the name of each scan; NaN where a node has no value.
    title, unit : str
    anatomy : bool, optional
        Whether a grid lies in MNI space, so that the template can lie below.
    """
    names = list(maps)
    later = {f"{name} − {names[0]}": maps[name] - maps[names[0]] for name in names[1:]}
    low, high = _range(np.concatenate(list(maps.values())), (2, 98))
    size = max((_range(np.abs(values), (0, 98))[1] for values in later.values()), default=1)
    value = ScalarMappable(Normalize(low, high), "viridis")
    difference = ScalarMappable(Normalize(-size, size), "RdBu_r")
    rows = [(name, values, value) for name, values in maps.items()]
    rows += [(name, values, difference) for name, values in later.items()]
    height = 0.3 + ROW * len(rows)  # places are computed: a layout engine takes longer than the drawing
    figure = plt.figure(figsize=(11, height))
    for row, (name, values, colours) in enumerate(rows):
        bottom = (ROW * (len(rows) - 1 - row) + 0.05) / height
        axes = _places(figure, (bottom, (ROW - 0.15) / height), name, colours, 4 if isinstance(grid, Surface) else 1)
        if isinstance(grid, Surface):
            draw_cortex(axes, grid, values, colours)
        else:
            draw_slices(axes[0], grid, values, colours, anatomy=anatomy)
    figure.text(0.01, 1 - 0.05 / height, f"{title} ({unit})", fontsize=9, va="top")
    return figure


def _range(values: np.ndarray, percentiles: tuple[float, float]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, percentiles) if known.size else (0, 1)
    return (low, high) if high > low else (low, low + 1)


def _places(figure: Figure, place: tuple[float, float], name: str, colours: ScalarMappable, n_views: int) -> list[Axes]:
    """Return axes for the maps of a scan between ``place``, the bottom and the height, its name and colours beside."""
    bottom, height = place
    left, width = 0.035, 0.895
    text = name.replace(" − ", "\n− ")
    figure.text(0.018, bottom + height / 2, text, fontsize=9, rotation="vertical", ha="center", va="center")
    bar = figure.colorbar(
        colours, cax=figure.add_axes((left + width + 0.01, bottom + 0.1 * height, 0.012, 0.8 * height))
    )
    bar.ax.tick_params(labelsize=8)
    share = width / n_views
    return [figure.add_axes((left + view * share, bottom, share, height)) for view in range(n_views)]


def histogram_figure(values: Mapping[str, np.ndarray], title: str, unit: str) -> Figure:
    """Draw how a measure is distributed over the nodes, scans on the same axes.

    Parameters
    ----------
    values : dict of (N,) ndarray
        For the name of each scan; NaN is left out.
    title, unit : str
    """
    figure, axis = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
    known = {name: one[np.isfinite(one)] for name, one in values.items()}
    everything = np.concatenate(list(known.values()))
    bins: Any = np.linspace(everything.min(), everything.max() or 1, 60) if everything.size else 10
    for place, (name, one) in enumerate(known.items()):
        colour, line = COLOURS[place % 6], LINES[(place + place // 6) % 3]  # 18 that differ
        axis.hist(one, bins=bins, histtype="step", color=colour, linestyle=line, linewidth=1.4, label=name)
    axis.set_xlabel(f"{title} ({unit})", fontsize=8)
    axis.set_ylabel("nodes", fontsize=8)
    axis.legend(fontsize=7, frameon=False)
    return figure


def matrices_figure(matrices: Mapping[str, np.ndarray], networks: np.ndarray | None = None) -> Figure:
    """Draw the correlation matrices of the scans in one colour range.

    Parameters
    ----------
    matrices : dict of (P, P) ndarray
        For the name of each scan; NaN is grey.
    networks : (P,) ndarray of str, optional
        By which the parcels are put in order, and lines drawn.
    """
    columns = min(len(matrices), 3)
    rows = -(-len(matrices) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns, 4.2 * rows), squeeze=False, layout="constrained")
    count = len(next(iter(matrices.values())))
    order = np.arange(count) if networks is None else np.argsort(networks, kind="stable")
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (name, matrix) in zip(axes.flat, matrices.items(), strict=False):
        axis.set_facecolor("#bbbbbb")
        shown = np.where(np.eye(count, dtype=bool), np.nan, matrix)[np.ix_(order, order)]
        drawn = axis.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        axis.set_title(name, fontsize=8)
        if networks is not None:
            _draw_networks(axis, networks[order])
    figure.colorbar(drawn, ax=axes, shrink=0.7).set_label("Pearson r", fontsize=8)
    return figure


def _draw_networks(axis: Axes, networks: np.ndarray) -> None:
    """Draw lines between the networks of parcels in order, and the names of those that leave room for them."""
    edges = np.flatnonzero(networks[1:] != networks[:-1]) + 0.5
    for place in edges:
        axis.axhline(place, color="black", linewidth=0.4)
        axis.axvline(place, color="black", linewidth=0.4)
    bounds = np.concatenate([[-0.5], edges, [len(networks) - 0.5]])
    wide = [k for k, size in enumerate(np.diff(bounds)) if size >= len(networks) / 40]
    names = [str(networks[int(bounds[k] + 0.5)]) for k in wide]
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([(bounds[k] + bounds[k + 1]) / 2 for k in wide], names, fontsize=6)
    axis.tick_params(length=0)
