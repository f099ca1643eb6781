"""The effect in the regions by other choices: of the estimator, of whom to look at, of the graph and its map."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from bids_app.group.region_values import Region, RegionValues
from bids_app.group.routes import Route
from bids_app.group.specifications import found_specifications, primary_choices, reader
from bids_app.group.targets import GroupRun
from bids_app.group.treatments import analyses_of_several
from bids_app.group.trial_tables import draws_of, retold
from bids_app.settings.settings import Settings, Trial
from bids_app.stats.ancova import ESTIMATORS, linear_estimate
from bids_app.stats.clinical import ESTIMATE_COLUMNS
from bids_app.stats.estimates import Estimate
from bids_app.stats.robustness import AGREEMENT_COLUMNS, agreement, robustness_columns, robustness_table
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.design import Design
from bids_app.trial.strata import strata
from bids_app.trial.tables import Tables

Save = Callable[..., Path]
SITE_COLUMNS = ("site", "center", "centre", "scanner", "hospital")
LOW_MOTION = 0.2
SENSITIVITY_COLUMNS = {
    "region": "Region where the arms differ",
    "variation": "What is done otherwise than in the headline analysis, all else alike",
    "method": "ancova: follow-up adjusted for the baseline; change: follow-up minus baseline; post: follow-up alone; "
    "crossover: half of period 1 minus period 2, compared between the sequences, adjusted for the difference of "
    "their baselines, if there are such; unadjusted: the same, whatever the baselines; "
    "beside-carry-over: of several periods, adjusted for what the treatment before left behind; "
    "first-period: the first period alone; within: mean change of one group",
    **ESTIMATE_COLUMNS,
}
HC3 = "p_hc3 of each row allows the arms' variances to differ."
VARIED = (
    "The choices are those whose maps are in this output folder and in those of --also, which hold the same scans "
    "processed otherwise (censoring, global signal regression)."
)
SELECTED = (
    "There is no p: the regions were chosen because the arms differ in them, so that nearly every p would be small "
    "without any effect too. What can be read is the range of the effect and its sign, and how they depend on the "
    "choices."
)


def write_sensitivity(save: Save, run: GroupRun, route: Route, values: RegionValues) -> None:
    """Write the effect in each region under every variation.

    Parameters
    ----------
    save : callable
        Of suffix, table, columns and further sidecar content.
    run : targets.GroupRun
    route : Route
    values : regions.RegionValues
    """
    trial, tables = run.settings.trial, run.tables
    column = site_column(trial, tables)
    table = retold(sensitivity_table(values, trial, run.design, _sites(values, tables, column)), run.design.words)
    elsewhere = [_elsewhere(run.settings, route, run.design, values, one.name) for one in trial.also]
    table = pd.concat([table, *elsewhere], ignore_index=True)
    left = f"Each level of {column} is left out in turn." if column else "No single stratum or site to leave out."
    save("sensitivity", table, SENSITIVITY_COLUMNS, Note=f"{run.design.words.of(HC3)} {left}")


def _elsewhere(settings: Settings, route: Route, design: Design, values: RegionValues, name: str) -> pd.DataFrame:
    """Return the headline effect in each region on the scans as another output folder has them."""
    specifications = {
        key: scans for key, scans in found_specifications(settings, route).items() if ("processing", name) in key
    }
    read, rows = reader(specifications, values, design), []
    for region in values.regions:
        wanted = primary_choices(settings, route, region.feature) | {"processing": name}
        del wanted["estimator"]
        found = Estimate(settings.trial.estimator, 0, 0, note="no such maps of all scans in that folder")
        if (key := tuple(sorted(wanted.items()))) in specifications:
            data = read(dict(key))[region.name]
            found = linear_estimate(data, settings.trial.estimator, **draws_of(settings.trial, design.words))
        rows.append({"region": region.name, "variation": f"processed as in {name}", **vars(found)})
    return pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS))


def site_column(trial: Trial, tables: Tables) -> str | None:
    """Return the one column whose levels are left out in turn: the stratum, else the site; None if not one."""
    sites = [str(name) for name in tables.participants if str(name).lower() in SITE_COLUMNS]
    for candidates in (list(trial.strata), sites):
        if len(candidates) == 1:
            return candidates[0]
    return None


def _sites(values: RegionValues, tables: Tables, column: str | None) -> np.ndarray | None:
    if column is None:
        return None
    participants = values.flow["participant_id"].str.removeprefix("sub-")
    return cast(np.ndarray, strata(tables, [column], list(participants))).astype(str)


def sensitivity_table(
    values: RegionValues, trial: Trial, design: Design, sites: np.ndarray | None = None
) -> pd.DataFrame:
    """Estimate the effect in each region under every variation.

    Parameters
    ----------
    values : regions.RegionValues
    trial : settings.Trial
    design : Design
    sites : (n,) ndarray of str, optional

    Returns
    -------
    DataFrame
        Columns as `SENSITIVITY_COLUMNS`; the first row of a region is the headline analysis. All are of those whose
        maps are compared.
    """
    draws = draws_of(trial, design.words)
    rows = []
    for text, estimator, members, covariates in _variations(values, trial, design, sites):
        for region, data in values.data(covariates=covariates).items():
            found = linear_estimate(data.of(members), estimator, **draws)
            rows.append({"region": region, "variation": text, **vars(found)})
    table = pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS))
    table = pd.concat([table, *(_without_one(values, trial, region) for region in values.regions)])
    place = {region.name: k for k, region in enumerate(values.regions)}
    return table.sort_values("region", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def estimators_of(design: Design) -> tuple[str, ...]:
    """Return how a difference can be estimated: without a baseline, of the visit by itself."""
    if design.orders:
        return tuple(analyses_of_several(design, describes=False))
    if design.treatments:
        return ("crossover", "unadjusted") if design.has_baselines else ("crossover",)
    if design.of_change:
        return ("within",)
    return ESTIMATORS if design.baseline is not None else ("post",)


def _variations(
    values: RegionValues, trial: Trial, design: Design, sites: np.ndarray | None
) -> Iterator[tuple[str, str, np.ndarray, pd.DataFrame]]:
    """Yield what is varied, the estimator, who is looked at, and what is adjusted for."""
    everyone, covariates, own = values.analysed, values.covariates, trial.estimator
    yield "none: the headline analysis", own, everyone, covariates
    for estimator in estimators_of(design):
        if estimator != own:
            yield f"{estimator} instead of {own}", estimator, everyone, covariates
    if design.motion in covariates:
        first = "" if design.baseline is None else "baseline "
        yield f"not adjusted for {first}motion", own, everyone, covariates.drop(columns=design.motion)
    motion = values.flow[[f"{visit}_mean_fd" for visit in design.visits]].to_numpy(float)
    if np.isfinite(motion[everyone]).any(axis=0).all():  # who is not known to have moved little is left out below
        both = f"{'all' if design.orders else 'both'} periods{' and their baselines' * design.has_baselines}"
        of = "the visit" if design.baseline is None else both if design.treatments else "both visits"
        if design.treatments and not design.orders:
            between = covariates.assign(mean_fd_difference=(motion[:, 0] - motion[:, 1]) / 2)
            yield "adjusted for the difference in motion, which treatment may have changed", own, everyone, between
        elif design.baseline is not None and not design.single and not design.treatments:
            after = covariates.assign(followup_mean_fd=motion[:, 1])
            why = ", which treatment may have changed" if design.words.randomized else ""
            yield f"adjusted for follow-up motion too{why}", own, everyone, after
        median = np.nanmedian(motion[everyone], axis=0)
        below = everyone & (motion <= median).all(axis=1)
        yield (
            f"mean FD of {of} at most the {'period' if design.treatments else 'visit'}'s median",
            own,
            below,
            covariates,
        )
        still = everyone & (motion <= LOW_MOTION).all(axis=1)
        yield f"mean FD of {of} at most {LOW_MOTION} mm", own, still, covariates
    for site in [] if sites is None else sorted(set(sites[everyone])):
        yield f"without {site}", own, everyone & (sites != site), covariates


def _without_one(values: RegionValues, trial: Trial, region: Region) -> pd.DataFrame:
    """Return the two rows of the participants whose absence lowers and raises the effect most."""
    data, names = values.data()[region.name], values.flow["participant_id"].to_numpy()
    found = {}
    for left_out in np.flatnonzero(values.analysed):
        members = values.analysed & (np.arange(len(names)) != left_out)
        found[names[left_out]] = linear_estimate(data.of(members), trial.estimator, n_draws=0)
    effects = pd.Series({name: estimate.effect_size for name, estimate in found.items()}).dropna()
    if effects.empty:
        return pd.DataFrame(columns=list(SENSITIVITY_COLUMNS))
    extremes = {"lowest": effects.idxmin(), "highest": effects.idxmax()}
    rows = [
        {"region": region.name, "variation": f"without {name}, the {which} effect of leaving one out"}
        | vars(found[name])
        for which, name in extremes.items()
    ]
    return pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS))


def write_robustness(save: Save, settings: Settings, route: Route, design: Design, values: RegionValues) -> None:
    """Write the effect in the same voxels of every map that the participant level left, and how far all agree."""
    specifications = found_specifications(settings, route)
    tables = []
    read = reader(specifications, values, design)
    choices = [dict(key) for key in specifications]
    for feature in dict.fromkeys(region.feature for region in values.regions):
        own = [region.name for region in values.regions if region.feature == feature]

        def values_of(chosen: Mapping[str, Any], own: list[str] = own) -> dict[str, TwoVisits]:
            return {name: data for name, data in read(chosen).items() if name in own}

        primary = primary_choices(settings, route, feature)
        estimators = estimators_of(design)
        tables.append(robustness_table(choices, values_of, primary=primary, estimators=estimators))
    table = pd.concat(tables, ignore_index=True)
    note = f"{VARIED} {design.words.of(SELECTED)}"
    save("robustness", table, robustness_columns(choices), Note=note)
    save("agreement", agreement(table), AGREEMENT_COLUMNS, Note=note)
