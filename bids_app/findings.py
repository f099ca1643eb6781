"""What the input was taken to mean, what is assumed, and what could not be done as planned: said everywhere alike."""

import logging
from collections import defaultdict
from dataclasses import dataclass

logger = logging.getLogger(__name__)


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

    def say(self):
        """Log it: a warning as one, all else as information."""
        logger.log(logging.WARNING if self.warning else logging.INFO, "%s: %s", self.about, self.text)

    def to_json(self):
        """Return it as the records keep it."""
        return {"About": self.about, "Text": self.text, "Warning": self.warning}


def say_all(findings):
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


def of_scans(scans):
    """Return what the sidecars of scans warn of, each kind once and with how many scans it is of.

    Parameters
    ----------
    scans : list of outputs.Scan
        Each of ``Warnings`` in their sidecars is a sentence that begins with the name of a file and a colon.

    Returns
    -------
    tuple of Finding
    """
    kinds = defaultdict(list)
    for scan in scans:
        for text in scan.sidecar.get("Warnings", []):
            kinds[":".join(text.split(":")[1:2])].append(text)
    return tuple(
        Finding("Scans", texts[0] if len(texts) == 1 else f"{texts[0]} So it is in {len(texts)} scans.", warning=True)
        for texts in kinds.values()
    )
