"""Which columns of a table of labels are the labels and the names: by their heads, without heads by their content."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bids_app.errors import DataError

WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
MISSING = ("", "n/a", "na", "nan", "none")  # of labels and numbers: a name may be NA
EITHER = ("label", "labels", "roi", "rois", "region", "regions", "parcel", "parcels", "structure", "area", "node")
OF_LABELS = (
    *("index", "indices", "idx", "id", "value", "values", "key", "number", "no", "nr", "num", "code", "intensity"),
    *("grayvalue", "greyvalue", "graylevel", "voxelvalue", "imagevalue", "position", "ordinal", "colorcode"),
    *(f"{what}{kind}" for what in EITHER for kind in ("index", "idx", "id", "value", "key", "number", "no", "nr")),
    *EITHER,
)
OF_NAMES = (
    *("name", "names", "labelname", "roiname", "regionname", "parcelname", "structurename", "areaname", "nodename"),
    *EITHER,
    *("fullname", "longname", "anatomicalname", "anatomicallabel", "description", "title"),
    *("abbreviation", "abbrev", "abbr", "acronym", "shortname", "labelabbreviation", "roiabbr"),
)
OF_HEMISPHERES = ("hemisphere", "hemi", "side", "laterality")
OF_NETWORKS = ("network", "networkname", "networks", "system")
OF_OTHERS = (
    *("r", "g", "b", "a", "x", "y", "z", "red", "green", "blue", "alpha", "color", "colour", "rgb", "hex"),
    *("vis", "msh", "size", "volume", "nvoxels", "mapping", "lobe", "tissue", "tissuetype", "coverage", "nnodes"),
    *("radius", *OF_HEMISPHERES, *OF_NETWORKS),
)
IN_ORDER = "; it has no labels, so that its names are taken for those of the image's labels in increasing order"


Cells = Sequence[str]  # of a row or a column


@dataclass(frozen=True)
class Reading:
    """One way in which a table of labels can be read.

    Attributes
    ----------
    form : str
        What it is taken for, as the log says it.
    table : DataFrame
        index and name, and network if there is one; without index, the names are in the order of the labels.
    """

    form: str
    table: pd.DataFrame


def has_head(rows: Sequence[Cells]) -> bool:
    """Say whether the first row of some are heads: it holds no number where the others do, or known words."""
    first, others = rows[0], rows[1:]
    if any(NUMBER.fullmatch(cell) for cell in first):
        return False
    numeric = any(_are(NUMBER, [row[j] for row in others]) for j in range(len(first)))
    known = {plain(cell) for cell in first} & {*OF_LABELS, *OF_NAMES}
    return numeric or bool(known and others)


def plain(head: str) -> str:
    """Return a head's letters and digits in lower case."""
    return re.sub(r"[\W_]", "", head.lower())


def by_heads(heads: Cells, rows: Sequence[Cells]) -> list[Reading]:
    """Return each way to read rows under heads.

    Raises
    ------
    DataError
        No column can be the names, or what must be labels are none.
    """
    columns = _columns(rows)
    words = [plain(head) for head in heads]
    labels = _label_columns(heads, words, columns)
    name = _name_column(words, columns, labels)
    if name is None:
        raise DataError(
            f"a column of labels and one of names are needed, index and name; there are {', '.join(heads)}."
        )
    network = _first(words, OF_NETWORKS)
    more = {} if network is None else {"network": columns[network]}
    names = _with_side(columns[name], words, columns)
    if not labels:
        return [Reading(f"a table with the column {heads[name]}{IN_ORDER}", pd.DataFrame({"name": names, **more}))]
    return [
        Reading(f"a table with the columns {heads[j] or 1 + j} and {heads[name]}", _table(columns[j], names, **more))
        for j in labels
    ]


def _label_columns(heads: Cells, words: Cells, columns: Sequence[Cells]) -> list[int]:
    """Return the columns of whole numbers under a head of labels, else under one that is not known."""
    whole = [j for j, column in enumerate(columns) if _are(WHOLE, column)]
    labels = [j for j in whole if words[j] in OF_LABELS]
    for j, word in enumerate(words):
        if j not in whole and (word == "index" or (not labels and word in OF_LABELS and word not in EITHER)):
            wrong = next((cell for cell in columns[j] if not WHOLE.fullmatch(cell)), "")
            raise DataError(f"the column {heads[j]} must hold whole numbers, it holds {wrong!r}.")
    return labels or [j for j in whole if words[j] not in (*OF_OTHERS, *OF_NAMES)]


def _name_column(words: Cells, columns: Sequence[Cells], labels: Collection[int]) -> int | None:
    """Return where the names are: under the best known head, else in the only column of words; None without."""
    for word in OF_NAMES:
        for j, found in enumerate(words):
            if found == word and j not in labels and ("name" in word or not _are(NUMBER, columns[j])):
                return j
    others = [j for j, word in enumerate(words) if word not in OF_OTHERS and not _are(NUMBER, columns[j])]
    return others[0] if len(others) == 1 and labels else None


def _with_side(names: Cells, words: Cells, columns: Sequence[Cells]) -> Cells:
    """Put the hemisphere before names that several labels have, where a column tells it."""
    side = _first(words, OF_HEMISPHERES)
    if side is None or len(set(names)) == len(names):
        return names
    return [f"{which} {name}".strip() for which, name in zip(columns[side], names, strict=True)]


def _first(words: Cells, known: Collection[str]) -> int | None:
    return next((j for j, word in enumerate(words) if word in known), None)


def by_content(rows: Sequence[Cells], *, blanks: bool = False, centres: bool = False) -> list[Reading]:
    """Return each way to read rows without heads; none if it is not known what they are.

    Parameters
    ----------
    rows : list of list of str
        All of one length; with ``blanks``, the second to last words of a line between numbers are one cell.
    blanks : bool
        The cells were separated by blanks alone.
    centres : bool
        It is known to be a table of BrainNet Viewer.

    Returns
    -------
    list of Reading
    """
    columns = _columns(rows)
    kinds = "".join("i" if _are(WHOLE, c) else "n" if _are(NUMBER, c) else "t" for c in columns)
    if re.fullmatch("[in]{5}t", kinds) and (centres or not _are_colours(columns[1:5])):
        return [Reading(f"nodes of BrainNet Viewer{IN_ORDER}", pd.DataFrame({"name": columns[5]}))]
    if centres:
        return []
    if kinds == "t":
        return [] if _numbered(columns[0]) else [Reading(f"names line by line{IN_ORDER}", _names(columns[0]))]
    for pattern, reader in _FORMS.items():
        if re.fullmatch(pattern, kinds):
            return reader(columns, blanks)
    return []


def _plain(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    names = [" ".join(cells).strip() for cells in zip(*columns[1:], strict=True)]
    return [Reading("a label and its name per line", _table(columns[0], names))]


def _colours_after(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    """Read a label, its name, R, G, B and A: what is left of more numbers belongs to the name, as in Area 44."""
    numbers = columns[2:]
    n_colours = min(len(numbers), 4)
    if not _are_colours(numbers[-n_colours:]):
        whole = all(_are(WHOLE, column) and not any(c.startswith("-") for c in column) for column in numbers)
        return [] if blanks and whole else [Reading("a label, its name and numbers per line", _table(*columns[:2]))]
    names: Cells = columns[1]
    if blanks and len(numbers) > n_colours:
        names = [" ".join(cells) for cells in zip(columns[1], *numbers[:-n_colours], strict=True)]
    return [Reading("a table of colours as FreeSurfer has it", _table(columns[0], names))]


def _colours_before(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    if not _are_colours(columns[1:4]):
        return []
    form = "labels of ITK-SNAP" if len(columns) == 8 else "a label, its colours and its name per line"
    return [Reading(form, _table(columns[0], columns[-1]))]


def _code_after(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    """Read a number, a name and a number, as MRIcron has AAL: either can be the label."""
    first, names, last = columns
    if first == last:
        return [Reading("a label, its name and the label again per line, as AAL3 has them", _table(first, names))]
    is_code = len(set(last)) == len(last) and len(set(names)) == len(names)
    if is_code and all(int(float(code)) >= 1000 for code in last):
        return [
            Reading("a number, a name and a code per line, as AAL has them, by its first column", _table(first, names)),
            Reading("a number, a name and a code per line, as AAL has them, by its codes", _table(last, names)),
        ]
    if not blanks:
        return [
            Reading(f"a number, a name and a number per line, by its {which} column", _table(labels, names))
            for which, labels in (("first", first), ("last", last))
        ]
    whole = [f"{name} {number}" for name, number in zip(names, last, strict=True)]
    return [Reading("a label and its name per line", _table(first, whole))] + (
        [Reading("a number, a name and a label per line", _table(last, names))] if is_code else []
    )


def _two_numbers(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    return [
        Reading(f"two numbers and a name per line, by its {which} column", _table(labels, columns[2]))
        for which, labels in zip(("first", "second"), columns, strict=False)
    ]


def _label_last(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    names, labels = columns
    words = [name.split() for name in names]
    if blanks and all(len(word) == 2 for word in words) and _are_abbreviations(*zip(*words, strict=True)):
        return _abbreviated([*zip(*words, strict=True), labels], blanks)
    unique = len(set(labels)) == len(labels)
    found = [Reading("a name and its label per line", _table(labels, names))] if unique else []
    if blanks and not (unique and len(set(names)) == len(names)):
        whole = [" ".join(cells) for cells in zip(names, labels, strict=True)]
        found.append(Reading(f"names line by line{IN_ORDER}", pd.DataFrame({"name": whole})))
    return found


def _abbreviated(columns: Sequence[Cells], blanks: bool) -> list[Reading]:
    short, names, labels = columns
    if not _are_abbreviations(short, names):
        names = [" ".join(cells) for cells in zip(short, names, strict=True)]
    return [Reading("an abbreviation, a name and a label per line, as AAL has them", _table(labels, names))]


def _are_abbreviations(words: Cells, names: Cells) -> bool:
    """Say whether words before names can be left out: they are in capitals and tell no sides apart."""
    capitals = all(re.fullmatch(r"[A-Z0-9_.-]+", word) for word in words)
    return capitals and len(set(names)) == len(names) and not set(words) <= {"L", "R", "LH", "RH", "LEFT", "RIGHT"}


_FORMS = {
    "it+": _plain,
    "iit": _two_numbers,
    "iti": _code_after,
    "ti": _label_last,
    "tti": _abbreviated,
    "i[in]{3}t|i[in]{4}t|i[in]{6}t": _colours_before,
    "it[in]{3,5}|itn": _colours_after,
}


def _names(column: Cells) -> pd.DataFrame:
    names = [cell for cell in column if cell]
    return pd.DataFrame({"name": names[1:] if plain(names[0]) in OF_NAMES else names})


def _numbered(column: Cells) -> bool:
    """Say whether lines begin with a number and a separator, or with one count: they are no names alone."""
    counts = [found[1] for cell in column if (found := re.match(r"(\d+)[._-]", cell))]
    counted = len(column) > 1 and len(set(counts)) == len(column)
    return counted or any(re.match(r"\W?\d+\W?\s*[,;:=|)]", cell) for cell in column)


def _table(labels: Cells, names: Cells, **more: Any) -> pd.DataFrame:
    table = pd.DataFrame({"index": labels, "name": names, **more}, dtype=object)
    table = table[table["index"].map(lambda cell: cell.lower() not in MISSING)]
    return table.assign(index=[int(cell.partition(".")[0]) for cell in table["index"]])


def _columns(rows: Iterable[Cells]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _are(pattern: re.Pattern[str], cells: Iterable[str]) -> bool:
    """Say whether all cells that are not missing match, and some do."""
    there = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(there) and all(pattern.fullmatch(cell) for cell in there)


def _are_colours(columns: Iterable[Cells]) -> bool:
    cells = [cell for column in columns for cell in column]
    return all(NUMBER.fullmatch(cell) and 0 <= float(cell) <= 255 for cell in cells)
