"""Figures of the preprocessing: what lies on what, and how the head moved."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

N_SLICES = 7
COLOURS = ("#d55e00", "#0072b2", "#009e73")
Edges = list[tuple[np.ndarray, str]]  # what is outlined, in which colour


def anatomy_figure(template: Any, images: Mapping[str, np.ndarray]) -> Figure:
    """Draw the T1w in the template, with the edges of the template's tissues and of both brain masks.

    Parameters
    ----------
    template : preprocess.template.Template
    images : dict of (X, Y, Z) ndarray
        As from `preprocess.anatomy.in_template`.
    """
    rows = {
        "T1w; edges of the template's grey matter (orange) and brain (blue)": [
            (template.tissues["GM"], COLOURS[0]),
            (template.mask, COLOURS[1]),
        ],
        "T1w; edges of its own grey matter (orange) and brain mask (green)": [
            (images["GM"], COLOURS[0]),
            (images["mask"], COLOURS[2]),
        ],
    }
    return _slices_with_edges(images["T1w"], rows, template.mask)


def alignment_figure(template: Any, brain: Mapping[str, np.ndarray], white_matter: np.ndarray) -> Figure:
    """Draw a run's reference in the template, with the edges of white matter and of masks.

    Parameters
    ----------
    template : preprocess.template.Template
    brain : dict of (X, Y, Z) ndarray
        As from `preprocess.scan.brain_in_template`.
    white_matter : (X, Y, Z) ndarray
        Its probability: the participant's, or the template's if there is no T1w.
    """
    rows = {
        "BOLD reference; edges of the white matter (orange)": [(white_matter, COLOURS[0])],
        f"BOLD reference; edges of the {template.owner}'s brain (blue) and of the run's brain mask (green)": [
            (template.mask, COLOURS[1]),
            (brain["mask"], COLOURS[2]),
        ],
    }
    return _slices_with_edges(brain["reference"], rows, template.mask)


def distortion_figure(template: Any, brain: Mapping[str, np.ndarray], white_matter: np.ndarray) -> Figure:
    """Draw a run's reference in the template before and after the correction of its distortion.

    Parameters
    ----------
    template : preprocess.template.Template
    brain : dict of (X, Y, Z) ndarray
        ``acquired`` and ``reference``: read at the same places, without and with the shift.
    white_matter : (X, Y, Z) ndarray
        Its probability.
    """
    edges: Edges = [(white_matter, COLOURS[0]), (template.mask, COLOURS[1])]
    what = "edges of the white matter (orange) and of the brain (blue)"
    rows = {
        f"Before the correction; {what}": (brain["acquired"], edges),
        f"After the correction; {what}": (brain["reference"], edges),
    }
    return _rows_of_slices(rows, template.mask)


def _slices_with_edges(volume: np.ndarray, rows: Mapping[str, Edges], mask: np.ndarray) -> Figure:
    return _rows_of_slices({title: (volume, edges) for title, edges in rows.items()}, mask)


def _rows_of_slices(rows: Mapping[str, tuple[np.ndarray, Edges]], mask: np.ndarray) -> Figure:
    figure, axes = plt.subplots(2 * len(rows), 1, figsize=(12, 4.2 * len(rows)))
    figure.subplots_adjust(left=0.01, right=0.99, top=0.96, bottom=0.01, hspace=0.12)
    for row, (title, (volume, edges)) in enumerate(rows.items()):
        inside = volume[mask & (volume > 0)]
        high = 1.1 * np.percentile(inside, 99) if inside.size else 1
        for plane, axis in ((2, axes[2 * row]), (0, axes[2 * row + 1])):
            axis.imshow(_strip(volume, mask, plane), origin="lower", cmap="gray", vmin=0, vmax=high)
            for edge, colour in edges:
                axis.contour(_strip(edge.astype(float), mask, plane), levels=[0.5], colors=colour, linewidths=0.7)
            axis.set_axis_off()
        axes[2 * row].set_title(title, fontsize=10, loc="left")
    return figure


def _strip(volume: np.ndarray, mask: np.ndarray, plane: int) -> np.ndarray:
    """Lay slices side by side: axial ones from below, or sagittal ones from the left."""
    places = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {plane})))
    chosen = places[(np.linspace(0.12, 0.88, N_SLICES) * places.size).astype(int)]
    return np.hstack([np.take(volume, index, axis=plane).T for index in chosen])


def motion_figure(table: pd.DataFrame, repetition_time: float) -> Figure:
    """Draw the motion parameters, framewise displacement and DVARS of a run.

    Parameters
    ----------
    table : DataFrame
        Its confounds.
    repetition_time : float
        In seconds.
    """
    seconds = np.arange(len(table)) * repetition_time
    panels = {
        "mm": {name: table[name] for name in ("trans_x", "trans_y", "trans_z")},
        "degrees": {name: np.rad2deg(table[name]) for name in ("rot_x", "rot_y", "rot_z")},
        "FD (mm)": {"framewise_displacement": table["framewise_displacement"]},
        "std. DVARS": {"std_dvars": table["std_dvars"]},
    }
    figure, axes = plt.subplots(len(panels), 1, figsize=(12, 6), sharex=True)
    figure.subplots_adjust(left=0.07, right=0.99, top=0.98, bottom=0.08, hspace=0.15)
    for axis, (unit, lines) in zip(axes, panels.items(), strict=True):
        for (name, values), colour in zip(lines.items(), COLOURS, strict=False):
            axis.plot(seconds, values, color=colour, linewidth=1, label=name)
        axis.set_ylabel(unit)
        axis.legend(fontsize=7, loc="upper right", ncols=3)
    axes[-1].set_xlabel("seconds")
    return figure
