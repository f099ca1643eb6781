"""Figures of effects in volumes, by nilearn: colour is the effect, opacity the statistic, an outline significance."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nibabel import Nifti1Image

COLOURS = "RdBu_r"  # blue against red is told apart by people who see no red or green
OPAQUE_AT = 3.1  # |t| from which a voxel hides what lies below it
N_SLICES = 8
SHOWN_FROM = 1e-6  # below it an effect has no colour
TITLE_WIDTH = 120  # points of letters per inch of a figure: a longer title is written smaller
G = "Hedges g"
NOTHING = "Nothing to draw: nowhere is there an effect other than 0"


@dataclass(frozen=True)
class Effect:
    """One effect in a volume.

    Attributes
    ----------
    size, statistic, p_fwe : Nifti1Image
        Hedges g, t, and p corrected over voxels; NaN outside the nodes.
    alpha : float
    title : str
        What is shown, with the direction of the difference.
    sides : tuple of str
        What a positive and a negative effect are more of; one where it is above or below 0; of t, which way it goes.
    scale : str
        What the colours are.
    """

    size: Nifti1Image
    statistic: Nifti1Image
    p_fwe: Nifti1Image
    alpha: float
    title: str
    sides: tuple[str, ...]
    scale: str = G

    @property
    def significant(self) -> np.ndarray:
        """Where p is at most alpha, (X, Y, Z) bool."""
        return np.nan_to_num(self.p_fwe.get_fdata(), nan=1) <= self.alpha

    @property
    def has_any(self) -> bool:
        """Whether there is a colour anywhere."""
        return bool((np.abs(np.nan_to_num(self.size.get_fdata())) > SHOWN_FROM).any())

    @property
    def largest(self) -> float:
        """An end of the colour range that few voxels exceed."""
        return colour_range(self.size.get_fdata())

    def _images(self) -> tuple[Nifti1Image, Nifti1Image, Nifti1Image]:
        from nilearn.image import new_img_like  # here, for it loads scikit-learn

        size = new_img_like(self.size, np.nan_to_num(self.size.get_fdata(dtype=np.float32)))
        statistic = np.abs(np.nan_to_num(self.statistic.get_fdata(dtype=np.float32)))
        return size, new_img_like(self.size, statistic), new_img_like(self.size, self.significant.astype(np.float32))


def colour_range(values: np.ndarray) -> float:
    """Return an end of a symmetric colour range that one in 200 values exceeds, at least 0.1.

    Examples
    --------
    >>> float(colour_range(np.array([-2.0, np.nan, 0.0, 2.0])))
    2.0
    """
    known = np.abs(values[np.isfinite(values) & (values != 0)])
    return max(float(np.percentile(known, 99.5)) if known.size else 0, 0.1)


def strip_figure(effect: Effect, largest: float | None = None, cuts: Sequence[float] | None = None) -> Figure:
    """Draw axial slices in a row, by default moved to where the clusters are."""
    return _slices(effect, largest, (13, 2.7), display_mode="z", cut_coords=list(cuts or cuts_of(effect)))


def mosaic_figure(effect: Effect, largest: float | None = None) -> Figure:
    """Draw seven slices along each axis."""
    return _slices(effect, largest, (12, 6.5), display_mode="mosaic", cut_coords=7)


def _slices(effect: Effect, largest: float | None, shape: tuple[float, float], **how: Any) -> Figure:
    if not effect.has_any:
        return _empty(effect, shape)
    from nilearn import datasets, plotting  # here, for they load scikit-learn

    figure = plt.figure(figsize=shape)
    size, statistic, significant = effect._images()
    display = plotting.plot_stat_map(
        size,
        bg_img=datasets.load_mni152_template(resolution=2),
        cmap=COLOURS,
        vmax=largest or effect.largest,
        threshold=SHOWN_FROM,
        transparency=statistic,
        transparency_range=[0, OPAQUE_AT],
        draw_cross=False,
        black_bg=False,
        figure=figure,
        axes=(0, 0, 0.92, 0.92),  # below the title, left of the colour bar
        colorbar=False,
        **how,
    )
    if effect.significant.any():
        display.add_contours(significant, levels=[0.5], colors="black", linewidths=1.2)
    _finish(figure, effect, largest or effect.largest)
    return figure


def _empty(effect: Effect, shape: tuple[float, float]) -> Figure:
    """Say in place of a picture that there is nothing to draw."""
    figure = plt.figure(figsize=shape)
    figure.suptitle(effect.title, fontsize=10, x=0.01, ha="left")
    figure.text(0.5, 0.5, NOTHING, ha="center", va="center", fontsize=10)
    return figure


def _finish(figure: Figure, effect: Effect, largest: float) -> None:
    """Add the title, and a bar that says what the colours are and whether some voxels lie beyond its ends."""
    size = min(10, TITLE_WIDTH * figure.get_figwidth() / max(len(effect.title), 1))
    figure.suptitle(effect.title, fontsize=size, x=0.01, ha="left")
    beyond = np.nanmax(np.abs(effect.size.get_fdata())) > largest * (1 + 1e-6)
    colours = ScalarMappable(Normalize(-largest, largest), COLOURS)
    place = figure.add_axes((0.945, 0.17, 0.011, 0.62))
    bar = figure.colorbar(colours, cax=place, extend="both" if beyond else "neither")
    bar.set_label(effect.scale, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    for height, end in zip((0.86, 0.04), _ends(effect), strict=True):
        figure.text(0.995, height, end, ha="right", fontsize=8)


def _ends(effect: Effect) -> Sequence[str]:
    """Return what the two ends of the colours mean."""
    if effect.scale != G:  # then the sides are which way it goes
        return effect.sides
    if len(effect.sides) == 1:
        return [f"{effect.sides[0]} {way} 0" for way in ("above", "below")]
    return [f"{side} more" for side in effect.sides]


def glass_figure(effect: Effect, largest: float | None = None) -> Figure:
    """Draw the significant voxels through a glass brain."""
    shape = (10, 2.9)
    if not effect.has_any:
        return _empty(effect, shape)
    from nilearn import image, plotting  # here, for they load scikit-learn

    figure = plt.figure(figsize=shape)
    size, _, significant = effect._images()
    plotting.plot_glass_brain(
        image.new_img_like(size, size.get_fdata() * significant.get_fdata()),
        display_mode="lyrz",
        cmap=COLOURS,
        vmax=largest or effect.largest,
        vmin=-(largest or effect.largest),
        plot_abs=False,
        threshold=SHOWN_FROM,
        colorbar=False,
        axes=(0, 0, 0.92, 0.92),
        figure=figure,
    )
    _finish(figure, effect, largest or effect.largest)
    return figure


def viewer(effect: Effect, largest: float | None = None) -> str:
    """Return a page by itself in which the slices can be moved; it asks nothing of the network."""
    from nilearn import datasets, plotting  # here, for they load scikit-learn

    size, *_ = effect._images()
    shown = plotting.view_img(
        size,
        bg_img=datasets.load_mni152_template(resolution=3),
        cmap=COLOURS,
        vmax=largest or effect.largest,
        threshold=1e-6,
        symmetric_cmap=True,
        black_bg=False,
        cut_coords=_peak(effect),
        title=f"{effect.scale}, at the peak",
    ).get_standalone()
    shown = re.sub(r'<link rel="icon".*?>', "", shown, flags=re.DOTALL)  # it is fetched from the network
    shown = re.sub(r'(<input\b(?=[^>]*type="range"))', r'\1 aria-label="opacity"', shown, flags=re.DOTALL)
    shown = _with_fixed_id(shown)
    title = f"<h1 style='position: absolute; left: -99em'>Slices of {plain(effect.title)}</h1>"
    return shown.replace("<body>", f"<body><main>{title}", 1).replace("</body>", "</main></body>", 1)


def _with_fixed_id(page: str) -> str:
    """Put in place of the viewer's random id one that follows from the page: the same maps give the same bytes."""
    found = re.search(r'id="div_viewer-(\w+)"', page)
    if not found:
        return page
    parts = page.split(found[1])
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32].join(parts)


def plain(text: str) -> str:
    """Return text without what HTML would read as its own."""
    return re.sub(r"[<>&\"']", " ", text)


def _peak(effect: Effect) -> list[float]:
    """Return the place of the largest statistic in mm, of the significant voxels if there are some."""
    statistic = np.abs(np.nan_to_num(effect.statistic.get_fdata()))
    if effect.significant.any():
        statistic = np.where(effect.significant, statistic, 0)
    voxel = np.unravel_index(statistic.argmax(), statistic.shape)
    return [float(edge) for edge in effect.size.affine[:3, :3] @ voxel + effect.size.affine[:3, 3]]


def cuts_of(effect: Effect) -> list[float]:
    """Return axial cuts from the bottom to the top of the brain, moved to where the clusters are."""
    cuts, significant, affine = np.linspace(-24, 60, N_SLICES), effect.significant, effect.p_fwe.affine
    if significant.any():
        heights = np.flatnonzero(significant.any(axis=(0, 1)))
        sizes = significant.sum(axis=(0, 1))[heights]
        for height in heights[np.argsort(sizes)[::-1]][:3]:
            coordinate = affine[2, 2] * height + affine[2, 3]
            cuts[np.argmin(np.abs(cuts - coordinate))] = coordinate
    return sorted(set(np.round(cuts).astype(float)))
