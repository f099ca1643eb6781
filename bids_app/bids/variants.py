"""What lies beside the images that are meant: parts, single echoes, cohorts of a template, and settings of a tool."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bids_app.bids.names import Key, Name
from bids_app.bids.pipelines import TOOLS, XCPD, Tool, tool_of
from bids_app.bids.selection import (
    Found,
    of_one,
    one_hash,
    prefer_rest,
    prefer_template,
    refuse_duplicates,
    with_both_hemispheres,
    without_concatenations,
)
from bids_app.bids.values import counted
from bids_app.errors import NothingSelectedError, UsageError
from bids_app.settings.settings import Selection

logger = logging.getLogger(__name__)

MARKS = tuple(tool.mark for tool in TOOLS if tool.mark)
SPELLED = {"MNI152NLin6ASym": "MNI152NLin6Asym"}  # by C-PAC and by TemplateFlow


def settled(name: Name, tool: Tool | None = None) -> Name:
    """Return a name with its space as BIDS and TemplateFlow write it, and that of the tool where it has none.

    Examples
    --------
    >>> settled(Name.parse("sub-01_task-rest_space-MNIInfant+2_desc-preproc_bold.nii.gz")).entities["cohort"]
    '2'
    >>> settled(Name.parse("sub-01_space-MNI152NLin6ASym_bold.nii.gz")).entities["space"]
    'MNI152NLin6Asym'
    """
    space = name.entities.get("space", tool.space if tool else None)
    if space is None:
        return name
    template, plus, cohort = space.partition("+")
    own = {"space": SPELLED.get(template, template)} | ({"cohort": cohort} if plus else {})
    return replace(name, entities=name.entities | own)


def chosen(found: list[Found], selection: Selection, resolution: str) -> list[tuple[Found, tuple[Path, ...]]]:
    """Choose among the images of BOLD runs.

    Parameters
    ----------
    found : list of Found
        Their names are `settled`.
    selection : Selection
    resolution : {"res", "den"}
        The entity that --res is about.

    Returns
    -------
    list of (Found, tuple of Path)
        As from `by_echo`.

    Raises
    ------
    NothingSelectedError, UsageError, DataError
        As the functions that choose by one thing each.
    """
    found = of_one("task", selection.task, magnitudes(found), prefer_rest)
    found, space = of_cohort(found, selection.space)
    found = one_cohort(of_one("space", space, found, prefer_template))
    found = of_one(resolution, selection.resolution, found, lambda names: None)
    for mark in MARKS:
        one_of(found, mark)
    one_of([item for item in found if tool_of(item[2]) not in (None, XCPD)], "desc")
    found = without_concatenations(one_hash(found))
    found = [with_both_hemispheres(item) for item in found if item[0].entities.get("hemi", "L") == "L"]
    runs = by_echo(found)
    refuse_duplicates([run for run, _ in runs], "part", "desc")
    return runs


def magnitudes(found: list[Found]) -> list[Found]:
    """Leave out phase, real and imaginary parts, and say so.

    Raises
    ------
    NothingSelectedError
        There is nothing else.
    """
    kept = [item for item in found if item[0].entities.get("part", "mag") == "mag"]
    others = sorted({item[0].entities.get("part", "mag") for item in found} - {"mag"})
    listed = ", part-".join(others)
    if others and not kept:
        raise NothingSelectedError(f"There are images of part-{listed} alone, and none of the magnitude.")
    if others:
        logger.info("%s of part-%s left out.", counted(len(found) - len(kept), "image"), listed)
    return kept


def by_echo(found: Sequence[Found]) -> list[tuple[Found, tuple[Path, ...]]]:
    """Put the echoes of a run together, unless their combination is there.

    Parameters
    ----------
    found : list of Found

    Returns
    -------
    list of (Found, tuple of Path)
        One for each run. The paths are those of its echoes, by their number, where they are to be combined; the name
        has then no echo. Of a run with one echo alone that echo is taken, and the name keeps it.
    """
    groups: defaultdict[tuple[Key, str], list[Found]] = defaultdict(list)
    for item in found:
        groups[item[0].without("echo"), item[2].name].append(item)
    runs: list[tuple[Found, tuple[Path, ...]]] = []
    for group in groups.values():
        whole = [item for item in group if "echo" not in item[0].entities]
        if whole:
            _say_left_out(whole[0], len(group) - len(whole))
            runs += [(item, ()) for item in whole]
            continue
        group = sorted(group, key=lambda item: int(item[0].entities["echo"]))
        if len(group) == 1:
            logger.warning("%s: this echo alone is there, or selected; it is taken as it is.", group[0][1].name)
            runs.append((group[0], ()))
            continue
        name, *more = group[0]
        logger.info(
            "%s: %s are there and no combination; they are combined by T2*.",
            more[0].name,
            counted(len(group), "echo", "echoes"),
        )
        entities = {key: value for key, value in name.entities.items() if key != "echo"}
        runs.append(((replace(name, entities=entities), *more), tuple(item[1] for item in group)))
    return runs


def _say_left_out(whole: Found, n_echoes: int) -> None:
    if n_echoes:
        logger.info(
            "%s: its %s are left out, their combination is taken.", whole[1].name, counted(n_echoes, "echo", "echoes")
        )


def refuse_echoes(names: Iterable[Name]) -> None:
    """Refuse raw scans of several echoes: each by itself would count as a scan of its own.

    Raises
    ------
    UsageError
        A run has several echoes.
    """
    echoes = defaultdict(set)
    for name in names:
        echoes[name.without("echo")].add(name.entities.get("echo"))
    several = sorted({echo for values in echoes.values() if len(values) > 1 for echo in values if echo}, key=int)
    if several:
        raise UsageError(
            f"These raw scans have several echoes ({', '.join(several)}), which are not combined here. Preprocess them "
            'with fMRIPrep, which combines them; or take one of them: --bids-filter-file with {"bold": {"echo": '
            f'"{several[min(1, len(several) - 1)]}"}}}}.'
        )


def one_cohort(found: list[Found]) -> list[Found]:
    """Refuse images in templates of several cohorts, which are different spaces.

    Raises
    ------
    UsageError
        There are several.
    """
    values = {_cohort(item[0]) for item in found}
    if len(values) > 1:
        listed = ", ".join(sorted(values))
        raise UsageError(f"Several cohorts of the template could be meant: {listed}. Choose one with --space.")
    return found


def of_cohort(found: list[Found], space: str | None) -> tuple[list[Found], str | None]:
    """Keep what is in the cohort that --space names after a plus; return the space without it."""
    template, plus, cohort = (space or "").partition("+")
    if not plus:
        return found, SPELLED.get(template, template) or None
    there = sorted({_cohort(item[0]) for item in found})
    kept = [item for item in found if item[0].entities.get("cohort") == cohort]
    if found and not kept:
        raise NothingSelectedError(f"--space {space}: no preprocessed run has it; there are {', '.join(there)}.")
    return kept, template


def _cohort(name: Name) -> str:
    space, cohort = name.entities.get("space", "(no space)"), name.entities.get("cohort")
    return f"{space}+{cohort}" if cohort else space


def in_space(found: list[Found], space: str | None) -> list[Found]:
    """Keep tables of series whose name has the space that is wanted, or none."""
    if space is None:
        return found
    wanted = settled(Name({"space": space}, "", "")).entities
    return [item for item in found if all(item[0].entities.get(key, value) == value for key, value in wanted.items())]


def marked(found: list[Found], tool: Tool | None) -> list[Found]:
    """Leave out images without the entity that a tool marks its cleaned images with, where others have it."""
    kept = [item for item in found if tool and tool.mark in item[0].entities]
    if tool and kept and len(kept) < len(found):
        logger.info("%s of %s without %s- left out.", counted(len(found) - len(kept), "file"), tool.called, tool.mark)
    return kept or found


def one_of(found: list[Found], entity: str, query: str = "bold") -> None:
    """Refuse images of several values of an entity that tells apart in how many ways a tool cleaned.

    Raises
    ------
    UsageError
        There are several.
    """
    values = {item[0].entities[entity] for item in found if entity in item[0].entities}
    if len(values) > 1:
        raise UsageError(
            f"{'Images' if query == 'bold' else 'Series'} of several {entity}- could be meant: "
            f"{', '.join(sorted(values))}. Choose with --bids-filter-file, "
            f'for example {{"{query}": {{"{entity}": "{min(values)}"}}}}.'
        )
