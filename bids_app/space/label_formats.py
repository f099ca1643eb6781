"""The formats that tables of labels come in: each is known by its heads or its form, what is not known is refused."""

import csv
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bids_app.errors import DataError
from bids_app.space.label_columns import (
    NUMBER,
    OF_LABELS,
    OF_NAMES,
    WHOLE,
    Cells,
    Reading,
    by_content,
    by_heads,
    has_head,
    plain,
)

KNOWN = (
    "TSV or CSV with heads such as index and name; a label and its name per line, also with colours (FreeSurfer, "
    "ITK-SNAP, MRtrix, Schaefer) or with codes (AAL, MRIcron); Workbench's label lists; nodes of BrainNet Viewer; the "
    'XML of FSL and SPM; JSON as {"1": "name"}; names line by line'
)
COMMENT = re.compile(r"\s*(#|//|%|\[[^]]*\]\s*$|sep=.$)")


def readings(path: Path, content: bytes) -> list[Reading]:
    """Return each way in which a table of labels can be read.

    Parameters
    ----------
    path : Path
        Its extension tells what the content does not.
    content : bytes

    Returns
    -------
    list of label_columns.Reading
        One, where the format says which column is what; the labels of the image tell several apart.

    Raises
    ------
    DataError
        It is of no known format.
    """
    text = _decoded(content)
    if not text.strip():
        raise DataError("it is empty.")
    if text.lstrip().startswith("<"):
        return _of_xml(content)
    if text.lstrip().startswith("{") or path.suffix.lower() == ".json":
        return _of_json(text)
    lines = [line.strip(" \f\v") for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    comments = [line.lstrip("#/% \t") for line in lines if COMMENT.match(line)]
    lines = [line for line in lines if not COMMENT.match(line)]
    found = lines and (_of_workbench(lines) or _of_lines(path, lines, comments))
    if not found:
        raise DataError(f"it is of no known format. Known are: {KNOWN}.")
    return found


def _decoded(content: bytes) -> str:
    """Decode by the mark at the beginning, else as UTF-8, else as Windows-1252."""
    encodings = ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DataError("it is no text.")


def _of_xml(content: bytes) -> list[Reading]:
    """Read FSL's XML, whose index is the label if the type is Label and from 0 if it is probabilistic, or SPM's."""
    root = ElementTree.fromstring(content.lstrip())
    labels = list(root.iter("label"))
    if labels and all("index" in label.attrib for label in labels):
        names = ["".join(label.itertext()).strip() or label.attrib.get("name", "").strip() for label in labels]
        rows = [(int(label.attrib["index"]), name) for label, name in zip(labels, names, strict=True)]
        kind = (root.findtext(".//type") or "").strip()
        table = pd.DataFrame(rows, columns=["index", "name"])
        as_is = Reading(f"an FSL XML of type {kind or 'Label'}: its index is the label", table)
        shifted = table.assign(index=table["index"] + 1)
        from_0 = Reading(f"an FSL XML of type {kind or 'Probabilistic'}: its index counts from 0", shifted)
        if kind.lower().startswith("prob"):
            return [from_0]
        return [as_is] if kind.lower() == "label" else [as_is, from_0]
    if labels and all(label.findtext("index") and label.findtext("name") for label in labels):
        rows = [(int(label.findtext("index", "")), label.findtext("name", "").strip()) for label in labels]
        return [Reading("an XML of SPM", pd.DataFrame(rows, columns=["index", "name"]))]
    raise DataError("its XML has no <label> elements with index and name, as FSL's and SPM's have.")


def _of_json(text: str) -> list[Reading]:
    content = json.loads(text, object_pairs_hook=_without_repetition)
    if isinstance(content, list) and content and all(isinstance(one, dict) for one in content):
        heads = list(content[0])
        return by_heads(heads, [[str(one.get(head, "")) for head in heads] for one in content])
    if isinstance(content, list) and content and all(isinstance(one, str) for one in content):
        return by_content([[one.strip()] for one in content])
    pairs = list(content.items()) if isinstance(content, dict) else []
    pairs = [(key.strip(), str(value).strip() if isinstance(value, str | int) else "") for key, value in pairs]
    if pairs and all(WHOLE.fullmatch(value) for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]
    if not pairs or not all(WHOLE.fullmatch(key) and value for key, value in pairs):
        raise DataError('its JSON is not of the form {"1": "name", "2": "another name"}.')
    rows = [(int(key.partition(".")[0]), value) for key, value in pairs]
    return [Reading("JSON with a name per label", pd.DataFrame(rows, columns=["index", "name"]))]


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise DataError("its JSON has a key twice.")
    return dict(pairs)


def _of_workbench(lines: Sequence[str]) -> list[Reading] | None:
    """Read pairs of lines, a name and then its label and four colours; None if they are no such pairs."""
    keys = [line.split() for line in lines[1::2]]
    if len(lines) % 2 or not all(len(key) == 5 and all(map(NUMBER.fullmatch, key)) for key in keys):
        return None
    if all(len(line.split()) > 1 and WHOLE.fullmatch(line.split()[0]) for line in lines[::2]):
        return None  # lines of one kind
    rows = [(int(key[0]), name.strip()) for key, name in zip(keys, lines[::2], strict=True)]
    return [Reading("a label list of Workbench", pd.DataFrame(rows, columns=["index", "name"]))]


def _of_lines(path: Path, lines: Sequence[str], comments: Iterable[str]) -> list[Reading]:
    centres = path.suffix.lower() == ".node"
    lines = [re.sub(r"^(\d+)\s*[:=)]\s*(?=\S)", r"\1\t", line) for line in lines]
    for separator in () if centres else ("\t", ";", ","):
        rows = _rows(lines, separator)
        if rows is None:
            continue
        if has_head(rows):
            return _under(rows[0], rows[1:])
        if heads := _heads_in(comments, separator, len(rows[0])):
            return by_heads(heads, rows)
        if any(all(WHOLE.fullmatch(row[j]) for row in rows) for j in range(len(rows[0]))):
            return by_content(rows)
    return _of_words(lines, comments, centres)


def _under(heads: Cells, rows: Sequence[Cells]) -> list[Reading]:
    """Read rows by their heads if these are known, else by what is in them."""
    if {plain(head) for head in heads} & {*OF_LABELS, *OF_NAMES}:
        return by_heads(heads, rows)
    return by_content(rows)


def _rows(lines: Sequence[str], separator: str) -> list[list[str]] | None:
    """Split lines into as many cells each; None if they do not have as many, or one only."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]
    while rows[0] and len(rows[0]) > 2 and all(not row[-1] for row in rows if row):
        rows = [row[:-1] for row in rows]
    alike = len(rows) == len(lines) and all(len(row) == len(rows[0]) for row in rows)
    return rows if alike and len(rows[0]) > 1 else None


def _heads_in(comments: Iterable[str], separator: str | None, n_cells: int) -> list[str] | None:
    """Return the heads that a comment holds, or None: labels and names must be among them."""
    for comment in comments:
        heads = [cell.strip() for cell in (comment.split(separator) if separator else comment.split())]
        words = {plain(head) for head in heads}
        if len(heads) == n_cells and words & set(OF_LABELS) and words & set(OF_NAMES):
            return heads
    return None


def _of_words(lines: Iterable[str], comments: Iterable[str], centres: bool) -> list[Reading]:
    """Read lines whose cells have blanks between them: numbers, a name that may have blanks too, numbers."""
    words = [re.findall(r'"[^"]*"|\S+', line) for line in lines]
    heads = words[0] if len(words) > 1 and _is_head(words) else None
    words = words[1:] if heads else words
    named = [line for line in words if not all(map(NUMBER.fullmatch, line))]
    if not named:
        return []
    lead, trail = (min(_n_numbers(line[::way]) for line in named) for way in (1, -1))
    if any(len(line) <= lead + trail for line in words):
        return []
    rows = [[*line[:lead], " ".join(line[lead : len(line) - trail]), *line[len(line) - trail :]] for line in words]
    rows = [[cell.strip('"').strip() for cell in row] for row in rows]
    rows = _without_tissue(rows) if (lead, trail) == (1, 4) else rows
    found = (heads if heads and len(heads) == len(rows[0]) else None) or _heads_in(comments, None, len(rows[0]))
    return _under(found, rows) if found and len(rows[0]) > 1 else by_content(rows, blanks=True, centres=centres)


def _is_head(words: Sequence[Cells]) -> bool:
    """Say whether the first line has no number at an end where all others have, or is a word for names."""
    first, others = words[0], words[1:]
    if any(map(NUMBER.fullmatch, first)):
        return False
    return any(all(NUMBER.fullmatch(line[end]) for line in others) for end in (0, -1))


def _n_numbers(line: Cells) -> int:
    return next((n for n, word in enumerate(line) if not NUMBER.fullmatch(word)), len(line))


def _without_tissue(rows: list[list[str]]) -> list[list[str]]:
    """Take the first colour out of the name in FreeSurfer's lines that have a type of tissue after their colours."""
    alphas = {row[-1] for row in rows if not re.search(r"\s\d+$", row[1])}
    for row in rows:
        if re.fullmatch(r"\S+\s\d+", row[1]) and row[-2] in alphas and row[-1] not in alphas:
            row[1] = row[1].split()[0]
    return rows
