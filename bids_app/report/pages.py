"""Pages: one self-contained HTML from a template."""

import base64
from importlib.resources import files
from pathlib import Path

import jinja2
import pandas as pd

from bids_app import __version__
from bids_app.bids.files import save_text


def write_page(path, template, **content):
    """Fill a template and write the page.

    Parameters
    ----------
    path : Path
    template : str
        Name of a file in ``data/templates``.
    **content
        What the template shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("bids_app") / "data" / "templates" / name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_or_nothing,
    )
    environment.filters |= {"number": number, "p": p_value, "embedded": embedded, "centre": centre, "near": near_level}
    save_text(path, environment.get_template(template).render(version=__version__, **content))


def _or_nothing(value):
    """Return what a cell shows: nothing where the table has nothing."""
    return "" if value is None or value is pd.NA or value != value else value


def embedded(path):
    """Return a picture, PNG or SVG, as a data address, so that the page needs no other file."""
    kind = "svg+xml" if Path(path).suffix == ".svg" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(Path(path).read_bytes()).decode()


def number(value, digits=3):
    """Write a number with so many significant digits; a dash for none.

    Examples
    --------
    >>> number(1234.5), number(0.012345), number(float("nan")), number(7)
    ('1,234', '0.0123', '–', '7')
    """
    if value is None or value != value or isinstance(value, str):
        return value if isinstance(value, str) and value != "n/a" else "–"
    if isinstance(value, int) or abs(float(f"{value:.{digits}g}")) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def centre(row):
    """Write where a parcel is, in whole mm; nothing where that is not known.

    Examples
    --------
    >>> centre({"x": 12.4, "y": -16.6, "z": -0.3}), centre({"x": float("nan"), "y": 1, "z": 2}), centre({})
    ('12, -17, 0', '', '')
    """
    places = [row.get(axis) for axis in "xyz"]
    return "" if pd.isna(places).any() else ", ".join(str(round(place)) for place in places)


def p_value(value):
    """Write a p value.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00004)
    ('0.031', '< 0.0001')
    """
    if value is None or value != value:
        return "–"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def near_level(p, design, errors=2):
    """Say by how much chance a p of random draws could cross the level; nothing where it is clear, or exact.

    Parameters
    ----------
    p : float
    design : dict
        Content of design.json: ``Alpha``, ``Draws`` and ``AllAllocationsEnumerated``.
    errors : float, optional
        How many Monte Carlo standard errors are near.

    Examples
    --------
    >>> near_level(0.048, {"Alpha": 0.05, "Draws": 1000, "AllAllocationsEnumerated": False})
    '± 0.0068 Monte Carlo: too near 0.05 to tell'
    >>> near_level(0.001, {"Alpha": 0.05, "Draws": 1000, "AllAllocationsEnumerated": False})
    ''
    """
    if p is None or p != p or design.get("AllAllocationsEnumerated", True) or "Draws" not in design:
        return ""
    error = (p * (1 - p) / design["Draws"]) ** 0.5
    if abs(p - design["Alpha"]) > errors * error:
        return ""
    return f"± {number(error, 2)} Monte Carlo: too near {design['Alpha']} to tell"
