"""What CONN leaves: series of regions by condition, and matrices of its first level.

Names and variables of the series are those that ``conn_process.m`` saves (step 7, denoising).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bids_app.bids.values import counted
from bids_app.errors import DataError
from bids_app.importing.array import Content, one_of

NO_REGION = ("Grey Matter", "White Matter", "CSF")  # what CONN calls the tissues among its regions
TOOL = "CONN"
BEFORE_DENOISING = re.compile(r"ROI_Subject\d+_Session\d+")


def is_series(held: Mapping[str, Any]) -> bool:
    """Say whether variables are those of ROI_Subject*_Condition*.mat."""
    return isinstance(held.get("data"), list) and isinstance(held.get("names"), list)


def is_matrix(held: Mapping[str, Any]) -> bool:
    """Say whether variables are those of resultsROI_*.mat."""
    return {"Z", "names", "names2"} <= set(held)


def read_series(path: Path, held: Mapping[str, Any], part: str | None, session: int | None) -> Content:
    """Read ROI_Subject*_Condition*.mat: a cell of series for each region, among them confounds and tissues.

    Parameters
    ----------
    path : Path
    held : dict
        Its variables.
    part : str or None
        Of the regions, those before whose dot it stands.
    session : int or None
        Of ROI_Subject*_Condition000.mat, which holds all sessions one behind the other, the one that is meant, from 1.

    Returns
    -------
    Content
        Volumes that are not of the condition, by its weights, are NaN.

    Raises
    ------
    DataError
        The series are those before denoising, or it is not certain which are meant.
    """
    if BEFORE_DENOISING.fullmatch(path.stem):
        raise DataError(
            f"{path.name} holds the series before CONN denoised them; those after it are "
            "results/preprocessing/ROI_Subject*_Condition*.mat."
        )
    series, names = held["data"], [str(name) for name in held["names"]]
    if len(series) != len(names):
        raise DataError(f"{path.name}: {len(series)} series have {len(names)} names.")
    single = [isinstance(one, np.ndarray) and one.size > 1 and 1 in one.shape for one in series]
    chosen = [j for j, name in enumerate(names) if single[j] and name not in NO_REGION]
    left = [name for j, name in enumerate(names) if j not in chosen]
    chosen = _in_part(path, names, chosen, part)
    lengths = {series[j].size for j in chosen}
    if len(lengths) != 1:
        raise DataError(f"{path.name}: its series are of {', '.join(map(str, sorted(lengths))) or 'no'} volumes.")
    values = np.column_stack([np.asarray(series[j], dtype=np.float64).ravel() for j in chosen])
    values, of_condition = _of_session(path, held, values, session)
    return Content(
        values,
        f"{path.name}: data",
        "conn",
        [names[j] for j in chosen],
        _places(held.get("xyz"), chosen),
        True,
        tool=TOOL,
        said=(*_left_out(path, left), *of_condition),
    )


def _of_session(
    path: Path, held: Mapping[str, Any], values: np.ndarray, session: int | None
) -> tuple[np.ndarray, list[str]]:
    """Keep the volumes of one session and of the condition; return them, and what is to be said of it."""
    sessions = held.get("data_sessions")
    if sessions is None:
        if session is not None:
            raise DataError(
                f"{path.name} does not say which volumes are of which session: leave the column index empty."
            )
        return _of_condition(path, values, held.get("conditionweights"), str(held.get("conditionname", "")))
    numbers = np.asarray(sessions).ravel()
    if len(numbers) != len(values):
        raise DataError(f"{path.name}: data_sessions has {len(numbers)} volumes, the series have {len(values)}.")
    there = sorted({int(one) for one in numbers})
    listed = ", ".join(map(str, there))
    if session is None and len(there) > 1:
        raise DataError(
            f"{path.name} holds sessions {listed} of CONN one behind the other: say which in the column index, in a "
            "row for each."
        )
    if session is not None and session not in there:
        raise DataError(f"{path.name}: index {session} is none of its sessions, {listed}.")
    names = held.get("conditionsnames")
    names = [str(one) for one in names] if isinstance(names, list) else [str(names)] if names else []
    of_session = numbers == (there[0] if session is None else session)
    said = [f"{path.name}: session {session} of {listed}."] if session is not None else []
    weights = held.get("conditionsweights")
    if len(names) == 1 and isinstance(weights, list) and len(weights) == 1:
        values, more = _of_condition(path, values, weights[0], names[0])
        return values[of_session], said + more
    if len(names) > 1 and session is None:
        raise DataError(
            f"{path.name} holds all conditions ({', '.join(names)}): give ROI_Subject*_Condition001.mat or another of "
            "the one that is meant, or say 1 in the column index for the whole session."
        )
    whole = f"{path.name}: all volumes of the session, whatever their condition ({', '.join(names)})."
    return values[of_session], [*said, whole] if names else said


def _of_condition(path: Path, values: np.ndarray, weights: Any, name: str) -> tuple[np.ndarray, list[str]]:
    """Set volumes of weight 0 to NaN; the first of a condition's weights are those that CONN correlates with."""
    if not isinstance(weights, list) or not weights or not isinstance(weights[0], np.ndarray):
        return values, []
    weight = np.asarray(weights[0], dtype=np.float64).ravel()
    if len(weight) != len(values):
        raise DataError(
            f"{path.name}: the weights of the condition are of {len(weight)} volumes, the series of {len(values)}."
        )
    out = ~(weight > 0)
    if out.all():
        raise DataError(f"{path.name}: no volume is of the condition {name}.")
    said = [f"{path.name}: the condition is {name}."] if name else []
    if out.any():
        said.append(f"{path.name}: {counted(int(out.sum()), 'volume')} of weight 0 left out: not of the condition.")
    if np.ptp(weight[~out]) > 0.01:
        said.append(
            f"{path.name}: CONN weighs the volumes of this condition by {weight[~out].min():.2g} to "
            f"{weight[~out].max():.2g}; here each counts the same."
        )
    return np.where(out[:, None], np.nan, values), said


def _left_out(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    return (f"{path.name}: left out as no regions: {', '.join(names)}.",) if names else ()


def read_matrix(path: Path, held: Mapping[str, Any], part: str | None, index: int | None) -> Content:
    """Read resultsROI_*.mat: Z of names by names2, which begin with the names or hold them elsewhere."""
    names, names2 = ([str(name) for name in held[key]] for key in ("names", "names2"))
    values = one_of(path, np.asarray(held["Z"], dtype=np.float64), index)
    if values.shape != (len(names), len(names2)):
        raise DataError(
            f"{path.name}: Z is {values.shape[0]} x {values.shape[1]}, its names {len(names)} x {len(names2)}."
        )
    chosen = [j for j, name in enumerate(names) if name in names2 and name not in NO_REGION]
    left = [name for j, name in enumerate(names) if j not in chosen]
    chosen = _in_part(path, names, chosen, part)
    columns = [names2.index(names[j]) for j in chosen]
    return Content(
        values[np.ix_(chosen, columns)],
        f"{path.name}: Z",
        "connfisherz",
        [names[j] for j in chosen],
        _places_of_matrix(held.get("xyz"), names, names2, chosen),
        tool=TOOL,
        said=_left_out(path, left),
    )


def _places_of_matrix(
    cells: Any, names: Sequence[str], names2: Sequence[str], chosen: Sequence[int]
) -> np.ndarray | None:
    """Return the centres of the chosen regions, of whichever of the two lists of names they are as many as."""
    if not isinstance(cells, list) or len(cells) not in (len(names), len(names2)):
        return None
    if len(cells) == len(names2):
        return _places(cells, [names2.index(names[j]) for j in chosen])
    return _places(cells, chosen)


def _in_part(path: Path, names: Sequence[str], chosen: list[int], part: str | None) -> list[int]:
    """Keep the regions of one parcellation, which CONN names before a dot; overlapping ones are no graph."""
    parts = list(dict.fromkeys(names[j].partition(".")[0] for j in chosen if "." in names[j]))
    if part is not None:
        kept = [j for j in chosen if names[j].startswith(f"{part}.")]
        if not kept:
            raise DataError(f"{path.name}: no region of {part}; there are {', '.join(parts) or 'none'}.")
        return kept
    if len(parts) > 1:
        raise DataError(
            f"{path.name} holds several parcellations, which overlap: {', '.join(parts)}. Choose with --part."
        )
    return chosen


def _places(cells: Any, chosen: Sequence[int]) -> np.ndarray | None:
    """Return the centres of the chosen regions where every one has three numbers."""
    if not isinstance(cells, list) or any(j >= len(cells) for j in chosen):
        return None
    found = [cells[j] for j in chosen]
    if not all(isinstance(one, np.ndarray) and one.size == 3 and one.dtype.kind in "iuf" for one in found):
        return None
    places = np.array([one.ravel() for one in found], dtype=np.float64)
    return places if np.isfinite(places).all() and len(np.unique(places, axis=0)) > 1 else None
