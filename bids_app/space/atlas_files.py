"""From what names an atlas to its image, table or spheres: in a folder, in a cache, or fetched."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.names import Name
from bids_app.bids.selection import SURFACE_SPACES
from bids_app.errors import DataError, MissingInputError, UsageError
from bids_app.settings.atlas_source import DEBIAN, FETCHED, IN_DEBIAN, SPHERES, Part
from bids_app.space.atlas_labels import unique_names, with_networks
from bids_app.space.surface_labels import is_labels
from bids_app.system.small_files import require_table

Wanted = Sequence[tuple[str, str]]  # entities
RADIUS = 5.0  # mm, of the spheres of Power and of Dosenbach
ENDINGS = (
    *("_dseg.nii.gz", "_dseg.nii", "_probseg.nii.gz", "_probseg.nii"),
    *("_dseg.dlabel.nii", "_dseg.label.gii", "_dparc.label.gii"),
)


@dataclass(frozen=True)
class Found:
    """What an atlas is read from: an image or spheres.

    Attributes
    ----------
    shown : str
        For people.
    name : str or None
        What the outputs are named by; without it, as the image is named.
    image : Path or Nifti1Image or None
    table : DataFrame or None
        index, name and network.
    labels : Path or None
        The table that names the labels; without either, the one beside the image does, if there is one.
    spheres : DataFrame or None
        index, name, x, y, z, radius, and network.
    space : str or None
        Template space of the image as its name says it.
    """

    shown: str
    name: str | None = None
    image: Path | nib.Nifti1Image | None = None
    table: pd.DataFrame | None = None
    labels: Path | None = None
    spheres: pd.DataFrame | None = None
    space: str | None = None

    def __str__(self) -> str:
        return self.shown

    @property
    def on_surface(self) -> bool:
        """True if it is labels of a surface."""
        return isinstance(self.image, Path) and is_labels(self.image)


def find_part(part: Part, space: str | None = None) -> Found:
    """Find what a part of an atlas is read from.

    Parameters
    ----------
    part : atlas_source.Part
    space : str, optional
        Template space of the data, preferred in a folder that has several.

    Returns
    -------
    Found
    """
    finder = {
        "image": _image,
        "folder": _in_folder,
        "table": _table_of_spheres,
        "spheres": _known_spheres,
        "fetched": _fetched,
        "templateflow": _of_templateflow,
    }[part.kind]
    return finder(part, space)


def _image(part: Part, space: str | None) -> Found:
    path = Path(part.what)
    name = dict(IN_DEBIAN.values()).get(path.name) if path.parent == DEBIAN else None
    return _of_path(path, name, Path(part.labels) if part.labels else None)


def _of_path(path: Path, name: str | None = None, labels: Path | None = None) -> Found:
    entities = Name.parse(path).entities
    return Found(str(path), name, path, labels=labels, space=entities.get("tpl") or entities.get("space"))


def _in_folder(part: Part, space: str | None) -> Found:
    folder = Path(part.what)
    paths = _images(folder.rglob("*"))
    if not paths:
        raise MissingInputError(
            f"--atlas {folder}: no *_dseg.nii[.gz], *_probseg.nii[.gz], *_dseg.dlabel.nii or *_dseg.label.gii is in it."
        )
    return _of_path(_the_one(folder, paths, part.wanted, space))


def _images(paths: Iterable[Path]) -> list[Path]:
    """Return those that hold an atlas, the left hemisphere's for both."""
    return [path for path in sorted(paths) if path.name.endswith(ENDINGS) and "_hemi-R_" not in path.name]


def _the_one(folder: Path, paths: Iterable[Path], wanted: Wanted, space: str | None) -> Path:
    named = [(_entities(path), path) for path in paths]
    fitting = [one for one in named if _fits(one[0], wanted)]
    fitting = [one for one in fitting if is_labels(one[1]) == (space in SURFACE_SPACES)] or fitting
    fitting = [one for one in fitting if one[0].get("space") == space] or fitting
    kinds = {tuple(one[0].get(key) for key in ("atlas", "seg", "scale", "desc", "space")) for one in fitting}
    if len(kinds) != 1:
        listed = ", ".join(path.name for _, path in (fitting or named)[:8])
        what = "several atlases fit" if fitting else "none fits"
        raise UsageError(
            f"--atlas {folder}: {what}; choose by a colon and entities, as in {folder.name}:seg-7Networks_scale-400. "
            f"There {'is' if len(named) == 1 else 'are'} {listed}{' ...' if len(fitting or named) > 8 else ''}."
        )
    return min(fitting, key=lambda one: (_edge(one[1]), one[1].name))[1]  # the finest resolution


def _entities(path: Path) -> dict[str, str]:
    entities = Name.parse(path).entities
    return entities | ({"space": entities["tpl"]} if "tpl" in entities else {})


def _edge(path: Path) -> float:
    try:
        image: Any = nib.load(path)  # NIfTI, or labels of a surface
        return float(image.header.get_zooms()[0])
    except Exception:  # one that cannot be opened is the last choice, and is told of when it is read
        return float("inf")


def _table_of_spheres(part: Part, space: str | None) -> Found:
    path = Path(part.what)
    require_table(path, called=f"--atlas {path}")
    try:
        table = pd.read_csv(path, sep="," if path.suffix == ".csv" else "\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"--atlas {path}: no table can be read from it: {error}") from error
    table.columns = [str(column).strip().lower() for column in table.columns]
    if not {"x", "y", "z"} <= set(table):
        raise DataError(
            f"--atlas {path}: spheres need the columns x, y and z in mm; there are {', '.join(map(str, table))}."
        )
    places = table[["x", "y", "z"]].apply(pd.to_numeric, errors="coerce")
    if not np.isfinite(places).all(axis=None) or table.empty:
        raise DataError(f"--atlas {path}: x, y and z must be numbers in every row.")
    radius = pd.to_numeric(table["radius"], errors="coerce") if "radius" in table else RADIUS
    if not np.all(radius > 0):
        raise DataError(f"--atlas {path}: radius must be a number above 0, in mm, in every row.")
    names = table["name"].replace("n/a", "") if "name" in table else None
    extra = {"network": table["network"].replace(["n/a", ""], np.nan)} if "network" in table else {}
    return Found(str(path), None, path, spheres=_spheres(places, names, radius, **extra))


def _known_spheres(part: Part, space: str | None) -> Found:
    from nilearn import datasets

    if part.what == "power":
        table = _spheres(datasets.fetch_coords_power_2011().rois, None, RADIUS)
    elif part.what == "dosenbach":
        atlas = datasets.fetch_coords_dosenbach_2010()
        table = _spheres(atlas.rois, pd.Series(list(atlas.labels)), RADIUS, network=list(atlas.networks))
    else:
        atlas = datasets.fetch_coords_seitzman_2018()
        table = _spheres(atlas.rois, None, list(atlas.radius), network=list(atlas.networks))
    name = SPHERES[part.what]
    return Found(f"{name} (nilearn)", name, spheres=table)


def _spheres(places: pd.DataFrame, names: pd.Series | None, radius: Any, **more: Iterable[Any]) -> pd.DataFrame:
    table = places[["x", "y", "z"]].reset_index(drop=True).astype(float)
    table.insert(0, "index", range(1, len(table) + 1))
    given = pd.Series("", index=table.index) if names is None else names.reset_index(drop=True).astype(str)
    table["name"] = unique_names(given.where(given != "", "sphere" + table["index"].astype(str)), table["index"])
    return table.assign(radius=radius, **{key: pd.Series(list(value)) for key, value in more.items()})


def _fetched(part: Part, space: str | None) -> Found:
    """Take an atlas from nilearn's cache, or have nilearn fetch it."""
    from nilearn import datasets

    name = part.what
    fetch = getattr(datasets, f"fetch_atlas_{FETCHED[name]}")
    try:
        atlas = fetch(**_arguments(name), verbose=0)
    except Exception as error:  # whatever the network makes of it
        where = ", ".join(map(str, datasets.get_data_dirs()))
        raise MissingInputError(
            f"--atlas {name}: nilearn has it neither in {where} nor could it be fetched ({type(error).__name__}). "
            f"Where there is a network, run python -c 'from nilearn import datasets; "
            f"datasets.{fetch.__name__}(**{_arguments(name)})', and point NILEARN_DATA to the folder it was put in."
        ) from error
    lut = atlas.lut[["index", "name"]].assign(name=lambda table: table["name"].astype(str))
    image = atlas.maps if isinstance(atlas.maps, nib.Nifti1Image) else nib.Nifti1Image.from_filename(atlas.maps)
    if getattr(atlas, "atlas_type", "") == "probabilistic":
        lut = lut.assign(index=range(1, len(lut) + 1))
    return Found(f"{name} (nilearn)", _label(name), image, with_networks(lut[lut["index"] != 0].reset_index(drop=True)))


def _label(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))


def _arguments(name: str) -> dict[str, Any]:
    number = "".join(filter(str.isdigit, name.partition("-")[0]))
    if name.startswith("schaefer"):
        return {"n_rois": int(number), "yeo_networks": 17 if name.endswith("-17") else 7, "resolution_mm": 2}
    if name.startswith("difumo"):
        return {"dimension": int(number), "resolution_mm": 2}
    if name.startswith("yeo"):
        return {"n_networks": int(number)}
    if name.startswith("harvard"):
        return {"atlas_name": f"{'sub' if name.endswith('sub') else 'cort'}-maxprob-thr25-2mm"}
    return {}


def _of_templateflow(part: Part, space: str | None) -> Found:
    """Take an atlas from a cache of TemplateFlow; what is not there is fetched by its client."""
    home = Path(part.home or "")
    paths = [path for path in _images(home.glob("tpl-*/**/*")) if path.stat().st_size]
    if not any(_fits(_entities(path), part.wanted) for path in paths):
        paths = _templateflow_client(part, dict(part.wanted), space)
    return _of_path(_the_one(home, paths, part.wanted, space))


def _fits(entities: Mapping[str, str], wanted: Wanted) -> bool:
    return all(entities.get(key) == value for key, value in wanted)


def _templateflow_client(part: Part, wanted: Mapping[str, str], space: str | None) -> list[Path]:
    try:
        from templateflow import api

        template = space or "MNI152NLin2009cAsym"
        extension = ".dlabel.nii" if space in SURFACE_SPACES else ".nii.gz"
        found = api.get(template, **{"suffix": "dseg", "extension": extension, **wanted})
        api.get(template, **{"suffix": "dseg", "extension": ".tsv", **wanted})
    except Exception as error:  # whatever the network makes of it
        raise MissingInputError(
            f"--atlas {part.what}: not in TEMPLATEFLOW_HOME ({part.home}), and TemplateFlow "
            f"could not be asked for it ({type(error).__name__}). Fetch it where there is a network."
        ) from error
    found = found if isinstance(found, list) else [found]
    if not found:
        raise UsageError(f"--atlas {part.what}: TemplateFlow has no such atlas in {template}.")
    return found
