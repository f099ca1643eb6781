"""Choosing among files by their entities: never silently, never among equals."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bids_app.bids.datasets import Dataset
from bids_app.bids.names import Key, Name, other_hemisphere
from bids_app.bids.pipelines import DENOISED_DESCS, XCPD, is_denoised, tool_of
from bids_app.errors import DataError, NothingSelectedError, UsageError
from bids_app.settings.settings import Selection

logger = logging.getLogger(__name__)

TEMPLATE_SPACES = ("MNI152NLin2009cAsym", "MNI152NLin6Asym", "MNI152NLin2009aSym")
SURFACE_SPACES = ("fsLR", "fsaverage", "fsaverage3", "fsaverage4", "fsaverage5", "fsaverage6")
SPATIAL = ("space", "cohort", "res", "den")


# Name, path and dataset of a file, and whatever follows.
Found = tuple[Name, Path, Dataset, *tuple[Any, ...]]
Item = TypeVar("Item", bound=tuple[Name, *tuple[Any, ...]])


class Why:
    """Says why a file was selected: by what it differs from others of its dataset that could have been."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.values = {
            key: {name.entities.get(key) or f"no {key}" for name, *_ in found}
            for key in ("task", "space", "res", "den")
        }

    def __call__(self, name: Name, dataset: Dataset) -> str:
        """Return the reason for one file."""
        tool = tool_of(dataset)
        said = [f"cleaned already: it is not cleaned again ({tool.called})"] if tool else []
        for key, values in self.values.items():
            others = sorted(values - {name.entities.get(key) or f"no {key}"})
            said += [f"{key} {name.entities.get(key, 'none')}, not {', '.join(others)}"] if others else []
        return "; ".join(said) or "the only one"


def of_one(
    entity: str, wanted: str | None, found: list[Item], prefer: Callable[[list[Name]], str | None]
) -> list[Item]:
    """Keep what has one value of an entity: the one wanted, the only one, or the preferred one."""
    values = {name.entities.get(entity) for name, *_ in found}
    if not found or (wanted is None and len(values) == 1):
        return found
    listed = ", ".join(sorted(value or f"(no {entity})" for value in values))
    if wanted is None:
        wanted = prefer([name for name, *_ in found])
        if wanted is None:
            raise UsageError(f"Several values of {entity} could be meant: {listed}. Choose with --{_option(entity)}.")
        logger.info("%s %s is analysed (there are %s).", entity, wanted, listed)
    kept = [item for item in found if item[0].entities.get(entity) == wanted]
    if not kept:
        raise NothingSelectedError(f"--{_option(entity)} {wanted}: no preprocessed run has it; there are {listed}.")
    return kept


def _option(entity: str) -> str:
    return {"task": "task-id", "den": "res"}.get(entity, entity)


def prefer_rest(names: Iterable[Name]) -> str | None:
    """Return the task whose name begins with rest, if it is one."""
    tasks = {name.entities.get("task", "") for name in names}
    rest = [task for task in tasks if task.lower().startswith("rest")]
    return rest[0] if len(rest) == 1 else None


def prefer_template(names: Iterable[Name]) -> str | None:
    """Return the first template space that every run was brought to."""
    runs_in = defaultdict(set)
    for name in names:
        runs_in[name.entities.get("space")].add(name.without("desc", "echo", *SPATIAL))
    every_run = set().union(*runs_in.values())
    return next((space for space in TEMPLATE_SPACES if runs_in[space] == every_run), None)


def best_desc(found: Iterable[Found]) -> list[Found]:
    """Of XCP-D's images of one run, which differ in what was filled in alone, keep the first of `DENOISED_DESCS`."""
    order = {desc: place for place, desc in enumerate(DENOISED_DESCS)}
    best: dict[Key, Found] = {}
    for item in found:
        key = item[0].without("desc") if tool_of(item[2]) is XCPD else item[0].without()
        if key not in best or _place(item, order) < _place(best[key], order):
            best[key] = item
    return list(best.values())


def _place(item: Found, order: Mapping[str, int]) -> int:
    return order.get(item[0].entities.get("desc", ""), 0)


def one_hash(found: list[Found]) -> list[Found]:
    """Refuse outputs of several settings side by side, which XCP-D tells apart by hash-; drop it where it is one."""
    values = {name.entities.get("hash") for name, *_ in found}
    if len(values) > 1:
        listed = ", ".join(sorted(value or "(none)" for value in values))
        raise UsageError(
            f"Results of several settings are there, hash {listed}. Choose with --bids-filter-file, for example "
            '{"bold": {"hash": "..."}, "timeseries": {"hash": "..."}}, or give a folder with one of them.'
        )
    return [(replace(name, entities=_without_hash(name.entities)), *more) for name, *more in found]


def _without_hash(entities: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in entities.items() if key != "hash"}


def with_both_hemispheres(item: Found) -> Found:
    """Refuse the file of one hemisphere that lies there without the other."""
    name, path, *_ = item
    if "hemi" in name.entities and not other_hemisphere(path).exists():
        raise DataError(
            f"{path.name}: there is no {other_hemisphere(path).name} beside it; both hemispheres are needed."
        )
    return item


def without_concatenations(found: Sequence[Found]) -> list[Found]:
    """Leave out the runs of a visit that a tool laid one behind the other, where it left them singly as well.

    XCP-D with ``--combine-runs`` writes an output without run- beside those with one: the same volumes twice.

    Parameters
    ----------
    found : list of tuple
        Name, path, dataset, and whatever follows.
    """
    single = {(item[0].without("run"), item[2].name) for item in found if "run" in item[0].entities}
    kept = []
    for item in found:
        together = "run" not in item[0].entities and (item[0].without(), item[2].name) in single
        if together and is_denoised(item[2]):
            logger.info("%s is left out: its runs are there singly.", item[1].name)
            continue
        if together:
            logger.warning(
                "%s has no run-, and others of the same visit have: it is taken as a scan of its own.", item[1]
            )
        kept.append(item)
    return kept


def described(selection: Selection) -> str:
    """Say for a message what was selected by."""
    filters = {
        "participants": " ".join(selection.participants),
        "sessions": " ".join(selection.sessions),
        **{"task": selection.task, "space": selection.space, "res": selection.resolution},
    }
    given = [f"{what} {value}" for what, value in filters.items() if value]
    return f" ({'; '.join(given)})" if given else ""


def refuse_duplicates(found: Iterable[Found], *beside: str) -> None:
    """Stop where two files have the same name but for some entities and for what tells their folders apart."""
    same = defaultdict(list)
    for name, path, *_ in found:
        same[name.without(*beside)].append(path)
    for paths in same.values():
        if len(paths) > 1:
            raise DataError(
                f"Two files claim to be the same run: {', '.join(map(str, paths))}. Choose with --derivatives."
            )
