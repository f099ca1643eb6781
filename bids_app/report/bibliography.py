"""References: where they are kept, how they are written in a text and in BibTeX."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

CITED = re.compile(r"\[@([\w; @]+)\]")


@cache
def bibliography() -> dict[str, dict[str, str]]:
    """Return all references by key, each a dict of BibTeX fields."""
    return tomllib.loads((files("bids_app") / "data" / "bibliography.toml").read_text("utf-8"))


def key_of(reference: str) -> str:
    """Return the key of what a text with a DOI refers to.

    Examples
    --------
    >>> key_of("Watts & Strogatz 1998, doi:10.1038/30918")
    'watts1998'
    """
    return next(key for key, entry in bibliography().items() if "doi" in entry and entry["doi"] in reference)


def cited(text: str) -> list[str]:
    """Return the keys that a text cites as ``[@key; @key]``, in order, each once."""
    keys = [key.strip(" @") for group in CITED.findall(text) for key in group.split(";")]
    return list(dict.fromkeys(keys))


def spelled_out(text: str) -> str:
    """Put authors and year in the place of keys, in parentheses unless they stand in some.

    Examples
    --------
    >>> spelled_out("clustering [@watts1998; @rubinov2010]")
    'clustering (Watts & Strogatz 1998; Rubinov & Sporns 2010)'
    >>> spelled_out("(26 regressors; [@watts1998])")
    '(26 regressors; Watts & Strogatz 1998)'
    """

    def said(group: re.Match[str]) -> str:
        before, names = text[: group.start()], "; ".join(map(_short, cited(group.group())))
        return names if before.count("(") > before.count(")") else f"({names})"

    return CITED.sub(said, text)


def _short(key: str) -> str:
    entry = bibliography()[key]
    families = [author.partition(",")[0] for author in entry["author"].split(" and ")]
    names = f"{families[0]} et al." if len(families) > 2 else " & ".join(families)
    return f"{names} {entry['year']}"


def in_full(key: str) -> str:
    """Return a reference as it stands in a list."""
    entry = bibliography()[key]
    authors = entry["author"].replace(" and others", " et al.").split(" and ")
    where = entry.get("journal") or entry.get("booktitle")
    numbers = ", ".join(entry[field] for field in ("volume", "pages") if field in entry)
    doi = f" https://doi.org/{entry['doi']}" if "doi" in entry else ""
    return f"{'; '.join(authors)} ({entry['year']}). {entry['title']}. {where}{', ' + numbers if numbers else ''}.{doi}"


def bibtex(keys: Iterable[str]) -> str:
    """Return BibTeX of some references."""
    return "\n".join(_bibtex(key, bibliography()[key]) for key in keys)


def _bibtex(key: str, entry: Mapping[str, str]) -> str:
    fields = [f"  {name} = {{{value}}}," for name, value in entry.items() if name != "type"]
    return "\n".join([f"@{entry['type']}{{{key},", *fields, "}", ""])
