"""Interim looks of a plan: when, and how much of the error each may spend."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bids_app.errors import UsageError

SPENDING = {"obrien-fleming": "O'Brien-Fleming", "pocock": "Pocock"}
KEYS = ("looks", "spending")


@dataclass(frozen=True)
class Interim:
    """Section [interim] of a plan.

    Attributes
    ----------
    looks : tuple of float
        How many participants there are at each look, the last of which is the end; or which share of them.
    spending : str, optional
        A key of `SPENDING`.
    """

    looks: tuple[float, ...]
    spending: str = "obrien-fleming"

    @property
    def text(self) -> str:
        """What is planned, for people."""
        return f"looks at {', '.join(f'{look:g}' for look in self.looks)}; {SPENDING[self.spending]} spending"

    def at(self, number: int, alpha: float) -> "Look":
        """Return a look.

        Parameters
        ----------
        number : int
            From 1.
        alpha : float
            Of all looks together.

        Examples
        --------
        >>> look = Interim((24, 48)).at(1, 0.05)
        >>> look.of, look.planned, look.level, Interim((24, 48)).at(2, 0.05).level
        (2, 24, 0.00305, 0.0469)
        """
        from bids_app.stats.interim import levels  # which needs scipy, and the command line must not

        exact = levels([look / self.looks[-1] for look in self.looks], alpha, self.spending)
        own = [_rounded_down(level) for level in exact]
        return Look(
            number=number,
            of=len(self.looks),
            planned=self.looks[number - 1],
            spending=self.spending,
            level=own[number - 1],
            spent=sum(own[:number]),
            alpha=alpha,
        )


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look.

    Attributes
    ----------
    number, of : int
        Which, and how many there are.
    planned : float
        Participants, or their share, that were planned for it.
    spending : str
    level : float
        That this look tests at, to three digits.
    spent, alpha : float
        Of the error, by this look and those before; and of all looks together.
    """

    number: int
    of: int
    planned: float
    spending: str
    level: float
    spent: float
    alpha: float


def _rounded_down(level: float) -> float:
    """Return three digits of a level, so that no more is spent than is allowed."""
    digits = 2 - math.floor(math.log10(level))
    return math.floor(level * 10**digits) / 10**digits


def read_interim(section: object) -> Interim:
    """Return what a section of a plan says.

    Raises
    ------
    UsageError
        A key is unknown, the looks do not ascend, or there is no such spending.

    Examples
    --------
    >>> read_interim({"looks": [0.5, 1.0], "spending": "pocock"}).text
    'looks at 0.5, 1; Pocock spending'
    """
    if not isinstance(section, Mapping):
        raise UsageError(f"interim must be a section, [interim], not {section!r}.")
    if unknown := [key for key in section if key not in KEYS]:
        raise UsageError(f"unknown key in [interim]: {', '.join(unknown)}; known are {', '.join(KEYS)}.")
    looks, spending = section.get("looks"), section.get("spending", Interim.spending)
    if not _ascend(looks):
        raise UsageError(
            f"interim.looks must be two or more ascending numbers, of participants at each look or of their share, as "
            f"[24, 48] or [0.5, 1.0], not {looks!r}."
        )
    if spending not in SPENDING:
        raise UsageError(f"interim.spending = {spending!r}: it is one of {', '.join(SPENDING)}.")
    return Interim(tuple(looks), spending)  # type: ignore[arg-type]


def _ascend(looks: Any) -> bool:
    if not isinstance(looks, list) or len(looks) < 2:
        return False
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) and one > 0 for one in looks):
        return False
    whole = looks[-1] > 1 or looks[-1] == 1.0
    return whole and looks == sorted(set(looks))


def look_of(interim: Interim | None, number: int | None, alpha: float, *, needed: bool) -> Look | None:
    """Return which look a run is, or refuse what does not fit the plan.

    Parameters
    ----------
    interim : Interim or None
        Of the plan.
    number : int or None
        What --look says.
    alpha : float
    needed : bool
        Whether the run tests anything.

    Raises
    ------
    UsageError
    """
    if interim is None:
        if number is not None:
            raise UsageError(
                f"--look {number}: looks are planned beforehand. The plan (--plan) needs a section [interim] with "
                "them; without one, leave --look out."
            )
        return None
    n_looks = len(interim.looks)
    if number is None and needed:
        raise UsageError(
            f"The plan has {n_looks} looks ({interim.text}), each with a level of its own: say with --look which this "
            f"is, 1 to {n_looks}."
        )
    if number is None:
        return None
    if not 1 <= number <= n_looks:
        raise UsageError(f"--look {number}: the plan has {n_looks} looks.")
    return interim.at(number, alpha)
