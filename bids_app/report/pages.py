"""Pages: one self-contained HTML from a template."""

import base64
import io
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from PIL import Image

from bids_app import __version__
from bids_app.bids.files import save_text
from bids_app.bids.values import counted
from bids_app.report.table_names import with_names
from bids_app.report.words import in_words, said
from bids_app.trial.comparison_record import Inference

WIDEST, QUALITY = 2000, 78  # pixels: sharp where a point of the page has two; of WebP


def write_page(path: Path, template: str, **content: Any) -> None:
    """Fill a template and write the page.

    Parameters
    ----------
    path : Path
    template : str
        Name of a file in ``data/templates``.
    **content
        What the template shows.
    """
    save_text(path, filled(template, **content))


def filled(template: str, **content: Any) -> str:
    """Return a template with its content, as `write_page` writes it."""
    return with_names(_environment().get_template(template).render(version=__version__, **content))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("bids_app") / "data" / "templates" / name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_or_nothing,
    )
    environment.filters |= {"number": number, "fixed": fixed, "span": span, "spread": spread, "p": p_value}
    environment.filters |= {"near": near_level, "embedded": embedded, "light": light, "centre": centre}
    environment.filters |= {"said": said, "in_words": in_words}
    environment.filters["counted"] = counted
    return environment


def _or_nothing(value: Any) -> Any:
    """Return what a cell shows: nothing where the table has nothing."""
    return "" if value is None or value is pd.NA or value != value else value


def embedded(path: Path) -> str:
    """Return a picture, PNG or SVG, as a data address, so that the page needs no other file."""
    kind = "svg+xml" if Path(path).suffix == ".svg" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(Path(path).read_bytes()).decode()


def light(path: Path) -> str:
    """Return a picture as `embedded`, PNG as lossy WebP of at most `WIDEST` pixels: the file itself can be linked to.

    A page of a comparison has some fifty, which made 9 MB as they are in their files.
    """
    if path.suffix != ".png":
        return embedded(path)
    held = io.BytesIO()
    with Image.open(path) as image:
        shown = image.convert("RGB")
        if shown.width > WIDEST:
            shown = shown.resize((WIDEST, round(shown.height * WIDEST / shown.width)), Image.Resampling.LANCZOS)
        shown.save(held, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(held.getvalue()).decode()


def number(value: float | str | None, digits: int = 3) -> str:
    """Write a number with so many significant digits; a dash for none.

    Examples
    --------
    >>> number(1234.5), number(0.012345), number(float("nan")), number(7), number(-0.0)
    ('1,234', '0.0123', '–', '7', '0')
    """
    if value is None or value != value or isinstance(value, str):
        return value if isinstance(value, str) and value != "n/a" else "–"
    if isinstance(value, int) or abs(float(f"{value:.{digits}g}")) >= 10**digits:
        return _signed(f"{value:,.0f}")
    return _signed(f"{value + 0:.{digits}g}")  # -0.0 + 0 is 0.0


def fixed(value: float | None, decimals: int = 2) -> str:
    """Write a number with so many decimals, as all of a column are; a dash for none.

    Examples
    --------
    >>> fixed(-1.7), fixed(1234.5678), fixed(float("nan")), fixed(-0.001)
    ('−1.70', '1,234.57', '–', '0.00')
    """
    if value is None or value != value:
        return "–"
    return _signed(f"{round(value, decimals) + 0:,.{decimals}f}")


def interval(row: Mapping[str, Any], name: str, low: str, high: str, decimals: int | None = None) -> str:
    """Write an estimate with its 95 % confidence interval, all three with as many decimals as `decimals_of` says.

    Examples
    --------
    >>> interval({"x": 0.5, "a": -0.25, "b": 1.25}, "x", "a", "b")
    '0.50 (95 % CI −0.25 to 1.25)'
    """
    decimals = decimals_of([row[name], row[low], row[high]]) if decimals is None else decimals
    return f"{fixed(row[name], decimals)} (95 % CI {fixed(row[low], decimals)} to {fixed(row[high], decimals)})"


def span(row: Mapping[str, Any], name: str, low: str, high: str, decimals: int | None = None) -> str:
    """Write an estimate with its interval for a column whose head says so, as `interval`.

    Examples
    --------
    >>> span({"x": 0.5, "a": -0.25, "b": 1.25}, "x", "a", "b")
    '0.50 (−0.25 to 1.25)'
    """
    return interval(row, name, low, high, decimals).replace("95 % CI ", "")


def spread(mean: float | None, deviation: float | None, decimals: int | None = None) -> str:
    """Write a mean with its standard deviation, both with the decimals of the larger.

    Examples
    --------
    >>> spread(5.7, 0.149), spread(0.1049, 0.00871, 3), spread(None, None)
    ('5.70 (0.15)', '0.105 (0.009)', '–')
    """
    if mean is None or mean != mean:
        return "–"
    decimals = decimals_of([mean, deviation]) if decimals is None else decimals
    return f"{fixed(mean, decimals)} ({fixed(deviation, decimals)})"


def decimals_of(values: Iterable[float | None]) -> int:
    """Return how many decimals show three digits of the largest value: two from 1 to 10, and at least two below.

    Examples
    --------
    >>> [decimals_of([value]) for value in (0.00456, 0.3, 8.06, 45.0, 40116600.0)], decimals_of([float("nan")])
    ([5, 3, 2, 1, 0], 2)
    """
    largest = max((abs(value) for value in values if value is not None and value == value), default=1.0)
    if largest == 0 or largest == float("inf"):
        return 2
    return min(max(2 - math.floor(math.log10(largest)), 0), 6)


def _signed(text: str) -> str:
    return text.replace("-", "−")


def centre(row: Mapping[str, Any]) -> str:
    """Write where a parcel is, in whole mm; nothing where that is not known.

    Examples
    --------
    >>> centre({"x": 12.4, "y": -16.6, "z": -0.3}), centre({"x": float("nan"), "y": 1, "z": 2}), centre({})
    ('12, −17, 0', '', '')
    """
    places: list[Any] = [row.get(axis) for axis in "xyz"]
    return "" if pd.isna(places).any() else ", ".join(fixed(place, 0) for place in places)


def p_value(value: float | None) -> str:
    """Write a p value.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00004)
    ('0.031', '< 0.0001')
    """
    if value is None or value != value:
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def near_level(p: float | None, inference: Inference, errors: float = 2) -> str:
    """Say by how much chance a p of random draws could cross the level; nothing where it is clear, or exact.

    Parameters
    ----------
    p : float or None
    inference : comparison_record.Inference
    errors : float, optional
        How many Monte Carlo standard errors are near.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> inference = SimpleNamespace(alpha=0.05, draws=1000, all_allocations_enumerated=False)
    >>> near_level(0.048, inference)
    '± 0.0068 Monte Carlo: too near 0.05 to tell'
    >>> near_level(0.001, inference)
    ''
    """
    if p is None or p != p or inference.all_allocations_enumerated:
        return ""
    error = (p * (1 - p) / inference.draws) ** 0.5
    if abs(p - inference.alpha) > errors * error:
        return ""
    return f"± {number(error, 2)} Monte Carlo: too near {inference.alpha} to tell"
