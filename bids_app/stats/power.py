"""What a trial of a given size could have seen."""

from scipy import stats as distributions
from scipy.optimize import brentq


def detectable_effect(n_active: int, n_reference: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the standardized difference that a two-sample t test finds with a given power.

    Parameters
    ----------
    n_active, n_reference : int
        Participants of each arm, three or more together.
    alpha : float, optional
        Of the two-sided test.
    power : float, optional

    Returns
    -------
    float
        In units of the SD within the arms: by the noncentral t with n - 2 degrees of freedom (Cohen 1988, ch. 2). With
        a baseline that correlates r with the follow-up, ANCOVA finds sqrt(1 - r^2) of it (Borm et al. 2007).

    Examples
    --------
    >>> round(detectable_effect(64, 64), 2), round(detectable_effect(26, 26), 2)  # Cohen's tables: 0.5 and 0.8
    (0.5, 0.79)
    """
    freedom = n_active + n_reference - 2
    critical = distributions.t.isf(alpha / 2, freedom)
    scale = (n_active * n_reference / (n_active + n_reference)) ** 0.5

    def lacking(effect: float) -> float:
        return float(distributions.nct(freedom, effect * scale).sf(critical) - power)  # the other side is below 1e-5

    return float(brentq(lacking, 0, (2 * critical + 5) / scale))
