"""What the outputs of an atlas are named by."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bids_app.bids.names import Name, label
from bids_app.errors import UsageError
from bids_app.settings.atlas_source import AtlasSource
from bids_app.space.atlas_files import Found, find_part
from bids_app.space.surface_labels import plain_stem


def atlas_entities(path: Path) -> dict[str, str]:
    """Return what the outputs of an atlas are named by; desc, which TemplateFlow tells its atlases apart by, is seg.

    Examples
    --------
    >>> from pathlib import Path
    >>> atlas_entities(Path("tpl-X_res-02_atlas-Schaefer2018_desc-100Parcels_dseg.nii.gz"))
    {'atlas': 'Schaefer2018', 'seg': '100Parcels'}
    """
    named = Name.parse(path).entities
    entities: dict[str, str] = {key: named[key] for key in ("atlas", "seg", "scale") if key in named}
    if entities and "desc" in named:
        entities["seg"] = entities.get("seg", "") + named["desc"]
    return entities or {"atlas": label(plain_stem(path).partition(".")[0])}


def source_entities(source: AtlasSource, space: str | None = None) -> dict[str, str]:
    """Return what the outputs of a source will be named by, without reading an image."""
    if source.name:
        return {"atlas": source.name}
    return joint_entities([entities_of(find_part(part, space)) for part in source.parts])


def entities_of(found: Found) -> dict[str, str]:
    """Return what the outputs of a part of a source are named by."""
    if found.name or not isinstance(found.image, Path):
        return {"atlas": found.name or label(found.shown)}
    return atlas_entities(found.image)


def joint_entities(named: Sequence[dict[str, str]]) -> dict[str, str]:
    """Name several atlases as one."""
    return named[0] if len(named) == 1 else {"atlas": "+".join("".join(one.values()) for one in named)}


def check_names(atlases: Iterable[tuple[AtlasSource, Mapping[str, str]]]) -> None:
    """Refuse atlases whose outputs would have the same names.

    Parameters
    ----------
    atlases : list of (AtlasSource, dict)
        With the entities of each.
    """
    seen: dict[tuple[tuple[str, str], ...], AtlasSource] = {}
    for source, entities in atlases:
        key = tuple(sorted(entities.items()))
        if key in seen:
            raise UsageError(
                f"--atlas: the outputs of {seen[key]} and {source} would have the same names; write NAME={source}."
            )
        seen[key] = source
