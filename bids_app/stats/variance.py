"""Whether the arms' sizes and variances allow the labels to be exchanged."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

# Relative excess of the variance of t above which a nominal 5 % is more than 7 %.
SERIOUS = 1.2
# Participants of the arms, how many times as variable the smaller one is, and the family-wise error of TFCE over 384
# voxels at a nominal .05 with ordinary and with HC3 standard errors; 500 trials each, benchmarks/unequal_arms.py.
MEASURED = (
    (16, 27, 1.5, 0.166, 0.068),
    (16, 27, 2.0, 0.296, 0.092),
    (12, 31, 1.5, 0.300, 0.086),
    (12, 31, 2.0, 0.576, 0.144),
    (8, 35, 1.5, 0.428, 0.094),
    (8, 35, 2.0, 0.806, 0.162),
)


@dataclass(frozen=True)
class VarianceWarning:
    """What unequal sizes and variances of the arms do to the test of a mean difference.

    Attributes
    ----------
    size_ratio : float
        Participants of the larger arm over those of the smaller.
    sd_ratio : float
        SD in the smaller arm over SD in the larger; median over voxels.
    sd_ratio_range : tuple of float
        5th and 95th percentile over voxels.
    error_rate : float
        Expected share of false alarms of one voxel at a nominal 5 %, where the median ratio holds.
    serious : bool
    text : str
        One sentence for the report; empty unless serious.
    """

    size_ratio: float
    sd_ratio: float
    sd_ratio_range: tuple[float, float]
    error_rate: float
    serious: bool
    text: str


def variance_warning(outcome: npt.ArrayLike, arm: npt.ArrayLike) -> VarianceWarning:
    r"""Judge whether re-randomization tests a difference of means here.

    Parameters
    ----------
    outcome : (n, V) array-like of float
        What the arms are compared in; better its residuals after covariates. NaN is passed over.
    arm : (n,) array-like of 0 and 1
        With at least two participants in each arm.

    Returns
    -------
    VarianceWarning

    Raises
    ------
    ValueError
        If an arm has fewer than two participants, or no voxel has variance in both.

    Notes
    -----
    Re-randomization is exact if treatment changed nobody, but if it changes the variance only, t varies by

    .. math:: \rho = \frac{n_0 s_1^2 + n_1 s_0^2}{n_1 s_1^2 + n_0 s_0^2}

    times what the draws show: nothing for equal arms, too much if the smaller arm is the more variable. The HC3 t
    is asymptotically right: DiCiccio & Romano (2017), doi:10.1080/01621459.2016.1202117; arXiv:2010.14555.

    Examples
    --------
    >>> found = variance_warning([[-2.0], [2.0], [-1.0], [1.0], [-1.0], [1.0]], [1, 1, 0, 0, 0, 0])
    >>> found.size_ratio, round(found.sd_ratio, 2), found.serious
    (2.0, 2.45, True)
    """
    outcome, arm = np.asarray(outcome, dtype=np.float64), np.asarray(arm)
    smaller = int((arm == 1).sum() <= (arm == 0).sum())
    groups = [outcome[arm == smaller], outcome[arm != smaller]]
    few, many = map(len, groups)
    if few < 2:
        raise ValueError(f"the arms have {few} and {many} participants, each needs two for a variance")
    enough = np.min([np.isfinite(group).sum(axis=0) for group in groups], axis=0) >= 2
    deviations = [np.nanstd(group[:, enough], axis=0, ddof=1) for group in groups]
    varied = np.min(deviations, axis=0) > 0
    if not varied.any():
        raise ValueError(f"no voxel of {outcome.shape[1]} has variance in both arms")
    ratios = deviations[0][varied] / deviations[1][varied]
    square = float(np.median(ratios)) ** 2
    excess = (many * square + few) / (few * square + many)
    error_rate = float(2 * special.ndtr(special.ndtri(0.025) / np.sqrt(excess)))
    serious, middle = bool(excess > SERIOUS), float(np.median(ratios))
    return VarianceWarning(
        size_ratio=many / few,
        sd_ratio=middle,
        sd_ratio_range=tuple(np.quantile(ratios, (0.05, 0.95)).tolist()),
        error_rate=error_rate,
        serious=serious,
        text=_text((few, many), middle, error_rate) if serious else "",
    )


def _text(sizes: tuple[int, int], middle: float, error_rate: float) -> str:
    few, many = sizes
    nearest = min(MEASURED, key=lambda one: _distance(one, many / few, middle))
    small, large, ratio, ordinary, robust = nearest
    return (
        f"The arms have {few} and {many} participants and the smaller one is {middle:.2f} times as variable: "
        f"re-randomization takes this for a difference of means, in one voxel with a probability of {error_rate:.2f} "
        f"instead of 0.05, over a map far more often. --hc3 lowers this and does not mend it: in simulated trials of "
        f"{small} and {large} participants with a ratio of {ratio:g}, the family-wise error over a map was "
        f"{ordinary:.2f} without and {robust:.2f} with it."
    )


def _distance(measured: tuple[float, ...], size_ratio: float, sd_ratio: float) -> float:
    small, large, ratio, *_ = measured
    return np.hypot(np.log(large / small / size_ratio), np.log(ratio / sd_ratio))
