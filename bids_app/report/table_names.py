"""What the parts of a page are called for those who hear it: a table by its caption, or by the heading above it."""

import re
from bisect import bisect
from collections import Counter

SCROLLS = "Table, scrolls sideways"
LONGEST = 90  # characters
_SCROLLER = re.compile(f'aria-label="{SCROLLS}"')
_GROUP = re.compile(r'(role="group" aria-label=")(.*?)"')
_HEAD = re.compile(r"<(h[1-6]|summary)\b[^>]*>(.*?)</\1>", re.DOTALL)
_CAPTION = re.compile(r"<caption[^>]*>(.*?)</caption>", re.DOTALL)


def with_names(page: str) -> str:
    """Return a page whose scrolling tables are called by what is in them, and no two groups alike.

    Parameters
    ----------
    page : str
        HTML in which each is called `SCROLLS`.

    Examples
    --------
    >>> scroller = f'<div role="group" aria-label="{SCROLLS}"><table>'
    >>> page = f"<h2>Motion</h2>{scroller}</table>{scroller}</table>{scroller}<caption>By <b>arm</b></caption></table>"
    >>> re.findall('aria-label="(.*?)"', with_names(page))
    ['Motion: table, scrolls sideways', 'Motion, 2: table, scrolls sideways', 'By arm: table, scrolls sideways']
    """
    heads = [(found.end(), found[2]) for found in _HEAD.finditer(page)]
    ends = [end for end, _ in heads]

    def called(found: re.Match[str]) -> str:
        caption = _CAPTION.search(page, found.end(), max(page.find("</table>", found.end()), found.end()))
        above = bisect(ends, found.start())
        text = _plain(caption[1] if caption else heads[above - 1][1] if above else "")
        return f'aria-label="{text}: {SCROLLS[0].lower()}{SCROLLS[1:]}"' if text else found[0]

    return _numbered(_SCROLLER.sub(called, page))


def _numbered(page: str) -> str:
    """Give groups whose names are alike a number, from the second on."""
    times = Counter[str]()

    def numbered(found: re.Match[str]) -> str:
        times[found[2]] += 1
        name, colon, rest = found[2].partition(": ")
        number = f", {times[found[2]]}" if times[found[2]] > 1 else ""
        return f'{found[1]}{name}{number}{colon}{rest}"'

    return _GROUP.sub(numbered, page)


def _plain(text: str) -> str:
    """Return HTML as the text of an attribute, cut after a word where it is long."""
    words = " ".join(re.sub(r"<[^>]*>", " ", text).split()).replace('"', "&quot;")
    return words if len(words) <= LONGEST else words[:LONGEST].rpartition(" ")[0].rstrip(".,;:") + " …"
