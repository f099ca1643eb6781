"""The group level: what happens in which order, and the exit code."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bids_app.bids.files import sweep
from bids_app.bids.result_names import comparison_folder, family_name
from bids_app.errors import DataError
from bids_app.group import drawn
from bids_app.group.analyses import analyses_of
from bids_app.group.arm_tables import write_arms
from bids_app.group.comparisons_record import write_comparisons
from bids_app.group.description import describe, has_reliability, write_reliability
from bids_app.group.family import read_family
from bids_app.group.first_used import log_published
from bids_app.group.forecast import gb_of_test, threads_of_each
from bids_app.group.gathering import chosen, find_trial, gather, made_from
from bids_app.group.named_regions import write_named
from bids_app.group.objectives import write_objectives
from bids_app.group.plan_record import write_plan
from bids_app.group.pooled import keep_maps, write_pooled
from bids_app.group.record import write_design
from bids_app.group.region_tables import write_region_tables
from bids_app.group.repeated_outcomes import write_repeated
from bids_app.group.targets import GroupRun, Target, TrialScans
from bids_app.group.trial_tables import write_outcomes
from bids_app.group.whole_brain import write_whole_brain
from bids_app.group.workflow import init_group_wf, init_together_wf
from bids_app.report.index import write_pages_of_all
from bids_app.report.overview import write_group_pages
from bids_app.runtime.failures import Failure
from bids_app.runtime.group_folder import PAGE, publish, staged_group
from bids_app.runtime.logs import conclude, log_to_terminal, start_log
from bids_app.runtime.nipype_run import execute
from bids_app.settings.settings import DESCRIBED, GROUP, Settings, Trial
from bids_app.trial.blinding_log import (
    BLINDED,
    COMPARED,
    append_event,
    call_in_letters,
    read_blinding,
    require_not_blind,
)
from bids_app.trial.design import Design

logger = logging.getLogger("bids_app")


def group_level(settings: Settings) -> int:
    """Compare the arms on everything that the participant level left.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0, or 65 if a participant has scans but no row in participants.tsv, or something that was asked for could not be
        made or not be settled by so many draws, or the code of what went wrong.
    """
    output = settings.output_dir
    found, log_dir = _begin(settings)
    sweep(output)
    with staged_group(output) as staged, TemporaryDirectory(prefix="maps-", dir=settings.work_dir) as kept:
        trial = found or find_trial(replace(settings, group_folder=staged.name))
        trial = trial.kept_in(Path(kept))
        trial = replace(trial, settings=replace(trial.settings, group_folder=staged.name))
        runs, not_compared, failures = _compare_all(trial, log_dir)
        if not failures:
            write_objectives(trial, runs)
            write_group_pages(staged)
            publish(output, made_from(replace(trial, settings=runs[-1].settings)))
            tested = trial.settings.trial.estimator != DESCRIBED
            log_published(log_dir, settings.trial.plan.sha256 if settings.trial.plan else None, tested=tested)
    if failures:
        _say_failures(failures, output)
    else:
        write_pages_of_all(output)
    strangers = {name for run in runs for name in run.strangers}
    unmet = [*not_compared, *(one for run in runs for one in run.notes.unmet)]
    if strangers:
        logger.error("Not in participants.tsv, so not analysed: %s.", ", ".join(sorted(strangers)))
    if unmet:
        logger.error("Asked for, and not made: %s.", "; ".join(one.rstrip(".") for one in unmet))
    page = None if failures else output / GROUP / PAGE
    return conclude(failures, page, log_dir) or (DataError.exit_code if strangers or unmet else 0)


def _begin(settings: Settings) -> tuple[TrialScans | None, Path]:
    """Begin the log of a run; of a blinded one only when nothing knows the arms any more, which is returned then."""
    plan = settings.trial.plan
    about = {"Plan": plan.sha256 if plan else None}
    if settings.blind is None:
        require_not_blind(settings.output_dir)
        log_dir = start_log(settings)
        if read_blinding(settings.output_dir).seal:
            append_event(settings.output_dir, COMPARED, Run=log_dir.name, **about)
        return None, log_dir
    log_to_terminal(settings.verbose)
    found = find_trial(settings)
    log_dir = start_log(found.settings, call_in_letters(settings))
    append_event(settings.output_dir, BLINDED, What=settings.blind, Run=log_dir.name, **about)
    return found, log_dir


def _compare_all(trial: TrialScans, log_dir: Path) -> tuple[list[GroupRun], list[str], list[Failure]]:
    """Make every comparison, and where there are several, test them together.

    Returns
    -------
    runs : list of GroupRun
        Of several, without their maps.
    not_compared : list of str
        Which of several could not be made, and why.
    failures : list of Failure
    """
    if not trial.study.has_several:
        run = gather(trial, trial.study.first)
        return [run], [], _compare(run, log_dir)
    runs, not_compared, failures = _compare_each(trial, log_dir)
    if failures:
        return runs, not_compared, failures
    if trial.settings.trial.estimator == DESCRIBED:
        write_pooled(trial, runs, not_compared)
        return runs, not_compared, []
    by_weights, left = trial.study.by_weights([run.design for run in runs])
    not_compared += left
    failures = _test_together(trial, [*(run.design for run in runs), *by_weights], not_compared, log_dir)
    first = trial.study.first
    if not failures:
        if trial.settings.trial.until_settled:
            runs[0].notes.unmet.extend(_unsettled_together(trial))
        over = "of all arms and follow-ups" if first.words.several else "over all visits"
        with runs[0].notes.softly(f"Clinical outcomes {over}", asked=True):
            write_repeated(trial, _departed(runs), runs[0].notes)
    return runs, not_compared, failures


def _compare_each(trial: TrialScans, log_dir: Path) -> tuple[list[GroupRun], list[str], list[Failure]]:
    """Make each of several comparisons by itself; returns as `_compare_all`, only the run that failed if one did."""
    runs: list[GroupRun] = []
    not_compared: list[str] = []
    for design in trial.study.designs:
        name = comparison_folder(design)
        folder, work = f"{trial.settings.group_folder}/{name}", trial.settings.work_dir / name
        logger.info("%s:", design.comparison)
        own = replace(trial, settings=replace(trial.settings, group_folder=folder, work_dir=work))
        try:
            run = gather(own, design)
        except DataError as error:
            not_compared.append(f"{design.comparison}: {error}")
            logger.warning("Not compared: %s", not_compared[-1])
            continue
        run.settings.group_dir.mkdir()
        if failures := _compare(run, log_dir):
            return [run], not_compared, failures
        if run.settings.trial.estimator == DESCRIBED:
            keep_maps(run)
        runs.append(run.without_maps())
    if not runs:
        raise DataError("Nothing can be compared. " + " ".join(not_compared))
    return runs, not_compared, []


def _departed(runs: Sequence[GroupRun]) -> Trial:
    """Return the options with all that departs from the plan in any comparison."""
    trials = [run.settings.trial for run in runs]
    departed = [one for trial in trials for one in trial.departed]
    return replace(trials[0], departed=tuple(one for n, one in enumerate(departed) if one not in departed[:n]))


def _test_together(
    trial: TrialScans, designs: Sequence[Design], not_compared: Sequence[str], log_dir: Path
) -> list[Failure]:
    """Test all comparisons together, and write what they are; return the failures."""
    settings, resources = trial.settings, trial.settings.resources
    folder = (trial.folder or settings.work_dir) / "together"
    families = [read_family(trial, route, designs, folder) for route in trial.routes]
    at_once = settings.trial.until_settled
    n_tests = sum((1 if at_once else len(family.maps)) * len(family.joints) for family in families)
    n_jobs = threads_of_each(
        n_tests, lambda n_jobs: max(family.gb_of_test(settings.trial, n_jobs) for family in families), resources
    )
    workflow = init_together_wf(families=families, settings=settings, n_jobs=n_jobs)
    failures = execute(workflow, settings, log_dir, n_parallel=n_tests, n_threads=n_jobs)
    if not failures:
        write_comparisons(trial, families, not_compared)
    return failures


def _unsettled_together(trial: TrialScans) -> list[str]:
    """Say what the draws of comparisons that are tested together were to settle and do not."""
    settings = trial.settings
    tables = (settings.group_dir / family_name(route, "comparisons", ".tsv") for route in trial.routes)
    return [one for table in tables for one in drawn.said_together(table, settings.trial.alpha)]


def _compare(run: GroupRun, log_dir: Path) -> list[Failure]:
    """Write all results of two arms, unless a comparison fails; return the failures."""
    if run.settings.trial.estimator == DESCRIBED:
        describe(run)
        return []
    for target in run.targets:
        _write_before(run, target)
    if run.scores:
        write_outcomes(run)
    failures = _run_comparisons(run, log_dir)
    if failures:
        return failures
    if run.settings.trial.until_settled:
        for target in run.targets:
            run.notes.unmet.extend(drawn.said(run.path(target, "design", ".json")))
    regions = {
        target.route.name: write_region_tables(run, replace(target, flow=chosen(target.flow))) for target in run.targets
    }
    write_plan(run, regions)
    return []


def _write_before(run: GroupRun, target: Target) -> None:
    """Write what is known of a target before anything is permuted."""
    write_design(run, target)
    if target.route.has_whole_brain:
        write_whole_brain(run, target)
    write_arms(run, target)
    if has_reliability(run, target):
        write_reliability(run, target)
    if target.named:
        write_named(run, target)


def _run_comparisons(run: GroupRun, log_dir: Path) -> list[Failure]:
    """Run every feature by every analysis on every route; return the failures."""
    settings, design = run.settings, run.design
    samples = [(target.route, target.sample) for target in run.targets]
    n_comparisons = sum(
        len(analyses_of(settings.trial, design, sample.symptoms, describes=route.describes))
        * (1 if settings.trial.until_settled else len(sample.features))
        for route, sample in samples
    )
    n_jobs = threads_of_each(
        n_comparisons,
        lambda n_jobs: max(
            gb_of_test(sample, settings.trial, n_features=len(sample.features), n_jobs=n_jobs) for _, sample in samples
        ),
        settings.resources,
    )
    workflow = init_group_wf(samples=samples, settings=settings, n_jobs=n_jobs)
    return execute(workflow, settings, log_dir, n_parallel=n_comparisons, n_threads=n_jobs)


def _say_failures(failures: Sequence[Failure], output_dir: Path) -> None:
    for failure in failures:
        logger.error("%s: %s", failure.node.partition(".")[2], failure.message)
    if (output_dir / GROUP).exists():
        logger.error("%s is still what an earlier run left: nothing of this one is there.", output_dir / GROUP)
