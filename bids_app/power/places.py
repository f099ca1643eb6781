"""Where the effect of a planned trial is: a region by its name, or a sphere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bids_app.bids.values import counted
from bids_app.errors import UsageError
from bids_app.power.pilot_maps import PilotMaps
from bids_app.settings.argument_parser import meant
from bids_app.settings.atlas_source import AtlasSource, find_atlas
from bids_app.settings.power_options import PowerOptions
from bids_app.settings.settings import Settings
from bids_app.space.atlas import fitting, read_atlas
from bids_app.space.grid import Grid
from bids_app.space.places import nearest_sphere

BY_DEFAULT = ("aal", "dosenbach")  # the first that is there


@dataclass(frozen=True)
class Place:
    """Where an effect is.

    Attributes
    ----------
    nodes : (C,) int ndarray
        Of the V that are compared.
    name : str
        What it is called.
    text : str
        The same with what it was found by.
    """

    nodes: np.ndarray
    name: str
    text: str


def place_of(maps: PilotMaps, settings: Settings, options: PowerOptions) -> Place:
    """Find the nodes that have the effect.

    Raises
    ------
    UsageError
        There is no such region, with names that are near; or no node is there.
    """
    if options.effect_at is not None:
        return _sphere(maps, np.array(options.effect_at), options.effect_radius)
    name = str(options.effect_region)
    if maps.grid is None:
        return _node(maps, name)
    return _named(maps, settings, name)


def _sphere(maps: PilotMaps, middle: np.ndarray, radius: float) -> Place:
    at = " ".join(f"{edge:g}" for edge in middle)
    if maps.grid is None:
        raise UsageError(f"--effect-at {at}: of {maps.route.node}s, give --effect-region NAME.")
    distances = np.linalg.norm(maps.grid.coordinates - middle, axis=1)
    nodes = np.flatnonzero(distances <= radius)
    if not len(nodes):
        raise UsageError(
            f"--effect-at {at} --effect-radius {radius:g}: no {maps.grid.node} that everyone has is there; the nearest "
            f"is {distances.min():.1f} mm away."
        )
    name = nearest_sphere(middle, maps.route.entities.get("space")).name
    where = ", ".join(f"{edge:g}" for edge in middle).replace("-", "−")
    return Place(
        nodes, name, f"a sphere of {radius:g} mm around {where} ({name}; {counted(len(nodes), maps.grid.node)})"
    )


def _node(maps: PilotMaps, name: str) -> Place:
    """Return a node by its name; of connections also all of a parcel."""
    assert maps.parcels is not None
    names, node = maps.parcels["name"].astype(str).tolist(), maps.route.node
    if name in names:
        return Place(np.array([names.index(name)]), name, f"the {node} {name}")
    if maps.pairs is not None:
        ends = maps.parcels[["from", "to"]].astype(str)
        if len(own := np.flatnonzero((ends == name).any(axis=1))):
            return Place(own, name, f"the {counted(len(own), node)} of {name}")
        names = [*np.unique(ends), *names]
    raise UsageError(_unknown(name, names, maps.route.name))


def _named(maps: PilotMaps, settings: Settings, name: str) -> Place:
    """Return the nodes of a region of the atlases given, or of the first of those that are there."""
    known: list[str] = []
    sources = _sources(maps, settings)
    for source in sources:
        atlas = read_atlas(source, maps.grid, maps.route.entities.get("space"))  # type: ignore[arg-type]
        names = atlas.parcels["name"].astype(str).tolist()
        if name in names:
            nodes = np.flatnonzero(atlas.of_node == names.index(name))
            if not len(nodes):
                raise UsageError(f"--effect-region {name}: no {maps.route.node} that everyone has lies in it.")
            return Place(nodes, name, f"{name} of {source} ({counted(len(nodes), maps.route.node)})")
        known += names
    by = " and ".join(map(str, sources)) or "no atlas"
    raise UsageError(_unknown(name, known, by))


def _sources(maps: PilotMaps, settings: Settings) -> list[AtlasSource]:
    given = fitting(settings.graph.atlases, maps.grid, maps.route.entities.get("space"))
    return given or list(_first_there()) if isinstance(maps.grid, Grid) else given


def _first_there() -> Iterator[AtlasSource]:
    for word in BY_DEFAULT:
        try:
            yield find_atlas(word)
        except UsageError:
            continue
        return


def _unknown(name: str, known: Iterable[str], by: str) -> str:
    names = list(dict.fromkeys(known))
    some = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
    return f"--effect-region {name}: {by} has no such region{meant(name, names)}; it has {some or 'none'}."
