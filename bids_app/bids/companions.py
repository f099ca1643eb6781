"""What belongs to a scan by its name: masks, confounds and outliers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bids_app.bids.names import Key, Name
from bids_app.bids.selection import SPATIAL
from bids_app.errors import DataError


@dataclass(frozen=True)
class Companions:
    """Files beside the scans of a dataset, by the name that each shares with its scan."""

    masks: Mapping[Key, Sequence[Path]]
    confounds: Mapping[Key, Sequence[Path]]
    outliers: Mapping[Key, Sequence[Path]]

    @classmethod
    def among(cls, masks: Iterable[Path], tables: Iterable[Path], outliers: Iterable[Path]) -> "Companions":
        """Sort files by the name of their scan.

        Parameters
        ----------
        masks, tables, outliers : iterable of Path
            Whatever has the suffixes of brain masks, of tables of confounds or motion, and of outliers.
        """
        named_masks, named_tables = _by_name(masks, "desc", "label", "hash"), _by_name(tables, "desc", "hash", *SPATIAL)
        return cls(
            {name: [path for path in paths if _is_of_brain(path)] for name, paths in named_masks.items()},
            {name: _unfiltered(list(filter(_is_confounds, paths))) for name, paths in named_tables.items()},
            _by_name(outliers, "desc", "hash", *SPATIAL),
        )


def the_one(what: str, run: Path, paths: Sequence[Path]) -> Path | None:
    """Return the only one of the files, or None if there is none.

    Raises
    ------
    DataError
        There are several.
    """
    if len(paths) > 1:
        raise DataError(f"{run.name}: more than one {what} fits: {', '.join(path.name for path in paths)}.")
    return paths[0] if paths else None


def _by_name(paths: Iterable[Path], *without: str) -> dict[Key, list[Path]]:
    found = defaultdict(list)
    for path in paths:
        found[Name.parse(path).without(*without)].append(path)
    return dict(found)


def _is_of_brain(path: Path) -> bool:
    entities = Name.parse(path).entities
    return "brain" in (entities.get("desc"), entities.get("label"))


def _is_confounds(path: Path) -> bool:
    name = Name.parse(path)
    fits = name.entities.get("desc", "confounds") == "confounds" or name.suffix == "motion"
    return fits and not {"atlas", "seg"} & set(name.entities)


def _unfiltered(paths: list[Path]) -> list[Path]:
    """Leave out tables of filtered motion where that as it was measured is there too."""
    plain = [path for path in paths if "desc-filtered" not in path.name]
    return plain if plain and len(paths) > 1 else paths
