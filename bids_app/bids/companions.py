"""What belongs to a scan by its name: masks, confounds and outliers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bids_app.bids.names import Key, Name
from bids_app.bids.pipelines import Tool
from bids_app.bids.selection import SPATIAL
from bids_app.bids.variants import settled
from bids_app.errors import DataError


@dataclass(frozen=True)
class Companions:
    """Files beside the scans of a dataset, by the name that each shares with its scan."""

    masks: Mapping[Key, Sequence[Path]]
    confounds: Mapping[Key, Sequence[Path]]
    outliers: Mapping[Key, Sequence[Path]]

    @classmethod
    def among(
        cls, masks: Iterable[Path], tables: Iterable[Path], outliers: Iterable[Path], tool: Tool | None = None
    ) -> "Companions":
        """Sort files by the name of their scan.

        Parameters
        ----------
        masks, tables, outliers : iterable of Path
            Whatever has the suffixes of brain masks, of tables of confounds or motion, and of outliers.
        tool : Tool, optional
            That cleaned the images, which says the space where names do not.
        """
        named_masks = _by_name(masks, "desc", "label", "hash", tool=tool)
        named_tables = _by_name(tables, "desc", "hash", *SPATIAL)
        return cls(
            {name: [path for path in paths if _is_of_brain(path)] for name, paths in named_masks.items()},
            {name: _unfiltered(list(filter(_is_confounds, paths))) for name, paths in named_tables.items()},
            {name: _best_flags(paths) for name, paths in _by_name(outliers, "desc", "hash", *SPATIAL).items()},
        )

    @staticmethod
    def of(kind: Mapping[Key, Sequence[Path]], scan: Key) -> Sequence[Path]:
        """Return those of a scan; of one echo, those of all its echoes if it has none of its own."""
        return kind.get(scan) or kind.get(tuple(pair for pair in scan if pair[0] != "echo"), [])


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


def _by_name(paths: Iterable[Path], *without: str, tool: Tool | None = None) -> dict[Key, list[Path]]:
    found = defaultdict(list)
    for path in paths:
        found[settled(Name.parse(path), tool).without(*without)].append(path)
    return dict(found)


def _is_of_brain(path: Path) -> bool:
    entities = Name.parse(path).entities
    return "brain" in (entities.get("desc"), entities.get("label"))


def _is_confounds(path: Path) -> bool:
    name = Name.parse(path)
    fits = name.entities.get("desc", "confounds") == "confounds" or name.suffix == "motion"
    return fits and not {"atlas", "seg"} & set(name.entities)


def flagged_above(flags: Path | None, fd_threshold: float) -> float | None:
    """Return the motion in mm above which flags hold: ``*_motion_mask.mat`` has those of several; a table has one."""
    return fd_threshold if flags and flags.suffix == ".mat" else None


def _best_flags(paths: list[Path]) -> list[Path]:
    """Of flags in tables and in ``*_motion_mask.mat`` take the tables, else those of the filtered series."""
    tables = [path for path in paths if path.suffix != ".mat"]
    masks = [path for path in paths if path.name.endswith("_motion_mask.mat")]
    return tables or [path for path in masks if "desc-filtered_" in path.name] or masks


def _unfiltered(paths: list[Path]) -> list[Path]:
    """Leave out tables of filtered motion where that as it was measured is there too."""
    plain = [path for path in paths if "desc-filtered" not in path.name]
    return plain if plain and len(paths) > 1 else paths
