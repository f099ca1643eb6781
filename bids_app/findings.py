"""What the input was taken to mean, what is assumed, and what could not be done as planned: said everywhere alike."""

import logging
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
