"""Where a design is thin: who is fitted exactly, and whose arm cannot be exchanged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bids_app.bids.findings import Finding
from bids_app.bids.values import people
from bids_app.trial.wording import PARALLEL, Wording

if TYPE_CHECKING:  # which asks this module where it is thin
    from bids_app.group.sample import Sample

EXACT = 1 - 1e-8
REFERENCE = "the reference"


def thin_places(sample: "Sample", arms: Sequence[str], words: Wording = PARALLEL) -> Iterator[Finding]:
    """Say which participants and groups the comparison learns nothing from.

    Parameters
    ----------
    sample : sample.Sample
    arms : sequence of str
        Their names, in the order of their numbers.
    words : Wording, optional
        What is said of them.

    Yields
    ------
    Finding

    Notes
    -----
    A participant whose leverage in the columns that the arms are adjusted for is 1 has a residual of zero whatever
    the outcome, and so has no weight in the difference between the arms: the only member of a level, for example.
    """
    yield from _exact(sample.covariates.index.to_numpy(), _columns(sample), words)
    if len(arms) == 1:
        return
    if sample.strata is not None and (found := _one_arm(sample.strata, sample.arm, arms)):
        text = words.of("In strata of one arm only no exchange of arms is possible; they say nothing of the difference")
        text = f"{text}: {found}."
        yield Finding("Strata", text, warning=True)
    for name, levels in _categories(sample.covariates):
        if found := _one_arm(levels, sample.arm, arms):
            text = words.of("has levels of one arm only, which say nothing of the difference between the arms")
            yield Finding("Covariates", f"{name} {text}: {found}.", warning=True)


def _columns(sample: "Sample") -> dict[str, np.ndarray]:
    """Return what the arms are adjusted for, by the name of the column."""
    columns = {"intercept": np.ones(len(sample.arm))}
    columns |= {str(name): values.to_numpy(float) for name, values in sample.covariates.items()}
    if sample.strata is not None:
        columns |= {f"stratum {one}": (sample.strata == one).astype(float) for one in np.unique(sample.strata)[1:]}
    return columns


def _exact(names: np.ndarray, columns: Mapping[str, np.ndarray], words: Wording) -> Iterator[Finding]:
    """Say who is fitted exactly, and what these have alone."""
    design = np.column_stack(list(columns.values()))
    basis = np.linalg.svd(design / np.maximum(np.abs(design).max(axis=0), 1e-300), full_matrices=False)
    rank = np.count_nonzero(basis.S / basis.S[0] > 1e-10)
    leverage = (basis.U[:, :rank] ** 2).sum(axis=1)
    if rank == len(names) or not (leverage > EXACT).any():
        return
    found = []
    for row in np.flatnonzero(leverage > EXACT):
        own = [label for label, values in columns.items() if _alone(values, row)]
        found.append(people([names[row]]) + (f" ({', '.join(own)} alone)" if own else ""))
    text = words.of(
        "Fitted exactly by what the arms are adjusted for, and so of no weight in the difference between the arms"
    )
    yield Finding("Covariates", f"{text}: {_some(found)}.", warning=True)


def _alone(values: np.ndarray, row: int) -> bool:
    """Say whether one participant has a value that all the others share another one of."""
    others = np.delete(values, row)
    return np.ptp(others) == 0 and values[row] != others[0]


def _categories(covariates: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Return the level of each participant, None where it is not known, of every covariate that is a category."""
    dummies: dict[str, dict[str, np.ndarray]] = {}
    unknown: Any = None
    for label in covariates:
        name, bracket, level = str(label).partition("[")
        if bracket and level.endswith("]"):
            dummies.setdefault(name, {})[level[:-1]] = covariates[label].to_numpy()
    for name, levels in dummies.items():
        values = np.column_stack(list(levels.values()))
        names = np.array([*levels, REFERENCE], dtype=object)
        found = names[np.where(values.any(axis=1), values.argmax(axis=1), len(levels))]
        yield name, np.where(np.isin(values, (0, 1)).all(axis=1), found, unknown)


def _one_arm(groups: np.ndarray, arm: np.ndarray, arms: Sequence[str]) -> str:
    """List the groups whose members are all of one arm."""
    found = []
    for group in dict.fromkeys(str(group) for group in groups if group is not None):
        members = arm[groups == group]
        if len(set(members.tolist())) == 1:
            found.append(f"{group!r} ({arms[members[0]]}, {len(members)})")
    return _some(found)


def _some(texts: Sequence[str], most: int = 5) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
