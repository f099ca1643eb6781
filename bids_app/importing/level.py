"""From a table of files to a BIDS derivative that the participant level reads."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app import __version__
from bids_app.bids.files import BIDS_VERSION, BIDSIGNORE, relative, save_json, save_table, save_text, sidecar_of
from bids_app.bids.names import build, folder, label
from bids_app.bids.names import scan_label as scan_of
from bids_app.bids.values import counted
from bids_app.errors import DataError, TrialgraphError, UsageError
from bids_app.importing.contents import read_content
from bids_app.importing.meaning import Regions, judge
from bids_app.importing.table import Row, read_rows
from bids_app.settings.import_options import ImportOptions
from bids_app.system.provenance import digest_of_file
from bids_app.system.small_files import require_table

logger = logging.getLogger("bids_app")

EXACT = "%.17g"  # of numbers, so that a matrix gives the graph that its series do
SHOWN = 5
README = """# Imported series and matrices of regions

Made by `trialgraph import` of trialgraph {version} from files of other tools, which it changed in nothing but what the
JSON beside each file says. Next: `trialgraph BIDS OUT participant --derivatives` with this folder.
"""


def import_tables(options: ImportOptions) -> int:
    """Make a BIDS derivative of the files that a table lists; nothing is written unless all can be read.

    Parameters
    ----------
    options : ImportOptions

    Returns
    -------
    int
        0; what cannot be imported is raised.

    Raises
    ------
    UsageError
        The output folder holds something.
    MissingInputError, DataError
        A file cannot be read, or what it holds is not certain: all such files are named.
    """
    table, output = options.table, options.output_dir
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is not empty: what is imported is written into a folder of its own.")
    rows = read_rows(table, task=options.task, tr=options.repetition_time, part=options.part)
    given = _read_regions(options.regions) if options.regions else None
    found = _read_all(rows, given)
    _require_alike(rows, found)
    atlas = options.atlas or _atlas_name(rows[0], found[0])
    links = {"imported": relative(table.parent, output)}
    for row, regions in zip(rows, found, strict=True):
        _write(output, atlas, row, regions, table.parent)
        logger.info("%s: %s", scan_of(row.entities), " ".join(regions.said))
    save_json(output / "dataset_description.json", _description(found, links))
    save_text(output / "README.md", README.format(version=__version__))
    save_text(output / ".bidsignore", "\n".join(BIDSIGNORE) + "\n")
    _say_end(rows, found, atlas, output)
    return 0


def _read_regions(path: Path) -> pd.DataFrame:
    """Read the names of the regions, and their centres x, y and z where they are there."""
    require_table(path, called=path.name)
    separator = "," if path.suffix == ".csv" else "\t"
    table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if "name" not in table:
        raise DataError(f"{path.name}: no column name; there are {', '.join(map(str, table.columns))}.")
    if {"x", "y", "z"} <= set(table):
        places = table[["x", "y", "z"]].apply(pd.to_numeric, errors="coerce")
        if places.isna().any(axis=None):
            raise DataError(f"{path.name}: x, y and z hold what is no number.")
        table[["x", "y", "z"]] = places
    return table


def _read_all(rows: Sequence[Row], given: pd.DataFrame | None) -> list[Regions]:
    """Read every file; what is wrong with some is said together."""
    found: list[Regions] = []
    wrong: list[TrialgraphError] = []
    for row in rows:
        try:
            content = read_content(row.path, row.variable, row.part, row.index)
            names = None if given is None else list(given["name"])
            regions = judge(content, row.kind, row.scale, names)
            found.append(_placed(regions, given))
        except TrialgraphError as error:
            wrong.append(error)
    if wrong:
        texts = list(dict.fromkeys(map(str, wrong)))
        more = f" And {len(texts) - SHOWN} more." if len(texts) > SHOWN else ""
        kinds = {type(error) for error in wrong}
        raise (kinds.pop() if len(kinds) == 1 else DataError)(" ".join(texts[:SHOWN]) + more)
    return found


def _placed(regions: Regions, given: pd.DataFrame | None) -> Regions:
    if given is None or "x" not in given:
        return regions
    return replace(regions, coordinates=given[["x", "y", "z"]].to_numpy(dtype=np.float64))


def _require_alike(rows: Sequence[Row], found: Sequence[Regions]) -> None:
    """Refuse files of other regions than most have: no region could be compared with itself."""
    lists = Counter(tuple(one.names) for one in found)
    most = lists.most_common(1)[0][0]
    for row, one in zip(rows, found, strict=True):
        if tuple(one.names) == most:
            continue
        if len(one.names) != len(most):
            raise DataError(f"{row.path.name} has {len(one.names)} regions, others have {len(most)}.")
        j = next(j for j, name in enumerate(one.names) if name != most[j])
        raise DataError(f"{row.path.name}: region {j + 1} is {one.names[j]!r}, and {most[j]!r} in others.")
    stats = {one.stat for one in found if one.stat}
    if len(stats) > 1:
        raise DataError(f"Correlations of several kinds are not compared with each other: {', '.join(sorted(stats))}.")
    if len({one.stat is None for one in found}) > 1:
        row = next(row for row, one in zip(rows, found, strict=True) if (one.stat is None) != (found[0].stat is None))
        raise DataError(
            f"{row.path.name} holds {'a matrix' if found[0].stat is None else 'series'}, unlike the files before it: "
            "import series and matrices into folders of their own."
        )


def _atlas_name(row: Row, regions: Regions) -> str:
    """Name the regions by the tool, its part and how many there are."""
    return label(f"{regions.tool or 'regions'} {row.part or ''} {len(regions.names)}")


def _write(output: Path, atlas: str, row: Row, regions: Regions, origin: Path) -> None:
    place = output / folder(row.entities)
    stat, suffix = (regions.stat, "relmat") if regions.stat else ("mean", "timeseries")
    path = place / build({**row.entities, "seg": atlas, "stat": stat}, suffix, ".tsv")
    inside = row.path.resolve().is_relative_to(origin.resolve())
    source = f"bids:imported:{relative(row.path, origin)}" if inside else row.path.name
    sidecar: dict[str, Any] = {
        "Description": "; ".join(one.rstrip(".") for one in regions.said) + ".",
        "Sources": [source],
        "SourceDigests": {row.path.name: digest_of_file(row.path)},
        "RepetitionTime": row.tr,
        "SamplingFrequency": 1 / row.tr if row.tr else None,
    }
    if regions.coordinates is not None:
        sidecar["RegionCoordinates"] = dict(zip(regions.names, regions.coordinates.tolist(), strict=True))
    if regions.stat:
        sidecar |= {"Directed": False, "Weighted": True}
    save_json(sidecar_of(path), sidecar)
    index = regions.names if regions.stat else None
    table = pd.DataFrame(regions.values, columns=regions.names, index=index)
    shape: dict[str, Any] = {"index": True, "index_label": "name"} if regions.stat else {}
    save_table(path, table, float_format=EXACT, **shape)


def _description(found: Sequence[Regions], links: dict[str, str]) -> dict[str, Any]:
    tools = list(dict.fromkeys(one.tool for one in found if one.tool))
    made = {"Name": "trialgraph", "Version": __version__, "Description": "trialgraph import"}
    return {
        "Name": "Series and matrices of regions, imported",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [made, *({"Name": tool, "Description": "by the variables of its files"} for tool in tools)],
        "DatasetLinks": links,
    }


def _say_end(rows: Sequence[Row], found: Sequence[Regions], atlas: str, output: Path) -> None:
    people = {row.entities["sub"] for row in rows}
    what = "matrices" if found[0].stat else "series"
    size = f"{len(found[0].names)} regions"
    logger.info(
        "%s of %s imported: %s of %s, seg-%s.",
        counted(len(rows), "file"),
        counted(len(people), "participant"),
        what,
        size,
        atlas,
    )
    if not found[0].named:
        logger.warning(
            "The regions have no names: they are region1 to region%d. --regions gives some.", len(found[0].names)
        )
    if found[0].stat is None and any(row.tr is None for row in rows):
        logger.warning("The repetition time is not known: minutes of data cannot be counted. The column tr says it.")
    if found[0].stat:
        logger.warning(
            "Of matrices nothing is known of volumes, minutes and motion: scans cannot be censored, none is left out "
            "for too few minutes, and motion cannot be compared or adjusted for."
        )
    logger.info("Next: trialgraph BIDS OUT participant --derivatives %s", output)
