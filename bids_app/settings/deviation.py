"""Where an analysis departs from its plan."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """One departure from the plan.

    Attributes
    ----------
    what : str
        The key of the plan, or what else was planned.
    planned : object
        As planned; a sentence that begins with not where the plan does not say it.
    used : object
        As it was done.

    Examples
    --------
    >>> Deviation("alpha", 0.05, 0.1).text, Deviation("hc3", "not in the plan; the default is no", True).text
    ('alpha: planned 0.05, used 0.1', 'hc3: not in the plan; the default is no, used yes')
    """

    what: str
    planned: object
    used: object

    @property
    def text(self) -> str:
        """The departure for people."""
        unplanned = str(self.planned).startswith("not ")
        return f"{self.what}: {'' if unplanned else 'planned '}{said(self.planned)}, used {said(self.used)}"

    @property
    def record(self) -> dict[str, str]:
        """What a record holds of it."""
        return {"What": self.what, "Planned": said(self.planned), "Used": said(self.used)}

    @classmethod
    def of_record(cls, record: Mapping[str, str]) -> "Deviation":
        """Return the departure that `record` was written of, its settings in words."""
        return cls(record["What"], record["Planned"], record["Used"])


def said(value: object) -> str:
    """Write a setting for people."""
    if value is None or value == () or value == [] or value == {}:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(said, value)) if isinstance(value, (tuple, list)) else str(value)
