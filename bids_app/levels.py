"""The two levels of the app: what happens in which order, and the exit code."""

import json
import logging
import sys
import uuid
from dataclasses import replace
from datetime import datetime

import nibabel as nib
import numpy as np

from bids_app import __version__
from bids_app.analyses import analyses_of
from bids_app.assembly import assemble, check_design, route_flow
from bids_app.bold import open_bold
from bids_app.brainsymptom import clear_region_tables, write_region_tables
from bids_app.cohort import find_design, read_tables
from bids_app.errors import DataError, TrialgraphError, UsageError
from bids_app.execution import execute
from bids_app.flow import FailedScan, counts, reasons_by_visit
from bids_app.grid import load_grid, mask_grid, on_grid_of, template_grid
from bids_app.inputs import TEMPLATE_SPACES, BoldRun, find_inputs
from bids_app.outputs import replacing, save_json, save_text, status_path, write_dataset_files
from bids_app.plantables import write_plan
from bids_app.rawdata import by_participant, wants_preprocessing
from bids_app.record import write_design, write_whole_brain
from bids_app.report.group import write_group_page
from bids_app.report.participant import write_participant_page
from bids_app.routes import find_routes
from bids_app.trialtables import Notes, clear_trial_tables, read_scores, symptom_changes, write_arms, write_outcomes
from bids_app.workflows.group import init_group_wf
from bids_app.workflows.participant import init_level_wf, node_name

logger = logging.getLogger("bids_app")


def participant_level(settings):
    """Make the graph maps and tables of every participant.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0 if every scan was finished; else the exit code of what went wrong.
    """
    log_dir = start_log(settings)
    if not wants_preprocessing(settings):
        return _graph_level(settings, log_dir)
    from bids_app.preprocessing import preprocess  # here, for ANTs takes seconds to import

    prepared = preprocess(settings, log_dir)
    for participant, runs in by_participant(prepared.failed).items():
        _finish_participant(settings, participant, runs, prepared.failures)
    _say_failures(prepared.failed, prepared.failures)
    if not prepared.ready or (prepared.failures and settings.stop_on_first_crash):
        return _conclude(settings, prepared.failures)
    return _graph_level(prepared.settings, log_dir, prepared.failures)


def _graph_level(settings, log_dir, earlier=()):
    """Make the maps and tables of preprocessed scans; ``earlier`` are failures that count for the exit code too."""
    inputs = find_inputs(settings)
    runs_by_participant = inputs.by_participant
    logger.info("%d participants, %d scans.", len(runs_by_participant), len(inputs.runs))
    for run in inputs.runs:
        logger.debug("%s: %s", run.label, ", ".join(run.sources))
    write_dataset_files(settings.output_dir, settings.bids_dir, inputs.datasets)
    grid_file, n_nodes = _save_grid(settings, inputs.runs)
    n_threads = settings.resources.omp_nthreads or max(1, settings.resources.n_cpus // len(inputs.runs))
    workflow = init_level_wf(
        runs_by_participant=runs_by_participant,
        grid_file=grid_file,
        n_nodes=n_nodes,
        settings=settings,
        n_threads=n_threads,
    )
    failures = execute(workflow, settings, log_dir, n_parallel=len(inputs.runs), n_threads=n_threads)
    for participant, runs in runs_by_participant.items():
        _finish_participant(settings, participant, runs, failures)
    _say_failures(inputs.runs, failures)
    failed = sum(bool(failures_of(run, failures)) for run in inputs.runs)
    logger.info("%d of %d scans finished.", len(inputs.runs) - failed, len(inputs.runs))
    return _conclude(settings, [*earlier, *failures])


def _say_failures(runs, failures):
    for run in runs:
        for failure in failures_of(run, failures):
            logger.error("%s: %s", run.label, failure.message)


def start_log(settings):
    """Open this run's folder in logs/, keep the settings there, and log to it and to the terminal."""
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}_{settings.level}_{uuid.uuid4().hex[:8]}"
    log_dir = settings.output_dir / "logs" / stamp
    save_json(log_dir / "command.json", {"Command": sys.argv, "Version": __version__})
    save_text(log_dir / "settings.json", settings.to_json() + "\n")
    to_file = logging.FileHandler(log_dir / "trialgraph.log")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_file.setLevel(logging.DEBUG)
    to_terminal = logging.StreamHandler()
    to_terminal.setFormatter(logging.Formatter("%(message)s"))
    to_terminal.setLevel(logging.DEBUG if settings.verbose else logging.INFO)
    logger.handlers[:] = [to_file, to_terminal]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return log_dir


def _save_grid(settings, runs):
    """Settle the analysis grid; parcel series alone need none."""
    bold = [run for run in runs if isinstance(run, BoldRun)]
    if not bold:
        return None, 0
    options, space = settings.graph, bold[0].entities.get("space")
    if options.mask in ("gm", "brain"):
        if space not in TEMPLATE_SPACES:
            raise UsageError(
                f"--mask {options.mask} is in template space, the data are in {space or 'the native space'}. "
                f"Choose --space {' or '.join(TEMPLATE_SPACES)}, or give a mask image in the space of the data."
            )
        grid = template_grid(options.mask, options.voxel_size or 2)
    else:
        grid = mask_grid(options.mask, options.voxel_size)
    if options.voxel_size is None:
        grid = on_grid_of(grid, _first_readable(bold))
    grid_file = settings.work_dir / "grid.nii.gz"
    if not _is_saved(grid, grid_file):
        with replacing(grid_file) as partial:
            nib.save(grid.mask_image(), partial)
    size = " x ".join(f"{edge:g}" for edge in grid.voxel_size)
    logger.info("Analysis grid: %d nodes of %s mm.", grid.n_nodes, size)
    return str(grid_file), grid.n_nodes


def _is_saved(grid, path):
    """Say whether a file holds this grid: with a new time, all that depends on it would be computed anew."""
    if not path.exists():
        return False
    saved = load_grid(path)
    return np.array_equal(saved.mask, grid.mask) and np.allclose(saved.affine, grid.affine)


def _first_readable(runs):
    for run in runs:
        try:
            return open_bold(run.bold)
        except TrialgraphError as error:
            reason = error
    raise reason


def _finish_participant(settings, participant, runs, failures):
    """Write down how each scan ended, beside what earlier calls said of other scans, and the participant's page."""
    path = status_path(settings.output_dir, participant)
    earlier = json.loads(path.read_text(encoding="utf-8"))["Scans"] if path.exists() else []
    scans = {scan["Scan"]: scan for scan in earlier}
    stopped = settings.stop_on_first_crash and bool(failures)
    for run in runs:
        scans[run.label] = {"Scan": run.label, "Session": run.entities.get("ses"), "State": "done"}
        if failed := failures_of(run, failures):
            log = failed[0].crash_file
            reason = {"Reason": failed[0].message, "Log": log.relative_to(settings.output_dir / "logs").as_posix()}
        elif stopped:
            reason = {"Reason": "Not finished: another scan failed, and --stop-on-first-crash was given."}
        else:
            continue
        scans[run.label] |= {"State": "failed", **reason}
    save_json(path, {"Participant": participant, "Scans": [scans[name] for name in sorted(scans)]})
    write_participant_page(settings.output_dir, participant)


def failures_of(run, failures):
    """Return the failures within a run's workflow."""
    within = f".sub_{run.entities['sub']}_wf.{node_name(run.label)}_wf."
    return [failure for failure in failures if within in failure.node]


def _conclude(settings, failures):
    """Say where the results are, and return the exit code."""
    logger.info("Results are in %s.", settings.output_dir)
    codes = {failure.exit_code for failure in failures}
    return 0 if not codes else codes.pop() if len(codes) == 1 else 1


def group_level(settings):
    """Compare the arms on everything that the participant level left.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0, or 65 if a participant has scans but no row in participants.tsv, or the code of what went wrong.
    """
    log_dir = start_log(settings)
    failed = read_failed_scans(settings.output_dir)
    routes = find_routes(settings, {scan.name for scan in failed})
    tables = _chosen(read_tables(settings.bids_dir), settings.selection.participants)
    sessions = {scan.session for route in routes for scan in next(iter(route.scans.values())) if scan.session}
    design = find_design(tables, sessions, settings.trial)
    scores, notes, flows = read_scores(tables, design, settings.trial), Notes(), []
    problems, pages, strangers = [], [], set()
    for route in routes:
        flow = route_flow(route, tables, design, reasons_by_visit(failed), settings.signal.min_minutes)
        problem = assemble(route, flow, tables, design, settings.trial)
        problem = replace(problem, symptoms=symptom_changes(scores, problem))
        check_design(route, problem)
        _say_flow(route, flow, design)
        pages.append(write_design(settings, route, design, problem, flow, failed))
        write_whole_brain(settings, route, design, problem, flow)
        write_arms(settings, route, design, tables, flow, scores, notes)
        clear_region_tables(settings, route, design)
        flows.append((route, flow))
        problems.append((route, problem))
        strangers |= set(flow["participant_id"]) - {f"sub-{label}" for label in tables.participants.index}
    clear_trial_tables(settings, design)
    if scores:
        write_outcomes(settings, design, scores, notes)
    n_comparisons = sum(
        len(analyses_of(settings.trial, design, problem.symptoms)) * len(problem.followup) for _, problem in problems
    )
    n_jobs = max(1, settings.resources.n_cpus // n_comparisons)
    workflow = init_group_wf(problems=problems, design=design, settings=settings, n_jobs=n_jobs)
    failures = execute(workflow, settings, log_dir, n_parallel=n_comparisons, n_threads=n_jobs)
    for failure in failures:
        logger.error("%s: %s", failure.node.partition(".")[2], failure.message)
    if not failures:
        regions = {
            route.name: write_region_tables(settings, route, design, tables, flow, scores, notes)
            for route, flow in flows
        }
        write_plan(settings, design, regions, routes, notes)
        page = write_group_page(settings.output_dir, pages)
        logger.info("The page is %s.", page)
    if strangers:
        logger.error("Not in participants.tsv, so not analysed: %s.", ", ".join(sorted(strangers)))
    return _conclude(settings, failures) or (DataError.exit_code if strangers else 0)


def _chosen(tables, participants):
    """Leave out of the tables whom --participant-label leaves out."""
    if not participants:
        return tables
    chosen = tables.participants.index.isin(participants)
    return replace(tables, participants=tables.participants[chosen])


def read_failed_scans(output_dir):
    """Return the scans that failed when the participant level last ran on them, as a list of FailedScan."""
    failed = []
    for path in sorted((output_dir / "logs" / "status").glob("sub-*.json")):
        status = json.loads(path.read_text(encoding="utf-8"))
        failed += [
            FailedScan(status["Participant"], scan.get("Session"), scan["Scan"], scan["Reason"])
            for scan in status["Scans"]
            if scan["State"] == "failed"
        ]
    return failed


def _say_flow(route, flow, design):
    logger.info("%s: %d participants analysed.", route.name.capitalize(), flow["analysed"].sum())
    for arm, steps in counts(flow, design).items():
        logger.info("  %s: %s", arm, ", ".join(f"{count} {step}" for step, count in steps.items()))
    for row in flow[~flow["analysed"]].itertuples():
        logger.info("  %s not analysed: %s", row.participant_id, row.reason)
