"""Where a design is thin: who is fitted exactly, and whose arm cannot be exchanged."""

from dataclasses import replace

import numpy as np

from bids_app.findings import Finding
from bids_app.values import people

EXACT = 1 - 1e-8
REFERENCE = "the reference"


def thin_places(problem, arms):
    """Say which participants and groups the comparison learns nothing from.

    Parameters
    ----------
    problem : assembly.Problem
    arms : (str, str)
        Names of the active and of the reference arm.

    Yields
    ------
    Finding

    Notes
    -----
    A participant whose leverage in the columns that the arms are adjusted for is 1 has a residual of zero whatever
    the outcome, and so has no weight in the difference between the arms: the only member of a level, for example.
    """
    names = problem.covariates.index.to_numpy()
    columns = _columns(problem)
    yield from _exact(names, columns, list(columns))
    if problem.strata is not None:
        yield from _one_arm(problem.strata, problem.arm, arms, Finding("Strata", _STRATUM, warning=True))
    for name, levels in _categories(problem.covariates):
        yield from _one_arm(levels, problem.arm, arms, Finding("Covariates", f"{name}: {_LEVEL}", warning=True))


_STRATUM = (
    "The stratum {group!r} has members of {arm} only ({n}): no exchange of arms is possible there, and it says nothing "
    "about the difference."
)
_LEVEL = (
    "{group!r} has members of {arm} only ({n}): with its own mean, it says nothing about the difference of the arms."
)


def _columns(problem):
    """Return what the arms are adjusted for, by the name of the column."""
    columns = {"intercept": np.ones(len(problem.arm))} | {k: v.to_numpy(float) for k, v in problem.covariates.items()}
    if problem.strata is not None:
        columns |= {f"stratum {one}": (problem.strata == one).astype(float) for one in np.unique(problem.strata)[1:]}
    return columns


def _exact(names, columns, labels):
    design = np.column_stack(list(columns.values()))
    basis = np.linalg.svd(design / np.maximum(np.abs(design).max(axis=0), 1e-300), full_matrices=False)
    rank = np.count_nonzero(basis.S / basis.S[0] > 1e-10)
    leverage = (basis.U[:, :rank] ** 2).sum(axis=1)
    if len(names) <= rank:
        return
    for row in np.flatnonzero(leverage > EXACT):
        own = [label for label in labels[1:] if _alone(columns[label], row)]
        what = f" has {', '.join(own)} alone, and" if own else ""
        text = (
            f"{people([names[row]])}{what} is fitted exactly by what the arms are adjusted for: this participant "
            "counts for nothing in the difference between the arms."
        )
        yield Finding("Covariates", text, warning=True)


def _alone(values, row):
    """Say whether one participant has a value that all the others share another one of."""
    others = np.delete(values, row)
    return np.ptp(others) == 0 and values[row] != others[0]


def _categories(covariates):
    """Return the level of each participant, None where it is not known, of every covariate that is a category."""
    dummies = {}
    for label in covariates:
        name, bracket, level = str(label).partition("[")
        if bracket and level.endswith("]"):
            dummies.setdefault(name, {})[level[:-1]] = covariates[label].to_numpy()
    for name, levels in dummies.items():
        values = np.column_stack(list(levels.values()))
        names = np.array([*levels, REFERENCE], dtype=object)
        found = names[np.where(values.any(axis=1), values.argmax(axis=1), len(levels))]
        yield name, np.where(np.isin(values, (0, 1)).all(axis=1), found, None)


def _one_arm(groups, arm, arms, finding):
    for group in dict.fromkeys(str(group) for group in groups if group is not None):
        members = arm[groups == group]
        if len(set(members.tolist())) == 1:
            name = arms[0] if members[0] == 1 else arms[1]
            yield replace(finding, text=finding.text.format(group=group, arm=name, n=len(members)))
