"""What an array is: series or correlations, of r or of Fisher's z, which way round; by evidence, else asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bids_app.bids.values import counted
from bids_app.errors import DataError
from bids_app.importing import gretna
from bids_app.importing.array import Content
from bids_app.space.atlas_labels import unique_names

KINDS = ("series", "transposed", "matrix")
SCALES = ("r", "z", "spearman", "partial")
STATS = {"r": "pearsoncorrelation", "z": "pearsoncorrelation", "spearman": "spearmancorrelation"}
STATS |= {"partial": "partialcorrelation"}
TAKEN = {
    "r": "Pearson's r",
    "z": "Fisher's z, which was turned back into r",
    "spearman": "Spearman's correlation",
    "partial": "partial correlations",
}
ARTANH_OF_1, ARTANH_SPREAD = (7, 20), 1.5  # of 1 less what rounding takes, in single or double precision
ROUNDING = 1e-6  # of files in single precision, or of text
SHOWN = 6


@dataclass(frozen=True)
class Regions:
    """What is imported of one file.

    Attributes
    ----------
    values : float64 ndarray
        (T, R) series with NaN columns for regions without a signal, or (R, R) correlations of diagonal 1, NaN in the
        rows and columns of such regions.
    stat : str or None
        Of a matrix, which correlation it is, as names of files call it; None for series.
    names : list of str
    named : bool
        Whether the names were found; else they are ``region1`` to ``regionR``.
    coordinates : (R, 3) float64 ndarray or None
    tool : str or None
    said : tuple of str
        What was found and by what evidence, in whole sentences.
    """

    values: np.ndarray
    stat: str | None
    names: list[str]
    named: bool
    coordinates: np.ndarray | None
    tool: str | None
    said: tuple[str, ...]


def judge(
    content: Content, kind: str | None = None, scale: str | None = None, names: Sequence[str] | None = None
) -> Regions:
    """Say what an array is.

    Parameters
    ----------
    content : contents.Content
    kind : {"series", "transposed", "matrix"}, optional
        What it is said to be: volumes in rows, volumes in columns, or correlations.
    scale : {"r", "z", "spearman", "partial"}, optional
        What the correlations are said to be.
    names : sequence of str, optional
        Of the regions, where the file has none.

    Raises
    ------
    DataError
        The evidence leaves more than one meaning, or contradicts what is said.
    """
    given = list(names) if names is not None else content.names
    n_rows, n_columns = content.values.shape
    if kind is None and n_rows == n_columns:
        if not _symmetric(content.values):
            raise DataError(
                f"{content.called} is {n_rows} x {n_columns} and not symmetric: as many volumes as regions, or a "
                f"matrix that is no correlation? Say {', '.join(KINDS)} in the column kind."
            )
        kind = "matrix"
    if kind == "matrix":
        return _matrix(content, scale, given)
    values, how = _upright(content, kind, given)
    own, named = _settled(content, given, values.shape[1])
    found, said = _series(content.called, values, own)
    called = f"{content.called} are series of {len(values)} volumes in {values.shape[1]} regions ({how})."
    return Regions(found, None, own, named, content.coordinates, content.tool, (*content.said, called, *said))


def _upright(content: Content, kind: str | None, names: Sequence[str] | None) -> tuple[np.ndarray, str]:
    """Turn series so that volumes are rows: as it is said, or as names and the tool show."""
    values, n = content.values, None if names is None else len(names)
    if kind is not None:
        return (values.T if kind == "transposed" else values), "as the column kind says"
    if content.columns_are_regions:
        return values, "its columns have the names"
    if content.words == gretna.SERIES.lower():
        return values, "as GRETNA writes its time courses"
    if n is not None and n in values.shape:
        return (
            (values, "as many columns as names")
            if n == values.shape[1]
            else (values.T, "as many rows as names, turned")
        )
    if "roisignals" in content.words:
        return values, "as DPABI writes ROISignals"
    raise DataError(
        f"{content.called} is {values.shape[0]} x {values.shape[1]}: nothing says whether rows or columns are volumes. "
        "Say series (rows are volumes) or transposed in the column kind, or give the names of the regions by --regions."
    )


def _settled(content: Content, given: Sequence[str] | None, n_regions: int) -> tuple[list[str], bool]:
    """Return a name of its own for each region, and whether they were found."""
    if given is None:
        return [f"region{j}" for j in range(1, n_regions + 1)], False
    if len(given) != n_regions:
        raise DataError(f"{content.called} has {n_regions} regions, and there are {len(given)} names.")
    index = pd.Series(np.arange(1, n_regions + 1))
    clean = pd.Series([" ".join(str(name).split()) or f"region{j}" for j, name in zip(index, given, strict=True)])
    return [str(name) for name in unique_names(clean, index)], True


def _series(called: str, values: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Name regions without a signal, and refuse series with holes."""
    bad = ~np.isfinite(values)
    there, absent = ~bad.all(axis=1), bad.all(axis=0)
    holes = bad[there].any(axis=0) & ~absent
    if holes.any():
        n = int(bad[there][:, holes].any(axis=1).sum())
        listed = _list(np.flatnonzero(holes), names)
        raise DataError(f"{called}: values are missing at {counted(n, 'volume')} of {listed}.")
    steps = np.diff(values[there], axis=0)
    if (
        len(steps) > 2
        and (counts := (steps[0] != 0) & np.isclose(steps, steps[0], rtol=1e-3, atol=0).all(axis=0)).any()
    ):
        listed = _list(np.flatnonzero(counts), names)
        raise DataError(f"{called}: {listed} rises by steps of one size, as an index or a time does: take it out.")
    flat = ~absent & (np.ptp(np.where(absent, 0, values)[there], axis=0) == 0)
    said = []
    if not there.all():
        said.append(f"{called}: {counted(int((~there).sum()), 'volume')} without any value, taken for left out.")
    for which, what in ((absent, "without a value"), (flat, "that are constant, without a signal")):
        if which.any():
            said.append(f"{called}: regions {what}: {_list(np.flatnonzero(which), names)}.")
    if (absent | flat).all():
        raise DataError(f"{called}: no region has a signal.")
    return np.where(absent | flat, np.nan, values), said


def _matrix(content: Content, scale: str | None, given: Sequence[str] | None) -> Regions:
    values, called = content.values, content.called
    if values.shape[0] != values.shape[1] or not _symmetric(values):
        raise DataError(f"{called} is no matrix of correlations: it is not square and symmetric.")
    names, named = _settled(content, given, len(values))
    off = np.where(np.eye(len(values), dtype=bool), np.nan, values)
    empty = np.isnan(off).all(axis=1) | (np.nan_to_num(off, nan=0.0) == 0).all(axis=1)
    present = np.ix_(~empty, ~empty)
    inner, diagonal = off[present], np.diag(values)[~empty]
    if len(inner) < 2:
        raise DataError(f"{called}: no two regions have a correlation.")
    if holes := np.isnan(inner).sum() - len(inner):
        raise DataError(f"{called}: {holes // 2} correlations are missing of regions that have others.")
    scale, why = _scale(content, scale, np.abs(inner[~np.eye(len(inner), dtype=bool)]).max(), diagonal)
    r = np.tanh(inner) if scale == "z" else np.clip(inner, -1, 1)
    r = (r + r.T) / 2
    np.fill_diagonal(r, 1)
    whole = np.full(values.shape, np.nan)
    whole[present] = r
    said = [*content.said, f"{called} is a matrix of {len(values)} regions of {TAKEN[scale]} ({why})."]
    if empty.any():
        said.append(f"{called}: regions without a correlation: {_list(np.flatnonzero(empty), names)}.")
    return Regions(whole, STATS[scale], names, named, content.coordinates, content.tool, tuple(said))


def _scale(content: Content, given: str | None, largest: float, diagonal: np.ndarray) -> tuple[str, str]:
    """Say whether it is r or z: as is said, or by the range, the diagonal and the name."""
    called, above = content.called, largest > 1 + ROUNDING
    if given is not None and given != "z" and above:
        raise DataError(f"{called} is said to be {given}, and holds {largest:.3g}: correlations are at most 1.")
    if given is not None:
        return given, "as is said"
    ones = bool(np.allclose(diagonal, 1, atol=ROUNDING))
    of_one = np.isposinf(diagonal) | ((diagonal > max(largest, ARTANH_OF_1[0])) & (diagonal < ARTANH_OF_1[1]))
    beyond = bool(of_one.all()) and (np.isposinf(diagonal).any() or float(np.ptp(diagonal)) < ARTANH_SPREAD)
    blank = bool((np.isnan(diagonal) | (diagonal == 0)).all())
    named = "fisherz" in content.words
    if above and (beyond or blank):
        return "z", f"the largest is {largest:.3g}, above 1"
    if beyond and not above:
        return "z", "its diagonal is that of artanh"
    if named and blank:
        return "z", "its name says so"
    if content.words in (gretna.OF_R.lower(), gretna.OF_Z.lower()) and blank and not above:
        return content.words[-1], f"its folder is GRETNA's {gretna.OF_R[:-1]}{content.words[-1].upper()}"
    if ones and not above and not named:
        return "r", "its diagonal is 1, none is above; nothing would show another kind of correlation"
    if above:
        raise DataError(
            f"{called} holds {largest:.3g} off a diagonal of {diagonal.min():.3g} to {diagonal.max():.3g}: that is "
            "neither r nor Fisher's z; a covariance? Correlations are needed."
        )
    raise DataError(
        f"{called}: nothing says whether it holds r or Fisher's z. Say {', '.join(SCALES)} in the column scale."
    )


def _symmetric(values: np.ndarray) -> bool:
    """Say whether the values off the diagonal are the same on both sides."""
    both = np.isfinite(values) == np.isfinite(values.T)
    off = ~np.eye(len(values), dtype=bool)
    finite = np.isfinite(values) & np.isfinite(values.T) & off
    close = np.allclose(values[finite], values.T[finite], rtol=0, atol=ROUNDING)
    return bool(both[off].all() and close and finite.any())


def _list(where: Sequence[int] | np.ndarray, names: Sequence[str]) -> str:
    more = f" and {len(where) - SHOWN} more" if len(where) > SHOWN else ""
    return ", ".join(names[j] for j in where[:SHOWN]) + more
