"""What could not be made, and is said rather than left out."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from bids_app.settings.deviation import Deviation

logger = logging.getLogger("bids_app")

# What a table of numbers can fail of, on data that are read correctly. A key or an index that is not there is a fault
# of the app, which ends the run.
NUMERICAL = (ValueError, ArithmeticError, np.linalg.LinAlgError)


@dataclass
class Notes:
    """What could not be made, for the page: nothing is left out silently.

    Attributes
    ----------
    problems : list of str
    unmet : list of str
        Those of them that were asked for by an option or by the plan; the exit code says so.
    departed : list of Deviation
        Planned analyses that turned out not to be estimated.
    """

    problems: list[str] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)
    departed: list[Deviation] = field(default_factory=list)

    def undecided(self, departed: Iterable[Deviation]) -> None:
        """Say which planned analyses are not there, as departures from the plan."""
        for one in departed:
            logger.warning("Departs from the plan: %s.", one.text)
            self.departed.append(one)
            self.unmet.append(one.text)

    def not_made(self, text: str) -> None:
        """Say that something which was asked for is not made, and why."""
        logger.warning("%s", text)
        self.problems.append(text)
        self.unmet.append(text)

    @contextmanager
    def softly(
        self, what: str, errors: type[Exception] | tuple[type[Exception], ...] = NUMERICAL, *, asked: bool = False
    ) -> Iterator[None]:
        """Go on without a table that fails, and say so."""
        try:
            yield
        except errors as error:
            message = f"{what}: not made ({type(error).__name__}: {error})"
            logger.warning("%s", message)
            logger.debug("%s", what, exc_info=True)
            self.problems.append(message)
            self.unmet += [message] if asked else []
