"""Pages: one self-contained HTML from a template."""

import base64
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from bids_app import __version__
from bids_app.bids.files import save_text
from bids_app.bids.values import counted
from bids_app.trial.comparison_record import Inference


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
    return _environment().get_template(template).render(version=__version__, **content)


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
    environment.filters |= {"number": number, "p": p_value, "embedded": embedded, "centre": centre, "near": near_level}
    environment.filters["counted"] = counted
    return environment


def _or_nothing(value: Any) -> Any:
    """Return what a cell shows: nothing where the table has nothing."""
    return "" if value is None or value is pd.NA or value != value else value


def embedded(path: Path) -> str:
    """Return a picture, PNG or SVG, as a data address, so that the page needs no other file."""
    kind = "svg+xml" if Path(path).suffix == ".svg" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(Path(path).read_bytes()).decode()


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
        return f"{value:,.0f}"
    return f"{value + 0:.{digits}g}"  # -0.0 + 0 is 0.0


def centre(row: Mapping[str, Any]) -> str:
    """Write where a parcel is, in whole mm; nothing where that is not known.

    Examples
    --------
    >>> centre({"x": 12.4, "y": -16.6, "z": -0.3}), centre({"x": float("nan"), "y": 1, "z": 2}), centre({})
    ('12, -17, 0', '', '')
    """
    places: list[Any] = [row.get(axis) for axis in "xyz"]
    return "" if pd.isna(places).any() else ", ".join(str(round(place)) for place in places)


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
