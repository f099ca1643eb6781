"""The participant level: what happens in which order, and the exit code."""

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from bids_app.bids.files import sweep, write_dataset_files
from bids_app.bids.findings import of_scans
from bids_app.bids.names import Name
from bids_app.bids.result_names import atlas_of, status_path
from bids_app.bids.runs import AnyRun, BoldRun, Inputs, find_inputs
from bids_app.bids.scans import index_scans
from bids_app.bids.status import earlier_scans, mark_gone, participants_with_status, save_status
from bids_app.bids.values import counted
from bids_app.participant.nodes import settle_atlases, settle_grid
from bids_app.participant.workflow import Layout, init_level_wf
from bids_app.preproc.extra import require_ants
from bids_app.preproc.raw_runs import RawRun, by_participant, wants_preprocessing
from bids_app.report.index import write_index_page, write_pages_of_all
from bids_app.report.participant import write_participant_page
from bids_app.runtime.failures import Failure
from bids_app.runtime.group_folder import changed_sources
from bids_app.runtime.logs import call_of, conclude, start_log
from bids_app.runtime.nipype_run import execute, node_name
from bids_app.settings.settings import GROUP, Settings
from bids_app.system.locks import turn_in
from bids_app.trial.blinding_log import for_log

logger = logging.getLogger("bids_app")


def participant_level(settings: Settings) -> int:
    """Make the graph maps and tables of every participant.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0 if every scan was finished; else the exit code of what went wrong.
    """
    log_dir = start_log(*for_log(settings))
    sweep(settings.output_dir)
    if not wants_preprocessing(settings):
        return _graph_level(settings, log_dir)
    require_ants()
    from bids_app.preproc.level import preprocess  # here, for ANTs takes seconds to import

    prepared = preprocess(settings, log_dir)
    for participant, runs in by_participant(prepared.failed).items():
        _finish_participant(settings, participant, runs, prepared.failures, log_dir.name)
    _say_failures(prepared.failed, prepared.failures)
    if not prepared.ready or (prepared.failures and settings.stop_on_first_crash):
        index = index_scans(settings.output_dir)
        return conclude(prepared.failures, write_index_page(settings.output_dir, index), log_dir)
    return _graph_level(prepared.settings, log_dir, prepared.failures)


def _graph_level(settings: Settings, log_dir: Path, earlier: Sequence[Failure] = ()) -> int:
    """Make the maps and tables of preprocessed scans; ``earlier`` are failures that count for the exit code too."""
    inputs = find_inputs(settings)
    runs_by_participant = inputs.by_participant
    logger.info("%s, %s.", counted(len(runs_by_participant), "participant"), counted(len(inputs.runs), "scan"))
    for run in inputs.runs:
        logger.info("%s: %s (%s).", run.label, run.sources[0].rpartition("/")[2], run.reason)
        logger.debug("%s: %s", run.label, ", ".join(run.sources))
    write_dataset_files(settings.output_dir, settings.bids_dir, inputs.datasets)
    grid_file, n_nodes = settle_grid(settings, inputs)
    n_threads = settings.resources.omp_nthreads or max(1, settings.resources.n_cpus // len(inputs.runs))
    atlas_files = settle_atlases(settings, inputs, grid_file)
    workflow = init_level_wf(
        runs_by_participant=runs_by_participant,
        layout=Layout(grid_file, n_nodes, atlas_files),
        settings=settings,
        n_threads=n_threads,
    )
    failures = execute(workflow, settings, log_dir, n_parallel=len(inputs.runs), n_threads=n_threads)
    atlases = sorted({atlas_of(Name.parse(path).entities) for path in atlas_files})
    for participant, runs in runs_by_participant.items():
        _finish_participant(settings, participant, runs, failures, log_dir.name, atlases)
    _say_failures(inputs.runs, failures)
    _say_gone(settings, inputs)
    _say_warnings(settings, inputs)
    _say_changed(settings.output_dir, runs_by_participant)
    page = _page_to_look_at(settings, inputs)
    failed = sum(bool(failures_of(run, failures)) for run in inputs.runs)
    logger.info("%d of %d scans finished, %d failed.", len(inputs.runs) - failed, len(inputs.runs), failed)
    whole = page == settings.output_dir / "index.html"
    return conclude([*earlier, *failures], page, log_dir, call_of(settings, "group") if whole else None)


def _page_to_look_at(settings: Settings, inputs: Inputs) -> Path:
    """Write the index and the methods, unless other calls have still to make others; return the page to look at.

    So an array of tasks, one per participant, makes them once: the task that ends last.
    """
    output = settings.output_dir
    waiting = inputs.everyone - set(participants_with_status(output))
    if settings.selection.participants and waiting:
        logger.info(
            "%s of the input still to be processed: %s and the methods are made by the call that ends "
            "last, by the group level, or by --reports-only.",
            counted(len(waiting), "participant"),
            output / "index.html",
        )
        return output / f"sub-{inputs.runs[0].entities['sub']}.html"
    return write_pages_of_all(output)


def _say_warnings(settings: Settings, inputs: Inputs) -> None:
    """Say what the sidecars of the scans warn of: each kind of sentence once."""
    of_this_call, index = {run.label for run in inputs.runs}, index_scans(settings.output_dir, inputs.by_participant)
    for finding in of_scans([scan for scan in index.one_of_each() if scan.facts.origin.scan in of_this_call]):
        finding.say()


def _say_changed(output_dir: Path, participants: Collection[str]) -> None:
    """Say so if the arms were compared on what this call made otherwise than it was."""
    if changed_sources(output_dir, participants):
        logger.warning("%s compares what was there before this call: run the group level again.", output_dir / GROUP)


def _say_gone(settings: Settings, inputs: Inputs) -> None:
    """Mark and name the scans of earlier calls that have no input any more."""
    roots = {dataset.name: dataset.path for dataset in inputs.datasets}
    present = {run.label for run in inputs.runs}
    for name in mark_gone(settings.output_dir, roots, settings.selection.participants, present):
        logger.warning("%s: its input is no longer there; what earlier calls made of it is not used any more.", name)


def _say_failures(runs: Iterable[AnyRun | RawRun], failures: Sequence[Failure]) -> None:
    for run in runs:
        for failure in failures_of(run, failures):
            logger.error("%s: %s", run.label, failure.message)


def _finish_participant(
    settings: Settings,
    participant: str,
    runs: Iterable[AnyRun | RawRun],
    failures: Sequence[Failure],
    run_name: str,
    atlases: Sequence[str] = (),
) -> None:
    """Write down how each scan ended, beside what earlier calls said of other scans, and the participant's page."""
    folder = status_path(settings.output_dir, participant).parent
    folder.mkdir(parents=True, exist_ok=True)
    with turn_in(folder):  # another session of the participant may end at the same time
        _add_status(settings, participant, runs, failures, run_name, atlases)
    write_participant_page(settings.output_dir, participant)


def _add_status(
    settings: Settings,
    participant: str,
    runs: Iterable[AnyRun | RawRun],
    failures: Sequence[Failure],
    run_name: str,
    atlases: Sequence[str],
) -> None:
    scans = earlier_scans(settings.output_dir, participant)
    stopped = settings.stop_on_first_crash and bool(failures)
    for run in runs:
        sources = list(getattr(run, "sources", ()))  # raw scans have none
        described = {"Scan": run.label, "Session": run.entities.get("ses"), "Sources": sources}
        described |= {"Atlases": list(atlases)} if isinstance(run, BoldRun) else {}
        scans[run.label] = described | {"State": "done"}
        if failed := failures_of(run, failures):
            log = failed[0].crash_file
            reason = {"Reason": failed[0].message, "Log": log.relative_to(settings.output_dir / "logs").as_posix()}
        elif stopped:
            reason = {"Reason": "Not finished: another scan failed, and --stop-on-first-crash was given."}
        else:
            continue
        scans[run.label] |= {"State": "failed", **reason}
    save_status(settings.output_dir, participant, run_name, scans)


def failures_of(run: AnyRun | RawRun, failures: Iterable[Failure]) -> list[Failure]:
    """Return the failures within a run's workflow."""
    within = f".sub_{run.entities['sub']}_wf.{node_name(run.label)}_wf."
    return [failure for failure in failures if within in failure.node]
