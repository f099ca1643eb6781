"""The names of an atlas' labels, from the tables that atlases come with."""

import csv
import logging
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from bids_app.errors import DataError
from bids_app.space.label_formats import readings
from bids_app.system.images import require
from bids_app.system.small_files import regular

logger = logging.getLogger("bids_app")

EXTENSIONS = (".tsv", ".csv", ".txt", ".xml", ".lut", ".ctab", ".label", ".node")
NAMELESS = ("", "n/a")
BACKGROUND = re.compile(
    r"\W*|n/?a|none|null|void|empty|nothing|(clear|no|un)[ _-]?label(led)?|"
    r"(.*[ _-])?(unknown|undefined|unclassified|unassigned|background|outside|exterior|medial[ _-]?wall)([ _-].*)?",
    re.IGNORECASE,
)
OF_NETWORK = re.compile(r"(?:\d+Networks_)?[LR]H_([A-Za-z]+)(?:_|$)")


def labels_beside(path: Path) -> Path | None:
    """Find the table of names beside an image: one file can serve several resolutions or spaces.

    Parameters
    ----------
    path : Path
        ``Schaefer_400_FSLMNI152_2mm.nii.gz`` finds ``Schaefer_400.txt``, ``tpl-X_res-02_atlas-A_dseg.nii.gz`` finds
        ``tpl-X_atlas-A_dseg.tsv``, ``Tian_S1.nii`` finds ``Tian_S1_label.txt``.

    Returns
    -------
    Path or None
        The one whose name is most like the image's; a TSV before the others.
    """
    stem = path.name.partition(".")[0]
    without = re.sub("_res-[^_]+", "", stem)
    found = []
    for candidate in sorted(path.parent.iterdir()):
        name = re.sub("_res-[^_]+", "", candidate.name.partition(".")[0])
        if candidate.suffix.lower() not in EXTENSIONS or not candidate.is_file():
            continue
        if candidate.name.startswith(stem + ".") or _is_of(name, without):
            found.append((len(name), -EXTENSIONS.index(candidate.suffix.lower()), candidate))
    return max(found)[2] if found else None


def _is_of(name: str, stem: str) -> bool:
    """Say whether a table's name is the image's, begins it, or is it with a word for labels."""
    if name == stem or re.fullmatch(re.escape(stem) + r"[_-]?(labels?|lut|lookup)", name, re.IGNORECASE):
        return True
    is_bids = re.match("[a-z]+-", stem) is not None  # there, each part of the name tells atlases apart
    return not is_bids and stem.startswith(name) and stem[len(name)] in "_-"


def read_labels(path: Path, present: Iterable[int]) -> pd.DataFrame:
    """Read the names of an image's labels.

    Parameters
    ----------
    path : Path
        Of any of the formats that `labelformats` knows.
    present : sequence of int
        The labels of the image. Where the table can be read in several ways, they tell which is right.

    Returns
    -------
    DataFrame
        index, name, and network if it is known; without the background, 0.

    Raises
    ------
    MissingInputError, DataError
        It is of no known format, does not name all labels, or can be read in several ways that fit.
    """
    require(path)
    regular(path)
    present = sorted(int(label) for label in present)
    try:
        found = [(one.form, _indexed(one.table, present)) for one in readings(path, path.read_bytes())]
        form, table = _fitting(found, present)
        table = _cleaned(table, present)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (ValueError, OSError, ElementTree.ParseError, OverflowError, csv.Error) as error:
        raise DataError(f"{path}: no table of labels can be read from it: {error}.") from error
    table.attrs["read"] = f"{path.name}, read as {form}"
    logger.info("Labels of %s were read as %s.", path.name, form)
    if extra := sorted(set(table["index"]) - set(present)):
        logger.info("%s names %d labels that the image has not: %s.", path.name, len(extra), _listed(extra))
    return table


def _indexed(table: pd.DataFrame, present: Sequence[int]) -> pd.DataFrame:
    """Give names that are in the order of the labels their labels."""
    if "index" in table:
        return table
    if len(table) and BACKGROUND.fullmatch(table["name"].iloc[0]):
        table = table.iloc[1:].reset_index(drop=True)
    if len(table) != len(present):
        raise DataError(f"it has {len(table)} names and no labels, the image has {len(present)} labels.")
    return table.assign(index=present)


def _fitting(found: list[tuple[str, pd.DataFrame]], present: Collection[int]) -> tuple[str, pd.DataFrame]:
    """Return the one way to read a table that fits the labels of the image."""
    found = [one for one in found if not one[1]["index"].duplicated().any()] or found
    fitting = [(form, table) for form, table in found if set(present) <= set(table["index"])]
    exact = [(form, table) for form, table in fitting if set(table["index"]) - {0} == set(present)]
    for some in (exact, fitting):
        if some and all(_mapping(table, present) == _mapping(some[0][1], present) for _, table in some):
            return some[0]
        if some:
            forms = "; or as ".join(form for form, _ in some)
            raise DataError(f"it can be read as {forms}. Both fit the image, with other names: leave one of them.")
    missing = [(form, _listed(set(present) - set(table["index"]))) for form, table in found]
    raise DataError("; ".join(f"no name for the labels {labels} (read as {form})" for form, labels in missing) + ".")


def _mapping(table: pd.DataFrame, present: Collection[int]) -> dict[int, str]:
    return {index: name for index, name in zip(table["index"], table["name"], strict=True) if index in present}


def _listed(labels: Iterable[int]) -> str:
    labels = sorted(labels)
    return ", ".join(map(str, labels[:10])) + (" ..." if len(labels) > 10 else "")


def _cleaned(table: pd.DataFrame, present: Collection[int]) -> pd.DataFrame:
    """Leave out the background and what has no name; refuse labels that are there twice, or a count from 0."""
    table = table.assign(name=table["name"].astype(str).str.strip())
    table = table[~table["name"].isin(NAMELESS)]
    if table["index"].duplicated().any():
        raise DataError(f"label {table.loc[table['index'].duplicated(), 'index'].iloc[0]} is there twice.")
    if missing := set(present) - set(table["index"]):
        raise DataError(f"no name for the labels {_listed(missing)}.")
    zero = table.loc[table["index"] == 0, "name"].tolist()
    if zero and not BACKGROUND.fullmatch(zero[0]) and set(table["index"]) - {0} != set(present):
        raise DataError(
            f"label 0 is called {zero[0]!r}, and the labels are not those of the image: does the table count from 0? "
            "Give the labels as they are in the image; 0 is the background."
        )
    table = table[table["index"] != 0].reset_index(drop=True)
    table["index"] = table["index"].astype("int64")
    table["name"] = unique_names(table["name"], table["index"])
    table = with_networks(_with_missing(table))
    return table[[column for column in ("index", "name", "network") if column in table]]


def _with_missing(table: pd.DataFrame) -> pd.DataFrame:
    if "network" not in table:
        return table
    return table.assign(network=table["network"].where(~table["network"].isin(NAMELESS), None))


def with_networks(table: pd.DataFrame) -> pd.DataFrame:
    """Add the networks that Schaefer's names tell, where the table has none and they do."""
    if "network" in table:
        return table
    networks = table["name"].str.extract(OF_NETWORK, expand=False)
    return table.assign(network=networks) if networks.notna().any() else table


def unique_names(names: pd.Series, indices: pd.Series) -> pd.Series:
    """Add the index to names that several labels have.

    Examples
    --------
    >>> import pandas as pd
    >>> unique_names(pd.Series(["vFC", "PCC", "vFC"]), pd.Series([4, 5, 9])).tolist()
    ['vFC 4', 'PCC', 'vFC 9']
    """
    while names.duplicated().any():
        names = names.where(~names.duplicated(keep=False), names + " " + indices.astype(str))
    return names
