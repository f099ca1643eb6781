"""The effects of one route of maps, drawn from the files of the group level."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure

from bids_app.bids.files import save_figure, save_text
from bids_app.bids.result_names import output_of, result_path, surface_path
from bids_app.graph.features import Feature
from bids_app.report import mapfigures
from bids_app.report.mapfigures import Effect, colour_range
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.space.surface_files import load_surface
from bids_app.trial.comparison_record import ComparisonRecord

OF_PERIODS = ("period", "carry-over", "baseline-carry-over")  # of a cross-over trial
N_VIEWERS = 8  # each is a file of half a megabyte
DPI = 300
Maps = dict[str, Any]  # images of one effect, by statistic
Cuts = list[float] | None  # axial, mm


def effects(folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> list[dict[str, Any]]:
    """Draw the effects of every feature: the estimators that compare the arms, then each arm by itself.

    Parameters
    ----------
    folder : Path
        The group's folder.
    entities : dict
        Of the route and the contrast.
    record : ComparisonRecord

    Returns
    -------
    list of dict
        For each feature its title, ``maps`` and ``within`` (each with text, path, counts), and, in volumes, ``mosaic``,
        ``glass`` and ``viewer`` of the headline. All maps of a feature have one colour range.
    """
    on_surface = record.route == "grayordinates"
    drawer = (_Surfaces if on_surface else _Volumes)(folder, entities, record)
    compared = enumerate(record.analyses.features)
    return [drawer.draw(one.feature, with_viewer=rank < N_VIEWERS) for rank, one in compared]


VISITS = ("baseline", "followup")


class _Drawer(ABC):
    """Reads the maps of one route and writes their figures."""

    extension: str

    def __init__(self, folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> None:
        self.folder, self.entities, self.record = folder, entities, record
        self.shown = "hedgesG" if record.analyses.slope is None else "t"  # of a slope there is no g

    def draw(self, feature: Feature, *, with_viewer: bool) -> dict[str, Any]:
        """Draw all figures of a feature."""
        within = [key for key in self.record.analyses.descriptive if key.startswith(("within:", *OF_PERIODS))]
        loaded = {key: self._load(feature, key) for key in (*self.record.analyses.estimators, *within)}
        largest = max(colour_range(maps[self.shown].get_fdata()) for maps in loaded.values())
        headline = self.record.analyses.headline
        cuts = self._cuts(loaded[headline])
        drawn = {key: self._strip(feature, key, maps, largest, cuts) for key, maps in loaded.items()}
        return {
            "feature": feature.title,
            "range": largest,
            "maps": [drawn[key] for key in self.record.analyses.estimators],
            "within": [drawn[key] for key in within],
            "headline": self._more(feature, loaded[headline], largest, with_viewer),
        }

    def _load(self, feature: Feature, key: str) -> Maps:
        desc = feature.label + self.record.analyses.map_suffixes[key]
        return {
            stat: nib.load(
                self.folder / result_path({**self.entities, "stat": stat, "desc": desc}, "statmap", self.extension)
            )
            for stat in ("hedgesG", "t", "pFwe")
        }

    def _title(self, feature: Feature, key: str, maps: Maps, marked: str = "outlined") -> str:
        analyses, alpha = self.record.analyses, self.record.inference.alpha
        what = f"Hedges g, {' − '.join(self._sides(key))}" if analyses.slope is None else "t"
        if key.startswith("within:"):
            return f"{feature.title}: {what} within {key.partition(':')[2]} (not tested)"
        significant = f"; {marked}: FWE p ≤ {alpha}" if _n_significant(maps, alpha) else ""
        return f"{feature.title}, {analyses.texts[key].partition(';')[0]}: {what}{significant}"

    def _sides(self, key: str) -> tuple[str, ...]:
        """Return what a positive and a negative effect of an analysis are more of; of a slope, which way it goes."""
        arms, design = self.record.arms, self.record.arms.design
        if self.record.analyses.slope is not None:
            return self.record.direction(1), self.record.direction(-1)
        if key.startswith("within:"):
            return tuple(design.named(visit) for visit in (("followup",) if design.is_change else VISITS[::-1]))
        if design.orders:
            return (design.periods[0], design.periods[-1]) if key == "period" else arms.sides
        return {"period": design.periods, **dict.fromkeys(OF_PERIODS[1:], arms.names)}.get(key, arms.sides)

    def _strip(self, feature: Feature, key: str, maps: Maps, largest: float, cuts: Cuts) -> dict[str, Any]:
        if key.startswith("within:"):
            maps = maps | {"pFwe": _untested(maps["pFwe"])}
        title = self._title(feature, key, maps)
        return {
            "estimator": key,
            "text": self.record.analyses.texts[key],
            "path": self._save(feature, key, "", self._figure((title, self._sides(key)), maps, largest, cuts)),
            "n_significant": _n_significant(maps, self.record.inference.alpha),
            "smallest_p": float(np.nanmin(maps["pFwe"].get_fdata())),
        }

    def _save(self, feature: Feature, key: str, kind: str, figure: Figure) -> Path:
        desc = feature.label + self.record.analyses.map_suffixes[key] + kind
        name = result_path({**self.entities, "stat": self.shown, "desc": desc}, "statmap", ".png")
        save_figure(self.folder / name, figure, dpi=DPI)
        return self.folder / name

    @abstractmethod
    def _figure(self, words: tuple[str, tuple[str, ...]], maps: Maps, largest: float, cuts: Cuts) -> Figure:
        """Draw an effect in a row, with its title and what its two sides are more of."""

    @abstractmethod
    def _cuts(self, maps: Maps) -> Cuts:
        """Return where all maps of a feature are cut, by those of the headline."""

    @abstractmethod
    def _more(self, feature: Feature, maps: Maps, largest: float, with_viewer: bool) -> dict[str, Any] | None:
        """Draw what there is of the headline beside its row."""


def _n_significant(maps: Maps, alpha: float) -> int:
    return int((np.nan_to_num(maps["pFwe"].get_fdata(), nan=1) <= alpha).sum())


def _untested(image: Any) -> Any:
    """Return p that outline nothing: what happens within an arm is described, not tested."""
    return image.__class__(np.ones(image.shape, dtype=np.float32), *_space(image))


def _space(image: Any) -> tuple[Any, ...]:
    return (image.affine,) if hasattr(image, "affine") else (image.header, image.nifti_header)


class _Volumes(_Drawer):
    extension = ".nii.gz"

    def _effect(self, title: str, sides: tuple[str, ...], maps: Maps) -> Effect:
        scale = mapfigures.G if self.record.analyses.slope is None else "t"
        return Effect(maps[self.shown], maps["t"], maps["pFwe"], self.record.inference.alpha, title, sides, scale)

    def _cuts(self, maps: Maps) -> Cuts:
        return mapfigures.cuts_of(self._effect("", self.record.arms.sides, maps))

    def _figure(self, words: tuple[str, tuple[str, ...]], maps: Maps, largest: float, cuts: Cuts) -> Figure:
        return mapfigures.strip_figure(self._effect(*words, maps), largest, cuts)

    def _more(self, feature: Feature, maps: Maps, largest: float, with_viewer: bool) -> dict[str, Any] | None:
        key = self.record.analyses.headline
        effect = self._effect(self._title(feature, key, maps), self._sides(key), maps)
        alone = replace(effect, title=self._title(feature, key, maps, "shown"))
        glass = mapfigures.glass_figure(alone, largest) if effect.significant.any() else None
        return {
            "mosaic": self._save(feature, key, "Mosaic", mapfigures.mosaic_figure(effect, largest)),
            "glass": glass and self._save(feature, key, "Glass", glass),
            "viewer": self._save_viewer(feature, effect, largest) if with_viewer else None,
        }

    def _save_viewer(self, feature: Feature, effect: Effect, largest: float) -> Path:
        """Write the slices that can be moved as a page of their own: it is as large as all figures of a measure."""
        desc = feature.label + "Viewer"
        path = self.folder / result_path({**self.entities, "stat": "hedgesG", "desc": desc}, "statmap", ".html")
        save_text(path, mapfigures.viewer(effect, largest))
        return path


class _Surfaces(_Drawer):
    extension = ".dscalar.nii"

    def __init__(self, folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> None:
        super().__init__(folder, entities, record)
        self.surface = load_surface(surface_path(output_of(folder), entities))

    def _cuts(self, maps: Maps) -> Cuts:
        return None

    def _figure(self, words: tuple[str, tuple[str, ...]], maps: Maps, largest: float, cuts: Cuts) -> Figure:
        size, p_fwe = (maps[stat].get_fdata().ravel()[self.surface.mask] for stat in (self.shown, "pFwe"))
        return surface_effect_figure(self.surface, size, p_fwe, words[0], self.record.inference.alpha, largest)

    def _more(self, feature: Feature, maps: Maps, largest: float, with_viewer: bool) -> dict[str, Any] | None:
        return None
