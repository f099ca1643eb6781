"""The effects of one route of maps, drawn from the files of the group level."""

import nibabel as nib
import numpy as np

from bids_app.bids.files import save_figure
from bids_app.bids.names import build
from bids_app.bids.result_names import surface_path
from bids_app.graph.features import Feature
from bids_app.report import mapfigures
from bids_app.report.mapfigures import Effect, colour_range
from bids_app.report.surfacefigures import surface_effect_figure
from bids_app.space.surface_files import load_surface

N_VIEWERS = 8  # each adds half a megabyte to the page


def effects(folder, entities, design):
    """Draw the effects of every feature: the estimators that compare the arms, then each arm by itself.

    Parameters
    ----------
    folder : Path
        The group's folder.
    entities : dict
        Of the route and the contrast.
    design : dict
        Content of design.json.

    Returns
    -------
    list of dict
        For each feature its title, ``maps`` and ``within`` (each with text, path, counts), and, in volumes, ``mosaic``,
        ``glass`` and ``viewer`` of the headline. All maps of a feature have one colour range.
    """
    on_surface = design["Route"] == "grayordinates"
    drawer = _Surfaces(folder, entities, design) if on_surface else _Volumes(folder, entities, design)
    features = [Feature(one["Metric"], one["Edges"]) for one in design["Features"]]
    return [drawer.draw(feature, with_viewer=rank < N_VIEWERS) for rank, feature in enumerate(features)]


class _Drawer:
    """Reads the maps of one route and writes their figures."""

    extension: str

    def __init__(self, folder, entities, design):
        self.folder, self.entities, self.design = folder, entities, design

    def draw(self, feature, *, with_viewer):
        """Draw all figures of a feature."""
        within = [key for key in self.design["Descriptive"] if key.startswith("within:")]
        loaded = {key: self._load(feature, key) for key in (*self.design["Estimators"], *within)}
        largest = max(colour_range(maps["hedgesG"].get_fdata()) for maps in loaded.values())
        drawn = {key: self._strip(feature, key, maps, largest) for key, maps in loaded.items()}
        headline = self.design["Headline"]
        return {
            "feature": feature.title,
            "range": largest,
            "maps": [drawn[key] for key in self.design["Estimators"]],
            "within": [drawn[key] for key in within],
            "headline": self._more(feature, loaded[headline], largest, with_viewer),
        }

    def _load(self, feature, key):
        desc = feature.label + self.design["MapSuffixes"][key]
        return {
            stat: nib.load(
                self.folder / build({**self.entities, "stat": stat, "desc": desc}, "statmap", self.extension)
            )
            for stat in ("hedgesG", "t", "pFwe")
        }

    def _title(self, feature, key):
        contrast = self.design["Contrast"]
        if key.startswith("within:"):
            before, after = self.design["BaselineSession"], self.design["FollowupSession"]
            return f"{feature.title}: Hedges g, ses-{after} − ses-{before} within {key.partition(':')[2]} (not tested)"
        return f"{feature.title}: Hedges g, {contrast}; outlined: FWE p ≤ {self.design['Alpha']}"

    def _strip(self, feature, key, maps, largest):
        if key.startswith("within:"):
            maps = maps | {"pFwe": _untested(maps["pFwe"])}
        p_fwe = maps["pFwe"].get_fdata()
        texts = {**self.design["Estimators"], **self.design["Descriptive"]}
        return {
            "estimator": key,
            "text": texts[key],
            "path": self._save(feature, key, "", self._figure(self._title(feature, key), maps, largest)),
            "n_significant": int((np.nan_to_num(p_fwe, nan=1) <= self.design["Alpha"]).sum()),
            "smallest_p": float(np.nanmin(p_fwe)),
        }

    def _save(self, feature, key, kind, figure):
        desc = feature.label + self.design["MapSuffixes"][key] + kind
        name = build({**self.entities, "stat": "hedgesG", "desc": desc}, "statmap", ".png")
        save_figure(self.folder / "figures" / name, figure)
        return self.folder / "figures" / name


def _untested(image):
    """Return p that outline nothing: what happens within an arm is described, not tested."""
    return image.__class__(np.ones(image.shape, dtype=np.float32), *_space(image))


def _space(image):
    return (image.affine,) if hasattr(image, "affine") else (image.header, image.nifti_header)


class _Volumes(_Drawer):
    extension = ".nii.gz"

    def _effect(self, title, maps):
        return Effect(maps["hedgesG"], maps["t"], maps["pFwe"], self.design["Alpha"], title)

    def _figure(self, title, maps, largest):
        return mapfigures.strip_figure(self._effect(title, maps), largest)

    def _more(self, feature, maps, largest, with_viewer):
        key = self.design["Headline"]
        effect = self._effect(self._title(feature, key), maps)
        glass = mapfigures.glass_figure(effect, largest) if effect.significant.any() else None
        return {
            "mosaic": self._save(feature, key, "Mosaic", mapfigures.mosaic_figure(effect, largest)),
            "glass": glass and self._save(feature, key, "Glass", glass),
            "viewer": mapfigures.viewer(effect, largest) if with_viewer else None,
        }


class _Surfaces(_Drawer):
    extension = ".dscalar.nii"

    def __init__(self, folder, entities, design):
        super().__init__(folder, entities, design)
        self.surface = load_surface(surface_path(folder.parent, entities))

    def _figure(self, title, maps, largest):
        size, p_fwe = (maps[stat].get_fdata().ravel()[self.surface.mask] for stat in ("hedgesG", "pFwe"))
        return surface_effect_figure(self.surface, size, p_fwe, title, self.design["Alpha"], largest)

    def _more(self, feature, maps, largest, with_viewer):
        return None
