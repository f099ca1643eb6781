"""Looks of a trial that were taken, as the record of a comparison has them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LookTaken:
    """A look that was taken, by which its test can be made again.

    Attributes
    ----------
    number : int
    level : float
        That it tested at.
    participants : tuple of str
        Who was compared, in the order of the sample.
    values : str
        Digest of what was compared of them, and how.
    draws : int
        Fingerprint of the draws.
    """

    number: int
    level: float
    participants: tuple[str, ...]
    values: str
    draws: int
