"""One effect under every defensible choice of the analysis: the numbers of a specification curve."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bids_app.stats.allocation import allocations
from bids_app.stats.ancova import ESTIMATORS, linear_estimate, outcome_of
from bids_app.stats.clinical import ESTIMATE_COLUMNS
from bids_app.stats.estimates import Estimate
from bids_app.stats.model import LinearModel
from bids_app.stats.pvalues import count_draws
from bids_app.stats.twovisits import TwoVisits

# A p presumes that what is tested was chosen without its effect, which regions where the arms differ were not.
P_COLUMNS = ("p", "p_hc3", "p_rerandomized")
FIXED_COLUMNS = {
    "region": "Region or cluster",
    "estimator": "ancova: follow-up adjusted for the baseline; change: follow-up minus baseline; post: follow-up "
    "alone; crossover: half of period 1 minus period 2, compared between the sequences, adjusted for the difference of "
    "their baselines, if there are such; unadjusted: the same, whatever the baselines",
    "rank": "Place of the specification among those of the region, from the lowest effect size to the highest",
    "primary": "Whether this is the analysis that was planned, or is the default",
    **{name: text for name, text in ESTIMATE_COLUMNS.items() if name not in P_COLUMNS},
}
AGREEMENT_COLUMNS = {
    "region": "Region or cluster",
    "n_specifications": "Specifications with an estimate",
    "primary_effect": "Effect size of the primary specification",
    "median_effect": "Median effect size over the specifications",
    "lowest_effect": "Lowest effect size",
    "highest_effect": "Highest effect size",
    "share_same_sign": "Share of the specifications whose effect has the sign of the primary one",
}


def robustness_columns(specifications: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Describe the columns of `robustness_table`: the choices of the specifications, then the results."""
    choices = {name: f"Choice of the specification: {name}" for name in _choices(specifications)}
    first = {name: FIXED_COLUMNS[name] for name in ("region", "estimator")}
    return {**first, **choices, **FIXED_COLUMNS}


def robustness_table(
    specifications: Sequence[dict[str, Any]],
    values_of: Callable[[dict[str, Any]], Mapping[str, TwoVisits]],
    *,
    primary: dict[str, Any] | None = None,
    estimators: Sequence[str] = ESTIMATORS,
) -> pd.DataFrame:
    """Estimate the effect under every specification and estimator.

    Parameters
    ----------
    specifications : list of dict
        Choices, such as threshold, weighting, smoothing.
    values_of : callable
        From a specification to a dict of TwoVisits by region; a region that it lacks gives a row without estimate.
    primary : dict, optional
        The choices of the primary analysis, with its ``estimator``.
    estimators : tuple of str, optional

    Returns
    -------
    DataFrame
        Columns as `robustness_columns`, without p; by region, then from the lowest effect size to the highest. Effect
        sizes are comparable between specifications, estimates are in the units of each.
    """
    names = list(robustness_columns(specifications))
    values = [(choices, values_of(choices)) for choices in specifications]
    regions = dict.fromkeys(region for _, of_region in values for region in of_region)
    rows = []
    for region in regions:
        for choices, of_region in values:
            for estimator in estimators:
                data = of_region.get(region)
                lacking = Estimate(estimator, 0, 0, note="the specification has no such region")
                found = lacking if data is None else linear_estimate(data, estimator, n_draws=0)
                chosen = {**choices, "estimator": estimator}
                rows.append({"region": region, **chosen, "primary": _is(primary, chosen), **vars(found)})
    table = pd.DataFrame(rows, columns=names)
    table["rank"] = table.groupby("region", sort=False)["effect_size"].rank(method="first")
    place = table["region"].map({region: place for place, region in enumerate(regions)})
    return table.assign(place=place).sort_values(["place", "rank"], ignore_index=True)[names]


def _choices(specifications: Sequence[dict[str, Any]]) -> dict[str, None]:
    return dict.fromkeys(name for choices in specifications for name in choices)


def _is(primary: dict[str, Any] | None, chosen: dict[str, Any]) -> bool:
    return primary is not None and all(chosen.get(name) == value for name, value in primary.items())


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Say how far the specifications agree with the primary one.

    Parameters
    ----------
    table : DataFrame
        From `robustness_table`, with one primary row per region.

    Returns
    -------
    DataFrame
        Columns as `AGREEMENT_COLUMNS`, a row per region. Shares are of the primary's sign, or of the median's where
        there is no primary. How many specifications are significant is not said, nor a joint p: in regions that
        were chosen because the arms differ in them, nearly all are, whether or not there is an effect.
    """
    rows = []
    for region, all_rows in table.groupby("region", sort=False):
        found = all_rows[all_rows["effect_size"].notna()]
        effects, own = found["effect_size"], found.loc[found["primary"], "effect_size"]
        same = np.sign(effects) == np.sign(own.iloc[0] if len(own) else effects.median())
        rows.append(
            {
                "region": region,
                "n_specifications": len(found),
                "primary_effect": own.iloc[0] if len(own) else np.nan,
                "median_effect": effects.median(),
                "lowest_effect": effects.min(),
                "highest_effect": effects.max(),
                "share_same_sign": same.mean(),
            }
        )
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def median_p(
    values: Sequence[TwoVisits], *, estimators: Sequence[str] = ESTIMATORS, n_draws: int = 10_000, seed: int = 0
) -> float:
    """Test all specifications of one value at once, by the median of their t.

    The value must have been chosen without regard to the effect: a whole-brain mean, or a region named beforehand.

    Parameters
    ----------
    values : list of TwoVisits
        The value under each specification, the same participants in the same order.
    estimators : tuple of str, optional
    n_draws, seed : int, optional

    Returns
    -------
    float
        NaN if no other allocation is possible, or a specification leaves no degree of freedom.

    Notes
    -----
    The arms of those who have a follow-up in every specification are re-randomized alike in all, so that it does
    not matter how much the specifications resemble each other: Simonsohn et al. (2020),
    doi:10.1038/s41562-020-0912-z.
    """
    common = np.logical_and.reduce([data.observed for data in values])
    values = [data.filled().of(common) for data in values]
    try:
        arms = allocations(values[0].arm, values[0].strata, n_draws, seed).arms
    except ValueError:
        return np.nan
    models = [_model(data, estimator) for data in values for estimator in estimators if _suits(data, estimator)]
    if min((model.df for model in models), default=0) < 1:
        return np.nan

    def median_of(window: slice) -> np.ndarray:
        labels = arms[window][..., None].astype(float)
        return np.median([model.relabelled(labels).t() for model in models], axis=0)

    return float(count_draws(median_of, len(arms)).p[0])


def _suits(data: TwoVisits, estimator: str) -> bool:
    return data.baseline is not None or estimator == "post"


def _model(data: TwoVisits, estimator: str) -> LinearModel:
    outcome, baseline = outcome_of(data, estimator)
    design = data.design(baseline)
    return LinearModel.prepare(outcome[:, None], design[:, :1], design[:, 1:])
