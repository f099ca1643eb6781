"""What the input was taken to mean, what is assumed, and what could not be done as planned: said everywhere alike."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

FILE = re.compile(r"^\S+\.(nii|nii\.gz|tsv|json|gii): ")
SHOWN = 4
ASSUMED = "Statistics"


@dataclass(frozen=True)
class Finding:
    """One sentence that belongs in the log, in the record and on the page.

    Attributes
    ----------
    about : str
        Where it belongs: Visits, Arms, Values, Keys, Covariates, Scans, Motion, Statistics ...
    text : str
        A whole sentence for people: what was found, by what evidence, and what follows.
    warning : bool
        True where a result may be wrong or weaker than planned; such findings stand on the page's first screen.
    """

    about: str
    text: str
    warning: bool = False

    def say(self) -> None:
        """Log it: a warning as one; what every test assumes stands in the log's file and on the page alone."""
        level = logging.WARNING if self.warning else logging.DEBUG if self.about == ASSUMED else logging.INFO
        logger.log(level, "%s: %s", self.about, self.text)

    def to_json(self) -> dict[str, Any]:
        """Return it as the records keep it."""
        return {"About": self.about, "Text": self.text, "Warning": self.warning}


def say_all(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Log every finding once, in order, and return them without repetition.

    Examples
    --------
    >>> say_all([Finding("Visits", "By acq_time."), Finding("Visits", "By acq_time.")])
    (Finding(about='Visits', text='By acq_time.', warning=False),)
    """
    unique = tuple(dict.fromkeys(findings))
    for finding in unique:
        finding.say()
    return unique


def of_scans(scans: Iterable[Any]) -> tuple[Finding, ...]:
    """Return what the sidecars of scans warn of, each kind of sentence once, with the scans it is said of.

    Parameters
    ----------
    scans : list of scans.Scan

    Returns
    -------
    tuple of Finding
    """
    kinds = defaultdict(list)
    for scan in scans:
        for text in scan.facts.warnings or ():
            kinds[FILE.sub("", text)].append(scan.facts.origin.scan or scan.path.name)
    return tuple(Finding("Scans", f"{_who(names)}: {text}", warning=True) for text, names in kinds.items())


def _who(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more scans" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
