"""What is done in the regions where the arms differ: everyone's values, missing follow-ups, brain and symptom."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bids_app import stats
from bids_app.bids.files import save_described
from bids_app.errors import DataError, MissingInputError
from bids_app.group.named_regions import named_of_everyone, region_title
from bids_app.group.notes import NUMERICAL
from bids_app.group.region_values import (
    ROI_COLUMNS,
    Everyone,
    Region,
    RegionValues,
    read_regions,
    roi_table,
    usable_visits,
)
from bids_app.group.regions import find_regions
from bids_app.group.sensitivity import write_robustness, write_sensitivity
from bids_app.group.targets import GroupRun, Target
from bids_app.group.trial_tables import Scores
from bids_app.group.value_keys import KEY_COLUMNS, Keys, key_of, keyed
from bids_app.group.whole_brain import keys_of_everyone, values_of_everyone
from bids_app.settings.settings import Trial
from bids_app.stats.association import ASSOCIATION_COLUMNS, Pairs, association_table
from bids_app.stats.missing import missing_columns, missing_table
from bids_app.stats.twovisits import TwoVisits
from bids_app.trial.covariates import code, filled, motion_of, with_motion
from bids_app.trial.design import Design
from bids_app.trial.outcomes import of_visits
from bids_app.trial.strata import strata

CIRCULAR = (
    "The regions were chosen because the arms differ in them, in the same data. The arm is adjusted for, so that this "
    "does not favour an association; but the differences between the arms in these regions are biased away from zero."
)
EVERYONE = "Everyone randomized, with the visits that have enough data."
NOT_CHOSEN = (
    "These values were not chosen because the arms differ in them. p is of each value and row by itself. The bounds "
    "take missing follow-ups to lie within what was observed, and nothing else."
)
FAMILY = (
    "Residuals are permuted within arms and strata, as in the maps of brain and symptom. p_holm and p_max are "
    "corrected over all regions, for one outcome and one term; not over outcomes and terms."
)
NO_ROBUSTNESS = "Robustness of {route}: not made, for it is of differences, and at one visit of one group there is none"
COLUMNS = ASSOCIATION_COLUMNS | {
    "score": "change: the outcome's follow-up minus baseline; followup: the outcome has no baseline",
}


def write_region_tables(run: GroupRun, target: Target) -> list[Region] | None:
    """Write all tables of the regions of one target.

    Parameters
    ----------
    run : targets.GroupRun
    target : targets.Target
        Its group maps or nodal tables are written.

    Returns
    -------
    list of Region or None
        None if they could not be read.
    """
    route, notes = target.route, run.notes
    regions, everyone = None, _everyone(run, target.flow)
    if run.design.words.bounded:
        _write_missing_of_all(run, target, everyone)
    if run.settings.trial.robustness and _of_slopes(run.design):
        notes.not_made(NO_ROBUSTNESS.format(route=route.name))
    errors, asked = (*NUMERICAL, DataError, MissingInputError), run.settings.trial.robustness
    with notes.softly(f"Regions of {route.name}", errors, asked=asked):
        regions = find_regions(run.settings, route, run.design)
        if regions:
            values = read_regions(route, regions, **everyone)
            _write(run, target, replace(values, is_change=run.design.is_change, design=run.design))
    return regions


def _write_missing_of_all(run: GroupRun, target: Target, everyone: Everyone) -> None:
    """Write what missing follow-ups may do to values that were not chosen by their difference."""
    route, notes = target.route, run.notes
    with notes.softly(f"Missing follow-ups of the whole brain, {route.name}", (*NUMERICAL, DataError)):
        _write_missing(run, target, "wholebrainmissing", values_of_everyone(route, everyone), keys_of_everyone(route))
    if target.named:
        what = f"Missing follow-ups of the named regions, {route.name}"
        with notes.softly(what, (*NUMERICAL, DataError), asked=True):
            values = named_of_everyone(route, target.sample, target.named, everyone)
            keys = {
                region_title(name, one): key_of(one, region=name)
                for name in target.named
                for one in target.sample.features
            }
            _write_missing(run, target, "regionsmissing", values, keys)


def _everyone(run: GroupRun, flow: pd.DataFrame) -> Everyone:
    """Return everyone randomized, their usable visits and what they are adjusted for, as `read_regions` takes them."""
    design, trial = run.design, run.settings.trial
    randomized = flow[flow["arm"].isin(design.compared)].reset_index(drop=True)
    number = randomized["arm"].map(design.arms.index) if design.orders else randomized["arm"] == design.active
    randomized = randomized.assign(active=number.astype(int))
    participants = [name.removeprefix("sub-") for name in randomized["participant_id"]]
    covariates = code(run.tables, design, trial.covariates, participants, whom=design.words.enrolled).table
    if trial.baseline_motion and not design.of_change:  # as the maps are adjusted
        covariates = with_motion(covariates, motion_of(randomized, design), randomized["analysed"].to_numpy(bool))
    return {
        "flow": randomized,
        "visits": usable_visits(randomized, design, run.settings.signal.min_minutes),
        "covariates": covariates,
        "strata": strata(run.tables, trial.strata, participants),
    }


def _write_missing(run: GroupRun, target: Target, suffix: str, values: Mapping[str, TwoVisits], keys: Keys) -> None:
    """Write what missing follow-ups may do to each of the values."""
    table, columns = _missing(run.settings.trial, values, keys)
    save_described(run.path(target, suffix), table, columns, Note=f"{EVERYONE} {NOT_CHOSEN}")


def _missing(trial: Trial, values: Mapping[str, TwoVisits], keys: Keys) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the table and what its columns mean."""
    table = missing_table(values, n_draws=trial.n_draws, seed=trial.random_seed)
    return keyed(table, keys), missing_columns(table) | KEY_COLUMNS


def _write(run: GroupRun, target: Target, values: RegionValues) -> None:
    trial, notes, name, words = run.settings.trial, run.notes, target.route.name, run.design.words
    circular, family = words.of(CIRCULAR), words.of(FAMILY)

    def save(suffix: str, table: pd.DataFrame, columns: Mapping[str, Any], **more: str) -> Path:
        if run.design.treatments or run.design.single:
            columns = {name: words.of(text) if isinstance(text, str) else text for name, text in columns.items()}
        table, columns = _with_clusters(table, columns, values.regions)
        return save_described(run.path(target, suffix), table, columns, **more)

    levels = {region.cluster: region.text for region in values.regions}
    clusters = {"Description": words.of(ROI_COLUMNS["cluster"]), "Levels": levels}
    save(
        "roi", of_visits(roi_table(values), run.design), _roi_columns(run.design) | {"cluster": clusters}, Note=circular
    )
    if words.bounded:
        with notes.softly(f"Missing follow-ups of the regions of {name}"):
            keys = {one.name: key_of(one.feature, region=one.name) for one in values.regions}
            save("roimissing", *_missing(trial, values.data(), keys), Note=f"{EVERYONE} {circular}")
    if not _of_slopes(run.design):
        with notes.softly(f"Sensitivity of the regions of {name}"):
            write_sensitivity(save, run, target.route, values)
    if run.scores and not run.design.treatments and not run.design.single:
        with notes.softly(f"Brain and symptom of {name}"):
            save("association", _associations(values, run.scores, trial), COLUMNS, Note=circular, Family=family)
    if trial.robustness and not _of_slopes(run.design):
        with notes.softly(f"Robustness of {name}", (*NUMERICAL, DataError), asked=True):
            write_robustness(save, run.settings, target.route, run.design, values)


def _with_clusters(
    table: pd.DataFrame, columns: Mapping[str, Any], regions: Sequence[Region]
) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Put beside what each row's region is called what it is known by in every table."""
    if "cluster" in table:
        return table, columns
    known = table["region"].map({region.name: region.cluster for region in regions})
    table = table.assign(cluster=known)[["cluster", *table]]
    return table, {"cluster": ROI_COLUMNS["cluster"], **columns}


def _of_slopes(design: Design) -> bool:
    """Say whether slopes of one group at one visit are tested, which are no differences."""
    return design.single and not design.of_change


def _roi_columns(design: Design) -> dict[str, str]:
    visits = " or ".join(design.columns.values())
    return ROI_COLUMNS | {name: design.words.of(ROI_COLUMNS[name]) for name in ("arm", "cluster")} | {"visit": visits}


def _associations(values: RegionValues, scores: Scores, trial: Trial) -> pd.DataFrame:
    """Test the change of every region against the change of every outcome, among those whose maps are compared."""
    rows = values.analysed
    participants = values.flow.loc[rows, "participant_id"].str.removeprefix("sub-")
    blocks = None if values.strata is None else values.strata[rows]
    covariates = stats.independent_columns(filled(values.covariates[rows]).to_numpy(float), blocks)
    nuisance = stats.nuisance(int(rows.sum()), covariates, blocks)
    names = [region.name for region in values.regions]
    changes = values.data()
    brain = np.column_stack([changes[name].change for name in names])[rows]
    found = []
    for name, data in scores.outcomes.items():
        score = "followup" if data.baseline is None else "change"
        outcome = pd.Series(getattr(data, score), index=scores.participants).reindex(participants).to_numpy(float)
        pairs = Pairs(brain, outcome, values.arm[rows], nuisance, blocks)
        table = association_table(pairs, names, name, n_draws=trial.n_draws, seed=trial.random_seed)
        found.append(table.assign(score=score))
    return pd.concat(found, ignore_index=True)
