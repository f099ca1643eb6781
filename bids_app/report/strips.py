"""Strip plots: every scan a dot, a lane for each visit, as numbers that a template draws as SVG."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

WIDTH, LEFT, RIGHT = 400, 10, 390  # of the drawing, and of what lies between its smallest and largest value
LANE, HEAD, FOOT = 54, 15, 18  # height of a lane, of the words above it, of the axis below all
RADIUS = 3.5
SPREAD = (LANE - HEAD) / 2 - RADIUS  # how far from the middle of its lane a dot may lie


@dataclass(frozen=True)
class Dot:
    """One scan: where it is drawn, what it is called, and whether it lies far from the others."""

    x: float
    y: float
    text: str
    page: str | None
    outlier: bool


@dataclass(frozen=True)
class Lane:
    """The scans of one visit, from the smallest value to the largest, and their median."""

    name: str
    y: float
    median: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Strip:
    """One measure at every visit.

    Attributes
    ----------
    title : str
    lanes : tuple of Lane
    ticks : tuple of (float, float)
        Place and value.
    height : float
    outliers : int
    """

    title: str
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, float], ...]
    height: float
    outliers: int


def strip(scans: pd.DataFrame, measure: str, title: str) -> Strip | None:
    """Lay out one measure of all scans.

    Parameters
    ----------
    scans : DataFrame
        With the measure, ``lane``, ``text`` (name and value), ``page`` and ``outliers`` (names of measures, or None).
    measure, title : str

    Returns
    -------
    Strip or None
        None where no scan has a value.
    """
    known = scans[np.isfinite(scans[measure].astype(float))].sort_values(measure, kind="stable")
    if known.empty:
        return None
    low, high = float(known[measure].iloc[0]), float(known[measure].iloc[-1])
    if low == high:
        low, high = low - (abs(low) or 1) / 20, high + (abs(high) or 1) / 20

    def place(value: Any) -> Any:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    lanes = tuple(
        _lane(str(name), number, own, place(own[measure].to_numpy(float)), measure)
        for number, (name, own) in enumerate(known.groupby("lane"))
    )
    ticks = [tick for tick in MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high) if low <= tick <= high]
    height = len(lanes) * LANE + FOOT
    outliers = sum(dot.outlier for lane in lanes for dot in lane.dots)
    return Strip(title, lanes, tuple((round(place(tick), 1), float(tick)) for tick in ticks), height, outliers)


def _lane(name: str, number: int, scans: pd.DataFrame, x: np.ndarray, measure: str) -> Lane:
    middle = number * LANE + HEAD + (LANE - HEAD) / 2
    rows = zip(x, spread_out(x), scans["text"], scans["page"], scans["outliers"], strict=True)
    dots = tuple(
        Dot(round(float(at), 1), round(middle + float(off), 1), text, page, measure in str(far or "").split(", "))
        for at, off, text, page, far in rows
    )
    return Lane(f"{name}, {len(scans)}", middle, round(float(np.median(x)), 1), dots)


def spread_out(x: np.ndarray) -> np.ndarray:
    """Move dots that would lie on each other apart, up and down in turn, and no further than the lane is high.

    Parameters
    ----------
    x : (n,) ndarray
        Places in the order of drawing.

    Returns
    -------
    (n,) ndarray
        Distance from the middle of the lane.

    Examples
    --------
    >>> spread_out(np.array([0.0, 1.0, 2.0, 50.0])).tolist()
    [0.0, -7.0, 7.0, 0.0]
    """
    columns: list[Hashable] = (x // (2 * RADIUS)).astype(int).tolist()
    sizes, seen = Counter(columns), Counter[Hashable]()
    moved = np.zeros(len(x))
    for place, column in enumerate(columns):
        rank = (seen[column] + 1) // 2 * (-1 if seen[column] % 2 else 1)
        seen[column] += 1
        moved[place] = rank * min(2 * RADIUS, SPREAD / max(sizes[column] // 2, 1))
    return moved
