"""How many of those randomized are compared, and whether the arms differ in that."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact

# Fisher's test has little power in small trials, so that a large difference counts too, if it is not of one person.
LEVEL, LARGE, LEAST = 0.1, 0.2, 2


@dataclass(frozen=True)
class Attrition:
    """Losses of the active and of the reference arm.

    Attributes
    ----------
    randomized, lost : (int, int)
        Everyone of the active and of the reference arm, and those of them who are not compared.

    Examples
    --------
    >>> found = Attrition((35, 14), (12, 0))
    >>> round(found.p, 3), found.differs, Attrition((20, 20), (2, 3)).differs
    (0.011, True, False)
    """

    randomized: tuple[int, int]
    lost: tuple[int, int]

    @property
    def p(self) -> float:
        """Two-sided p of Fisher's exact test; 1 where an arm has nobody."""
        kept = [total - gone for total, gone in zip(self.randomized, self.lost, strict=True)]
        return float(fisher_exact([self.lost, kept]).pvalue)

    @property
    def differs(self) -> bool:
        """True if p is at most 0.1, or the shares differ by 20 percentage points and by more than one person."""
        shares = [gone / max(total, 1) for total, gone in zip(self.randomized, self.lost, strict=True)]
        large = abs(shares[0] - shares[1]) >= LARGE and abs(self.lost[0] - self.lost[1]) >= LEAST
        return self.p <= LEVEL or large


def attrition(arm: np.ndarray, compared: np.ndarray) -> Attrition:
    """Count the losses.

    Parameters
    ----------
    arm : (n,) ndarray of 0 and 1
        Of everyone randomized.
    compared : (n,) ndarray of bool

    Returns
    -------
    Attrition
    """
    active, reference = arm == 1, arm == 0
    lost = int((active & ~compared).sum()), int((reference & ~compared).sum())
    return Attrition((int(active.sum()), int(reference.sum())), lost)
