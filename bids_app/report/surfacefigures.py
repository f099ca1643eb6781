"""Pictures of surfaces: the cortex of both hemispheres from outside and from the middle."""

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from bids_app.graph.features import Feature
from bids_app.space.surface import Surface

# Hemisphere, side from which it is seen (-1 from the left), and what that is called.
VIEWS = (("L", -1, "left, outer"), ("L", 1, "left, inner"), ("R", -1, "right, inner"), ("R", 1, "right, outer"))
UNKNOWN = np.array([0.8, 0.8, 0.8, 1.0])


def surface_maps_figure(surface: Surface, maps: Mapping[Feature, np.ndarray]) -> Figure:
    """Draw maps of the cortex, each with its own range.

    Parameters
    ----------
    surface : surface.Surface
    maps : dict of (N,) ndarray
        Keyed by Feature; NaN is grey. Voxels below the cortex are not shown.
    """
    figure = plt.figure(figsize=(11, 1.9 * len(maps)), layout="constrained")
    rows = figure.subplots(len(maps), len(VIEWS), squeeze=False)
    for axes, (feature, values) in zip(rows, maps.items(), strict=True):
        low, high = np.nanpercentile(values, (2, 98)) if np.isfinite(values).any() else (0, 1)
        shading = ScalarMappable(Normalize(low, high), "viridis")
        draw_cortex(axes, surface, values, shading)
        bar = figure.colorbar(shading, ax=axes, shrink=0.8, pad=0.01)
        bar.set_label(f"{feature.title.replace(', ', chr(10))}\n({feature.unit})", fontsize=7)
        bar.ax.tick_params(labelsize=7)
    return figure


def surface_effect_figure(
    surface: Surface,
    effect: np.ndarray,
    p_fwe: np.ndarray,
    title: str,
    alpha: float = 0.05,
    largest: float | None = None,
) -> Figure:
    """Draw an effect on the cortex everywhere, with what is significant outlined.

    Parameters
    ----------
    surface : surface.Surface
    effect, p_fwe : (N,) ndarray
    title : str
        With the direction of the difference.
    alpha : float, optional
    largest : float, optional
        End of the colour range; by default of this map.
    """
    figure = plt.figure(figsize=(11, 2.6), layout="constrained")
    axes = figure.subplots(1, len(VIEWS))
    known = np.abs(effect[np.isfinite(effect)])
    largest = largest or max(float(np.percentile(known, 99.5)) if known.size else 0, 0.1)
    shading = ScalarMappable(Normalize(-largest, largest), "RdBu_r")
    draw_cortex(axes, surface, effect, shading, outlined=np.nan_to_num(p_fwe, nan=1) <= alpha)
    figure.colorbar(shading, ax=axes, shrink=0.8, pad=0.01).set_label("Hedges g", fontsize=8)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def draw_cortex(
    axes: Iterable[Axes],
    surface: Surface,
    values: np.ndarray,
    shading: ScalarMappable,
    outlined: np.ndarray | None = None,
) -> None:
    """Draw one value per node in the four views, one in each of the axes."""
    everywhere = np.full(len(surface.axis), np.nan)
    everywhere[surface.mask] = values
    marked = np.zeros(len(surface.axis), dtype=bool)
    if outlined is not None:
        marked[surface.mask] = outlined
    for axis, (side, direction, name) in zip(axes, VIEWS, strict=True):
        axis.set_axis_off()
        if side in surface.meshes:
            nodes = surface.nodes_of(side)
            at_vertex = np.where(nodes >= 0, everywhere[nodes], np.nan)
            draw_mesh(axis, surface.meshes[side], at_vertex, shading, direction, marked[nodes] & (nodes >= 0))
        axis.set_title(name, fontsize=8)


def draw_mesh(
    axis: Axes,
    mesh: tuple[np.ndarray, np.ndarray],
    values: np.ndarray,
    shading: ScalarMappable,
    direction: int,
    outlined: np.ndarray,
) -> None:
    """Draw a mesh as seen from one side, nearer triangles over farther ones.

    Parameters
    ----------
    axis : matplotlib Axes
    mesh : ((V, 3) ndarray, (M, 3) int ndarray)
        Positions of the vertices, and the vertices of each triangle.
    values : (V,) ndarray
        NaN is grey.
    shading : ScalarMappable
    direction : {-1, 1}
        Seen from negative x or from positive x.
    outlined : (V,) bool ndarray
        The boundary of these is drawn.
    """
    positions, faces = mesh
    corners = positions[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = direction * normal[:, 0] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    front = np.flatnonzero(facing > 0)
    front = front[np.argsort(direction * corners[front, :, 0].mean(axis=1), kind="stable")]
    seen = corners[front][:, :, 1:] * (direction, 1)
    known = np.isfinite(values[faces[front]]).all(axis=1)
    colours = np.where(known[:, None], shading.to_rgba(np.nan_to_num(values[faces[front]].mean(axis=1))), UNKNOWN)
    colours[:, :3] *= (0.65 + 0.35 * facing[front])[:, None]
    polygons = PolyCollection(seen, facecolors=colours, edgecolors=colours, linewidths=0.2, rasterized=True)
    axis.add_collection(polygons)
    axis.add_collection(LineCollection(_outline(faces[front], seen, outlined), colors="black", linewidths=1))
    axis.set_aspect("equal")
    axis.autoscale_view()


def _outline(faces: np.ndarray, seen: np.ndarray, outlined: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the edges within triangles that cross the boundary, from middle to middle of the sides it cuts."""
    inside = outlined[faces]
    cut = np.flatnonzero(inside.any(axis=1) & ~inside.all(axis=1))
    segments = []
    for face in cut:
        odd = int(np.flatnonzero(inside[face] == (inside[face].sum() == 1))[0])
        tip, first, second = seen[face][[odd, (odd + 1) % 3, (odd + 2) % 3]]
        segments.append(((tip + first) / 2, (tip + second) / 2))
    return segments
