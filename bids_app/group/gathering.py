"""All that the group level reads before it writes anything, and what it refuses."""

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from bids_app.bids.findings import Finding, say_all
from bids_app.bids.names import contrast_label, label
from bids_app.bids.result_names import comparison_folder
from bids_app.bids.scans import index_scans
from bids_app.bids.status import read_statuses
from bids_app.group.assumptions import assumptions, left_out
from bids_app.group.completers import completers
from bids_app.group.earlier_looks import with_earlier
from bids_app.group.estimable import check_design
from bids_app.group.forecast import forecast
from bids_app.group.found_routes import find_routes
from bids_app.group.named_regions import find_named
from bids_app.group.plan_match import done_deviations
from bids_app.group.routes import Route, of_periods, with_summaries, without_visits
from bids_app.group.sample import assemble, route_flow
from bids_app.group.targets import GroupRun, Target, TrialScans
from bids_app.group.trial_tables import read_scores, symptom_changes
from bids_app.settings.deviation import Deviation
from bids_app.settings.plan import Plan
from bids_app.settings.settings import DESCRIBED, SINGLE, Settings, Trial
from bids_app.system.provenance import digest_of_file, shareable
from bids_app.trial.arms import arm_words
from bids_app.trial.blinding import blinded, digest_of_tables
from bids_app.trial.blinding_log import departs_by_time, read_blinding, told
from bids_app.trial.design import Design
from bids_app.trial.events import find_events
from bids_app.trial.flow import LEFT_OUT, FailedScan, counts, reasons_by_visit, without
from bids_app.trial.study import find_study
from bids_app.trial.summed_tables import unsummed
from bids_app.trial.tables import PARTICIPANTS, Tables, read_tables
from bids_app.trial.visits import scanned_visits

logger = logging.getLogger("bids_app")


def find_trial(settings: Settings) -> TrialScans:
    """Find what there is to compare: the scans, the tables, and which arms and visits.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    TrialScans
    """
    failed = read_failed_scans(settings.output_dir)
    index = index_scans(settings.output_dir)
    for atlas in sorted(index.earlier):
        logger.warning(
            "Tables of %s are of an earlier call of the participant level and are not compared: name all in one.",
            atlas,
        )
    routes = find_routes(settings, index)
    scans = [scan for route in routes for scan in next(iter(route.scans.values()))]
    scanned = scanned_visits((scan.participant, scan.session) for scan in scans)
    tables = tables_for(settings, scanned)
    tables, events = find_events(tables, scanned, settings.trial, named=settings.blind is None)
    tables = replace(tables, findings=(*tables.findings, *events.findings))
    routes = [without_visits(route, events.after) for route in routes]
    settings, tables = _as_blinded(settings, tables, scanned)
    study = find_study(tables, scanned, settings.trial)
    settings = replace(settings, trial=settled(settings.trial, study.first))
    for design in study.designs:
        contrast_label(*design.sides)  # refused here rather than when the results are written
    if found := study.sequences:
        routes = [of_periods(route, found) for route in routes]
        failed = [replace(one, session=found.session(one.participant, one.session)) for one in failed]
    routes = [with_summaries(route, study.summaries, settings.signal.min_minutes) for route in routes]
    return TrialScans(settings=settings, study=study, routes=routes, failed=failed, events=events)


def _as_blinded(settings: Settings, tables: Tables, scanned: Collection[tuple[str, str]]) -> tuple[Settings, Tables]:
    """Return options and tables without the names of the arms, or what the log says of how they became known."""
    if settings.blind:
        return blinded(settings, tables, scanned)
    trial, log = settings.trial, read_blinding(settings.output_dir)
    said = (Finding("Blinding", text),) if (text := told(log)) else ()
    late = departs_by_time(settings.output_dir, trial.plan.sha256 if trial.plan else None)
    trial = replace(trial, departed=(*trial.departed, *late))
    return replace(settings, trial=trial), replace(tables, findings=(*tables.findings, *said))


def tables_for(settings: Settings, scanned: Collection[tuple[str, str]]) -> Tables:
    """Return the trial's tables; where everybody is one group, those scanned may be all that is known."""
    everyone = {one for one, _ in scanned} if settings.trial.design in SINGLE else ()
    return read_tables(settings.bids_dir, everyone)


def settled(trial: Trial, design: Design) -> Trial:
    """Return the options with what the visits leave: one of them is looked at by itself, without a baseline."""
    if design.baseline is not None:
        return trial
    if not design.single:
        return replace(trial, estimator="post")
    return replace(trial, estimator=f"slope:{trial.slopes[0]}" if trial.slopes else DESCRIBED, scheme="freedman-lane")


def flow_of(trial: TrialScans, route: Route, design: Design) -> pd.DataFrame:
    """Return the flow of participants of a route, with whom an option leaves out."""
    failures, settings = {**reasons_by_visit(trial.failed), **trial.events.after}, trial.settings
    flow = route_flow(route, trial.study.tables, design, failures, settings.signal.min_minutes)
    return without(flow, settings.selection.participants)


def gather(trial: TrialScans, design: Design) -> GroupRun:
    """Read everything that two arms are compared by, and refuse what cannot be.

    Parameters
    ----------
    trial : TrialScans
    design : Design
        One of its designs.

    Returns
    -------
    GroupRun
    """
    settings, tables, failed = trial.settings, trial.study.tables, trial.failed
    of_two = trial.study.designs
    wanted, comparisons = settings.selection.participants, []
    scores = read_scores(tables_of_chosen(tables, wanted), design, settings.trial)
    of_scores = (*unsummed(tables, design, settings.trial), *(scores.findings if scores else ()))
    tables = replace(tables, findings=(*tables.findings, *of_scores))
    for route in trial.routes:
        flow = flow_of(trial, route, design)
        sample = assemble(route, flow, tables, design, settings.trial, folder=_folder(trial, route, design))
        sample = replace(sample, symptoms=symptom_changes(scores, sample))
        check_design(route, sample)
        _say_flow(route, flow, design)
        found = (
            *(one_of_several([*of_two, *trial.study.by_weights(of_two)[0]], design) if _tests(settings) else ()),
            *sample.findings,
            *left_out(flow, wanted, scores, design.words),
            *completers(chosen(flow), design, sample, settings.trial),
            *assumptions(settings, route, sample, flow),
        )
        sample = with_earlier(replace(sample, findings=found), route, settings, alone=not trial.study.has_several)
        comparisons.append((route, flow, sample))
    samples = [(route, sample) for route, _, sample in comparisons]
    named, about = find_named(settings.trial.regions, samples)
    tables = replace(tables, findings=(*tables.findings, *about))
    say_all((*tables.findings, *design.findings, *(one for *_, sample in comparisons for one in sample.findings)))
    if _tests(settings):
        say_all(forecast(settings, [(route.name, sample) for route, sample in samples]))
    numbers = number_deviations(settings.trial.plan, tables, design)
    settings = _departed(settings, (*done_deviations(settings, samples, scores), *numbers))
    targets = [Target(route, flow, sample, named[route.name]) for route, flow, sample in comparisons]
    alone = not trial.study.has_several
    return GroupRun(settings, design, tables, scores, failed=failed, targets=targets, alone=alone)


def _folder(trial: TrialScans, route: Route, design: Design) -> Path | None:
    """Return where the maps of a comparison are kept while the run lasts."""
    return trial.folder and trial.folder / comparison_folder(design) / label(route.name)


def _tests(settings: Settings) -> bool:
    return settings.trial.estimator != DESCRIBED


def one_of_several(designs: Sequence[Design], own: Design) -> tuple[Finding, ...]:
    """Warn that a comparison is one of several, over which its own p is not corrected.

    Examples
    --------
    >>> low, high = (Design("arm", arm, "placebo", "pre", "post") for arm in ("low", "high"))
    >>> one_of_several([low], low)
    ()
    >>> one_of_several([low, high], low)[0].text
    'One of 2 comparisons; the other is high − placebo at ses-post. p is corrected within this one alone.'
    """
    if len(designs) == 1:
        return ()
    others = ", ".join(one.comparison for one in designs if one is not own)
    rest = f"the others are {others}" if len(designs) > 2 else f"the other is {others}"
    text = f"One of {len(designs)} comparisons; {rest}. p is corrected within this one alone."
    return (Finding("Comparisons", text, warning=True),)


def _departed(settings: Settings, done: Iterable[Deviation]) -> Settings:
    """Add to the departures from the plan those that only what was done shows, and log all."""
    trial = settings.trial
    departed = (*trial.departed, *done)
    for one in departed:
        logger.warning("Departs from the plan: %s.", one.text)
    return replace(settings, trial=replace(trial, departed=departed))


def number_deviations(plan: Plan | None, tables: Tables, design: Design) -> Iterator[Deviation]:
    """Yield of which arm the plan has another number of participants than the tables."""
    words = arm_words(tables, design)
    for arm in design.compared if plan else ():
        planned, there = cast(Plan, plan).protocol.n_planned.get(arm), int((words == arm).sum())
        if planned not in (None, there):
            yield Deviation("n_planned", f"{planned} {arm}", f"{there} {arm}, by the tables")


def tables_of_chosen(tables: Tables, participants: Collection[str]) -> Tables:
    """Leave out of the tables whom --participant-label leaves out."""
    if not participants:
        return tables
    return replace(tables, participants=tables.participants[tables.participants.index.isin(participants)])


def chosen(flow: pd.DataFrame) -> pd.DataFrame:
    """Leave out of the flow whom --participant-label leaves out: they are not missing, they were not looked at."""
    return flow[flow["reason"] != LEFT_OUT].reset_index(drop=True)


def read_failed_scans(output_dir: Path) -> list[FailedScan]:
    """Return the scans that failed when last tried, or whose input is gone, as a list of FailedScan."""
    failed: list[FailedScan] = []
    for status in read_statuses(output_dir):
        failed += [
            FailedScan(status["Participant"], scan.get("Session"), scan["Scan"], scan.get("Reason", "unknown"))
            for scan in status["Scans"]
            if scan["State"] != "done"
        ]
    return failed


def _say_flow(route: Route, flow: pd.DataFrame, design: Design) -> None:
    logger.info("%s%s: %d participants analysed.", route.name[0].upper(), route.name[1:], flow["analysed"].sum())
    for arm, steps in counts(flow, design).items():
        logger.info("  %s: %s", arm, ", ".join(f"{count} {step}" for step, count in steps.items()))
    for row in flow[~flow["analysed"]].itertuples():
        logger.info("  %s not analysed: %s", row.participant_id, row.reason)


def _of_tables(trial: TrialScans) -> dict[str, Any]:
    """Return what is known of the tables: of a blinded trial that of the file would tell who is in which arm."""
    settings = trial.settings
    if settings.blind:
        return {"Blinded": settings.blind, "Tables": {PARTICIPANTS: digest_of_tables(trial.study.tables)}}
    return {"Tables": {one.name: digest_of_file(one) for one in [settings.bids_dir / PARTICIPANTS] if one.exists()}}


def made_from(trial: TrialScans) -> dict[str, Any]:
    """Return what the group's results were made from and how, for their record.

    Parameters
    ----------
    trial : TrialScans
        With the settings of a run, which say where what was done departs from the plan.

    Returns
    -------
    dict
    """
    settings, output = trial.settings, trial.settings.output_dir
    options = json.loads(settings.to_json())
    paths = {scan.path for route in trial.routes for scans in route.scans.values() for scan in scans}
    return {
        "Options": shareable({key: options[key] for key in ("selection", "signal", "graph", "trial")}, output),
        **_of_tables(trial),
        "Sources": {one.relative_to(output).as_posix(): digest_of_file(one) for one in sorted(paths)},
    }
