"""One value of everyone in a cross-over trial of several treatments or periods, as `bids_app.stats` compares it."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from bids_app.stats.manyperiods import ManyPeriods
from bids_app.trial.design import Design
from bids_app.trial.period_orders import PeriodOrders


def many_periods(
    design: Design,
    values: Mapping[str, np.ndarray],
    sequence: np.ndarray,
    covariates: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> ManyPeriods:
    """Return the values (n,) of each visit of a design as those of its periods and of their baselines.

    Parameters
    ----------
    design : Design
        Of two treatments of several.
    values : dict of (n,) float ndarray
        By visit; the baselines may lack.
    sequence : (n,) int ndarray
        The numbers of the arms.
    covariates : (n, k) float ndarray, optional
    strata : (n,) ndarray of str, optional
    """
    orders = cast(PeriodOrders, design.orders)
    visits = list(design.visits)[: design.n_periods]
    before = [values[name] for name in design.baselines or () if name in values]
    return ManyPeriods(
        values=np.column_stack([values[visit] for visit in visits]),
        sequence=sequence,
        given=np.array(orders.given),
        pair=orders.pair(design.sides),
        covariates=covariates,
        strata=strata,
        before=np.column_stack(before) if len(before) == design.n_periods else None,
    )
