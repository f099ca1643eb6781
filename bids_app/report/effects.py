"""The effects of one route of maps, drawn from the files of the group level."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure

from bids_app.bids.files import save_figure
from bids_app.bids.names import build
from bids_app.bids.result_names import surface_path
from bids_app.graph.features import Feature
from bids_app.report import mapfigures
from bids_app.report.mapfigures import Effect, colour_range
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.space.surface_files import load_surface
from bids_app.trial.comparison_record import ComparisonRecord

OF_PERIODS = ("period", "carry-over", "baseline-carry-over")  # of a cross-over trial
N_VIEWERS = 8  # each adds half a megabyte to the page
Maps = dict[str, Any]  # images of one effect, by statistic


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
        drawn = {key: self._strip(feature, key, maps, largest) for key, maps in loaded.items()}
        headline = self.record.analyses.headline
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
                self.folder / build({**self.entities, "stat": stat, "desc": desc}, "statmap", self.extension)
            )
            for stat in ("hedgesG", "t", "pFwe")
        }

    def _title(self, feature: Feature, key: str) -> str:
        contrast, level = self.record.arms.contrast, self.record.inference.alpha
        if key.startswith("within:"):
            design, arm = self.record.arms.design, key.partition(":")[2]
            change = [
                design.named(visit) for visit in (("followup",) if design.is_change else ("followup", "baseline"))
            ]
            return f"{feature.title}: Hedges g, {' − '.join(change)} within {arm} (not tested)"
        arms = self.record.arms
        beside = dict(zip(OF_PERIODS, (arms.design.periods, arms.names, arms.names), strict=True))
        contrast = " − ".join(beside[key]) if key in beside else contrast
        if self.record.analyses.slope is not None:
            return f"{feature.title}: t, {self.record.analyses.texts[key].partition(';')[0]}; outlined: FWE p ≤ {level}"
        return f"{feature.title}: Hedges g, {contrast}; outlined: FWE p ≤ {level}"

    def _strip(self, feature: Feature, key: str, maps: Maps, largest: float) -> dict[str, Any]:
        if key.startswith("within:"):
            maps = maps | {"pFwe": _untested(maps["pFwe"])}
        p_fwe = maps["pFwe"].get_fdata()
        return {
            "estimator": key,
            "text": self.record.analyses.texts[key],
            "path": self._save(feature, key, "", self._figure(self._title(feature, key), maps, largest)),
            "n_significant": int((np.nan_to_num(p_fwe, nan=1) <= self.record.inference.alpha).sum()),
            "smallest_p": float(np.nanmin(p_fwe)),
        }

    def _save(self, feature: Feature, key: str, kind: str, figure: Figure) -> Path:
        desc = feature.label + self.record.analyses.map_suffixes[key] + kind
        name = build({**self.entities, "stat": self.shown, "desc": desc}, "statmap", ".png")
        save_figure(self.folder / "figures" / name, figure)
        return self.folder / "figures" / name

    @abstractmethod
    def _figure(self, title: str, maps: Maps, largest: float) -> Figure:
        """Draw an effect in a row."""

    @abstractmethod
    def _more(self, feature: Feature, maps: Maps, largest: float, with_viewer: bool) -> dict[str, Any] | None:
        """Draw what there is of the headline beside its row."""


def _untested(image: Any) -> Any:
    """Return p that outline nothing: what happens within an arm is described, not tested."""
    return image.__class__(np.ones(image.shape, dtype=np.float32), *_space(image))


def _space(image: Any) -> tuple[Any, ...]:
    return (image.affine,) if hasattr(image, "affine") else (image.header, image.nifti_header)


class _Volumes(_Drawer):
    extension = ".nii.gz"

    def _effect(self, title: str, maps: Maps) -> Effect:
        return Effect(maps[self.shown], maps["t"], maps["pFwe"], self.record.inference.alpha, title)

    def _figure(self, title: str, maps: Maps, largest: float) -> Figure:
        return mapfigures.strip_figure(self._effect(title, maps), largest)

    def _more(self, feature: Feature, maps: Maps, largest: float, with_viewer: bool) -> dict[str, Any] | None:
        key = self.record.analyses.headline
        effect = self._effect(self._title(feature, key), maps)
        glass = mapfigures.glass_figure(effect, largest) if effect.significant.any() else None
        return {
            "mosaic": self._save(feature, key, "Mosaic", mapfigures.mosaic_figure(effect, largest)),
            "glass": glass and self._save(feature, key, "Glass", glass),
            "viewer": mapfigures.viewer(effect, largest) if with_viewer else None,
        }


class _Surfaces(_Drawer):
    extension = ".dscalar.nii"

    def __init__(self, folder: Path, entities: Mapping[str, str], record: ComparisonRecord) -> None:
        super().__init__(folder, entities, record)
        self.surface = load_surface(surface_path(folder.parent, entities))

    def _figure(self, title: str, maps: Maps, largest: float) -> Figure:
        size, p_fwe = (maps[stat].get_fdata().ravel()[self.surface.mask] for stat in (self.shown, "pFwe"))
        return surface_effect_figure(self.surface, size, p_fwe, title, self.record.inference.alpha, largest)

    def _more(self, feature: Feature, maps: Maps, largest: float, with_viewer: bool) -> dict[str, Any] | None:
        return None
