"""Whether a design leaves anything to test, before any work is done."""

import numpy as np

from bids_app import stats
from bids_app.errors import DataError
from bids_app.group.routes import Route
from bids_app.group.sample import Sample
from bids_app.group.treatments import analyses_of_several
from bids_app.stats.manyperiods import CARRIED


def check_design(route: Route, sample: Sample) -> None:
    """Refuse a design that leaves nothing to test.

    Raises
    ------
    DataError
        The covariates tell the arms apart, are redundant, or are too many for the participants; or a slope has too
        few of them.
    """
    try:
        n_adjusted = sample.nuisance().shape[1]
        if not sample.design.single:
            _check_arms(sample)
    except ValueError as error:
        raise DataError(f"{route.name}: the design cannot be tested: {error}.") from error
    design = sample.design
    if design.orders:
        _check_periods(route, sample, n_adjusted)
        return
    differences = design.treatments is not None or design.of_change  # then nothing but these is in the model
    left = len(sample.arm) - n_adjusted - (1 + design.has_baselines if differences else len(design.visits))
    baseline = "the difference of the baselines and for " * design.has_baselines
    baseline = baseline or ("" if design.baseline is None or differences else "the baseline and for ")
    adjusted = f"to adjust for {baseline}{', '.join(map(str, sample.covariates)) or 'no covariate'}"
    if left < 1:
        raise DataError(
            f"{route.name}: {len(sample.arm)} participants are too few {adjusted}: {max(left, 0)} degrees of freedom "
            "are left."
        )
    _check_slopes(route, sample, adjusted)


def _check_periods(route: Route, sample: Sample, n_adjusted: int) -> None:
    """Refuse several periods of too few participants, for the headline or for what stands beside it."""
    design, n = sample.design, len(sample.arm)
    others, rows, beside = len(design.levels) - 1, design.n_periods - 1, analyses_of_several(design)
    left = (n - n_adjusted) * rows - others * (2 if CARRIED in beside else 1) - design.has_baselines
    if "first-period" in beside:
        left = min(left, n - n_adjusted - others - design.has_baselines)
    if left < 1:
        named = ", ".join(map(str, sample.covariates)) or "no covariate"
        raise DataError(
            f"{route.name}: {n} participants are too few to compare {others + 1} treatments in {rows + 1} periods and "
            f"to adjust for {named}: {max(left, 0)} degrees of freedom are left."
        )


def _check_arms(sample: Sample) -> None:
    """Refuse covariates that tell the arms apart, and arms that no other allocation is possible of."""
    with_arm = np.column_stack([sample.covariates.to_numpy(), sample.arm])
    stats.nuisance(len(sample.arm), with_arm, sample.strata, [*sample.covariates, f"the {sample.design.words.arm}"])
    stats.allocations(sample.arm, sample.strata, 1)


def _check_slopes(route: Route, sample: Sample, adjusted: str) -> None:
    """Refuse slopes of covariates that too few have: of each arm one, beside what is adjusted for."""
    for name, values in () if sample.slopes is None else sample.slopes.items():
        known = np.isfinite(values.to_numpy(float))
        columns = sample.nuisance(without=str(name))[known]
        left = int(known.sum()) - np.linalg.matrix_rank(columns) - len(sample.design.visits) - 2
        if left < 1:
            raise DataError(
                f"{route.name}: {known.sum()} participants have {name}, too few for its slope in each "
                f"{sample.design.words.arm} and {adjusted}: {max(left, 0)} degrees of freedom are left."
            )
