"""The names of an atlas' labels, from the tables that atlases come with."""

import io
import re
import shlex
import xml.etree.ElementTree as ElementTree

import pandas as pd

from bids_app.errors import DataError
from bids_app.images import require

EXTENSIONS = (".tsv", ".csv", ".txt", ".xml", ".lut", ".ctab")
OF_NETWORK = re.compile(r"(?:\d+Networks_)?[LR]H_([A-Za-z]+)(?:_|$)")


def labels_beside(path):
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


def _is_of(name, stem):
    """Say whether a table's name is the image's, begins it, or is it with a word for labels."""
    if name == stem or re.fullmatch(re.escape(stem) + r"[_-]?(labels?|lut|lookup)", name, re.IGNORECASE):
        return True
    is_bids = re.match("[a-z]+-", stem) is not None  # there, each part of the name tells atlases apart
    return not is_bids and stem.startswith(name) and stem[len(name)] in "_-"


def read_labels(path):
    """Read the names of labels.

    Parameters
    ----------
    path : Path
        TSV or CSV with the columns index and name (and network); text with an index and a name per line, as
        FreeSurfer, MRIcron, ITK-SNAP and Schaefer have it, or only names, line by line; XML of SPM or FSL.

    Returns
    -------
    DataFrame
        index, name, and network if it is known; without the background, 0.

    Raises
    ------
    MissingInputError, DataError
    """
    require(path)
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        table = _of_xml(text) if path.suffix == ".xml" else _of_text(path, text)
        return _cleaned(table)
    except DataError:
        raise
    except (ValueError, OSError, ElementTree.ParseError, KeyError) as error:
        raise DataError(f"{path}: no table of labels can be read from it: {error}.") from error


def _of_xml(text):
    root = ElementTree.fromstring(text.encode())
    rows = []
    for label in root.iter("label"):
        if "index" in label.attrib:  # FSL counts from 0, its images from 1
            rows.append((int(label.attrib["index"]) + 1, (label.text or "").strip()))
        else:
            rows.append((int(label.findtext("index")), label.findtext("name").strip()))
    return pd.DataFrame(rows, columns=["index", "name"])


def _of_text(path, text):
    first = text.lstrip("#").partition("\n")[0]
    separator = "\t" if path.suffix == ".tsv" else ","
    heads = [head.strip().lower() for head in first.split(separator)]
    if path.suffix == ".tsv" or {"index", "name"} <= set(heads):
        table = pd.read_csv(io.StringIO(text), sep=separator, na_values="n/a", keep_default_na=False)
        table.columns = [str(column).strip().lower() for column in table.columns]
        if not {"index", "name"} <= set(table):
            raise DataError(f"{path}: the columns index and name are needed; there are {', '.join(table)}.")
        return table
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    words = [_words(line, comma=path.suffix == ".csv") for line in lines]
    if not words:
        raise DataError(f"{path}: it is empty.")
    if all(_is_number(line[0]) and len(line) > 1 for line in words):
        return pd.DataFrame([(int(float(line[0])), _name(line[1:])) for line in words], columns=["index", "name"])
    names = [line.strip() for line in lines]
    return pd.DataFrame({"index": range(1, len(names) + 1), "name": names})


def _words(line, *, comma):
    if comma:
        return [word.strip().strip('"') for word in line.split(",")]
    try:
        return shlex.split(line)
    except ValueError:  # an apostrophe
        return line.split()


def _is_number(word):
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", word) is not None


def _name(words):
    """Leave out the colours and indices before and after a name."""
    kept = list(words)
    while len(kept) > 1 and _is_number(kept[-1]):
        kept.pop()
    while len(kept) > 1 and _is_number(kept[0]):
        kept.pop(0)
    return " ".join(kept)


def _cleaned(table):
    table = table[table["index"].notna() & (table["index"].astype(float) != 0)].reset_index(drop=True)
    table["index"] = table["index"].astype(float).astype(int)
    if table["index"].duplicated().any():
        raise DataError(f"label {table.loc[table['index'].duplicated(), 'index'].iloc[0]} is there twice.")
    table["name"] = unique_names(table["name"].astype(str).str.strip(), table["index"])
    table = with_networks(table)
    return table[[column for column in ("index", "name", "network") if column in table]]


def with_networks(table):
    """Add the networks that Schaefer's names tell, where the table has none and they do."""
    if "network" in table:
        return table
    networks = table["name"].str.extract(OF_NETWORK, expand=False)
    return table.assign(network=networks) if networks.notna().any() else table


def unique_names(names, indices):
    """Add the index to names that several labels have.

    Examples
    --------
    >>> unique_names(pd.Series(["vFC", "PCC", "vFC"]), pd.Series([4, 5, 9])).tolist()
    ['vFC 4', 'PCC', 'vFC 9']
    """
    return names.where(~names.duplicated(keep=False), names + " " + indices.astype(str))
