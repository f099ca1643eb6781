"""Figures of parcels and their connections: tables in, figures out."""

from collections.abc import Mapping, Sequence, Set

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, PathPatch
from matplotlib.path import Path

from bids_app.report.mapfigures import COLOURS, OPAQUE_AT, colour_range

NAMED_BELOW = 130  # parcels around a circle whose names can still be read
CENTRE, GAP = (0.0, 0.0), 0.03  # of the circle, and between its groups as a share of it
SIGNS = ("#b2182b", "#2166ac")  # the ends of the colours of the maps: more, less


def nodes_figure(table: pd.DataFrame, alpha: float, title: str) -> Figure | None:
    """Draw parcels in a glass brain: colour is Hedges g, size is |t|; rings are around those that are significant.

    Parameters
    ----------
    table : DataFrame
        x, y, z in mm, hedges_g, t and p_fwe of each parcel; those without a place are left out.
    alpha : float
    title : str

    Returns
    -------
    Figure or None
        None where no parcel has a place.
    """
    placed = table.dropna(subset=["x", "y", "z", "hedges_g"])
    if placed.empty:
        return None
    from nilearn import plotting  # here, for it loads scikit-learn

    size = 6 + 40 * np.clip(placed["t"].abs().to_numpy() / OPAQUE_AT, 0, 1.5)
    largest = colour_range(placed["hedges_g"].to_numpy())
    places = placed[["x", "y", "z"]].to_numpy(float)
    figure = plt.figure(figsize=(11, 3.2))
    display = plotting.plot_markers(
        placed["hedges_g"].to_numpy(float),
        places,
        node_size=size,
        node_cmap=COLOURS,
        node_vmin=-largest,
        node_vmax=largest,
        display_mode="lyrz",
        figure=figure,
        colorbar=True,
        node_kwargs={"edgecolors": "0.5", "linewidths": 0.3},
    )
    significant = (placed["p_fwe"] <= alpha).to_numpy()
    if significant.any():
        ring = (size + 25)[significant]
        display.add_markers(places[significant], marker_color="none", marker_size=ring, edgecolors="black")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def connectome_figure(parcels: pd.DataFrame, connections: pd.DataFrame, title: str) -> Figure | None:
    """Draw connections in a glass brain; red where the first arm has more, blue where it has less.

    Parameters
    ----------
    parcels : DataFrame
        name, x, y and z.
    connections : DataFrame
        from, to and t.
    title : str

    Returns
    -------
    Figure or None
        None where the parcels have no place.
    """
    if not {"x", "y", "z"} <= set(parcels) or parcels[["x", "y", "z"]].isna().all(axis=None):
        return None
    ends = set(connections["from"]) | set(connections["to"])
    shown = parcels[parcels["name"].isin(ends)].dropna(subset=["x", "y", "z"]).reset_index(drop=True)
    place = {name: row for row, name in enumerate(shown["name"])}
    matrix = np.zeros((len(shown), len(shown)))
    for one, other, t in zip(connections["from"], connections["to"], connections["t"], strict=True):
        if one in place and other in place:
            matrix[place[one], place[other]] = matrix[place[other], place[one]] = t
    if not matrix.any():
        return None
    from nilearn import plotting  # here, for it loads scikit-learn

    largest = np.abs(matrix).max()
    figure = plt.figure(figsize=(11, 3.2))
    plotting.plot_connectome(
        matrix,
        shown[["x", "y", "z"]].to_numpy(float),
        node_color="black",
        node_size=8,
        edge_cmap=COLOURS,
        edge_vmin=-largest,
        edge_vmax=largest,
        edge_kwargs={"linewidth": 1.2},
        display_mode="lyrz",
        figure=figure,
        colorbar=True,
    )
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def chord_figure(parcels: pd.DataFrame, connections: pd.DataFrame, title: str) -> Figure:
    """Draw connections as chords of a circle on which the parcels lie network by network.

    Parameters
    ----------
    parcels : DataFrame
        name, and network if it is known.
    connections : DataFrame
        from, to and t; width and depth of colour grow with |t|.
    title : str
    """
    order, groups = _around(parcels)
    angle = dict(zip(order, _angles(groups), strict=True))
    figure, axis = plt.subplots(figsize=(7.5, 7.5), layout="constrained")
    largest = max(connections["t"].abs().max(), 1e-9) if len(connections) else 1
    for one, other, t in zip(connections["from"], connections["to"], connections["t"], strict=True):
        axis.add_patch(_chord(angle[one], angle[other], t, abs(t) / largest))
    _draw_ring(axis, order, groups, angle, {*connections["from"], *connections["to"]})
    axis.set_xlim(-1.45, 1.45)
    axis.set_ylim(-1.45, 1.45)
    axis.set_aspect("equal")
    axis.axis("off")
    axis.set_title(title, fontsize=10, loc="left")
    return figure


def _around(parcels: pd.DataFrame) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the names in the order around the circle, and each network with its count of parcels."""
    if "network" not in parcels:
        return parcels["name"].tolist(), [("", len(parcels))]
    named = parcels.assign(network=parcels["network"].fillna("none").astype(str))
    around = named.sort_values("network", kind="stable")
    sizes = around.groupby("network", sort=True).size()
    return around["name"].tolist(), [(str(name), int(count)) for name, count in sizes.items()]


def _angles(groups: Sequence[tuple[str, int]]) -> list[float]:
    """Return the place of each parcel in radians, clockwise from the top, with gaps between the networks."""
    gap = GAP * 2 * np.pi if len(groups) > 1 else 0.0
    step = (2 * np.pi - gap * len(groups)) / max(sum(count for _, count in groups), 1)
    angles, start = [], np.pi / 2
    for _, count in groups:
        angles += [start - step * (place + 0.5) for place in range(count)]
        start -= step * count + gap
    return angles


def _on_circle(angle: float, radius: float = 1.0) -> tuple[float, float]:
    return radius * np.cos(angle), radius * np.sin(angle)


def _chord(one: float, other: float, t: float, share: float) -> PathPatch:
    path = Path([_on_circle(one), CENTRE, _on_circle(other)], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    colour = SIGNS[0] if t > 0 else SIGNS[1]
    return PathPatch(path, facecolor="none", edgecolor=colour, linewidth=0.4 + 1.6 * share, alpha=0.25 + 0.6 * share)


def _draw_ring(
    axis: Axes, order: Sequence[str], groups: Sequence[tuple[str, int]], angle: Mapping[str, float], joined: Set[str]
) -> None:
    places = np.array([_on_circle(angle[name]) for name in order]).reshape(-1, 2)
    inside = np.array([name in joined for name in order], dtype=bool)
    axis.scatter(places[~inside, 0], places[~inside, 1], s=4, color="0.7", zorder=2)
    axis.scatter(places[inside, 0], places[inside, 1], s=14, color="black", zorder=3)
    first = 0
    for name, count in groups:
        some = [angle[one] for one in order[first : first + count]]
        first += count
        if name:
            ends = np.degrees([some[-1] - 0.01, some[0] + 0.01])
            axis.add_patch(Arc(CENTRE, 2.1, 2.1, theta1=ends[0], theta2=ends[1], color="0.35", linewidth=4))
            _write(axis, (some[0] + some[-1]) / 2, name, 1.1, 9)
    if not groups[0][0] and len(joined) < NAMED_BELOW:
        for name in (name for name in order if name in joined):  # not of the set, whose order changes by the run
            _write(axis, angle[name], name, 1.04, 6)


def _write(axis: Axes, angle: float, text: str, radius: float, size: float) -> None:
    turned = np.degrees(angle) % 360
    flipped = 90 < turned < 270
    axis.text(
        *_on_circle(angle, radius),
        text,
        rotation=turned + 180 if flipped else turned,
        rotation_mode="anchor",
        ha="right" if flipped else "left",
        va="center",
        fontsize=size,
    )
