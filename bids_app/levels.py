"""The two levels of the app: what happens in which order, and the exit code."""

import json
import logging
import sys
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from bids_app import __version__
from bids_app.analyses import analyses_of
from bids_app.assembly import assemble, check_design, route_flow
from bids_app.bold import open_bold
from bids_app.brainsymptom import clear_region_tables, write_region_tables
from bids_app.cohort import Design, Tables, find_design, read_tables
from bids_app.derivatives import surface_path
from bids_app.errors import DataError, NothingSelectedError, TrialgraphError, UsageError
from bids_app.execution import execute
from bids_app.flow import FailedScan, counts, reasons_by_visit
from bids_app.grid import load_grid, mask_grid, on_grid_of, save_grid, template_grid
from bids_app.inputs import TEMPLATE_SPACES, BoldRun, find_inputs
from bids_app.outputs import save_json, save_text, status_path, write_dataset_files
from bids_app.plantables import write_plan
from bids_app.record import write_design, write_whole_brain
from bids_app.report.citation import write_citation
from bids_app.report.group import design_paths, write_group_page
from bids_app.report.index import write_index_page
from bids_app.report.participant import write_participant_page
from bids_app.routes import find_routes
from bids_app.surfacefiles import axis_of, is_surface, lay_surface
from bids_app.trialtables import (
    Notes,
    Scores,
    clear_trial_tables,
    read_scores,
    symptom_changes,
    write_arms,
    write_outcomes,
)
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
    inputs = find_inputs(settings)
    by_participant = inputs.by_participant
    logger.info("%d participants, %d scans.", len(by_participant), len(inputs.runs))
    for run in inputs.runs:
        logger.debug("%s: %s", run.label, ", ".join(run.sources))
    write_dataset_files(settings.output_dir, settings.bids_dir, inputs.datasets)
    grid_file, n_nodes = _save_grid(settings, inputs)
    n_threads = settings.resources.omp_nthreads or max(1, settings.resources.n_cpus // len(inputs.runs))
    workflow = init_level_wf(
        runs_by_participant=by_participant,
        grid_file=grid_file,
        n_nodes=n_nodes,
        settings=settings,
        n_threads=n_threads,
    )
    failures = execute(workflow, settings, log_dir, n_parallel=len(inputs.runs), n_threads=n_threads)
    for participant, runs in by_participant.items():
        _finish_participant(settings, participant, runs, failures, log_dir.name)
    for run in inputs.runs:
        for failure in failures_of(run, failures):
            logger.error("%s: %s", run.label, failure.message)
    write_citation(settings.output_dir)
    page = write_index_page(settings.output_dir)
    failed = sum(bool(failures_of(run, failures)) for run in inputs.runs)
    logger.info("%d of %d scans finished, %d failed.", len(inputs.runs) - failed, len(inputs.runs), failed)
    return _conclude(failures, page, log_dir)


def start_log(settings):
    """Open this run's folder in logs/, keep the settings there, and log to it and to the terminal."""
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}_{settings.level}_{uuid.uuid4().hex[:8]}"
    log_dir = settings.output_dir / "logs" / stamp
    save_json(log_dir / "command.json", {"Command": sys.argv, "Version": __version__})
    save_text(log_dir / "settings.json", settings.to_json() + "\n")
    to_file = logging.FileHandler(log_dir / "trialgraph.log")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_file.setLevel(logging.DEBUG)
    log_to_terminal(settings.verbose)
    logger.addHandler(to_file)
    return log_dir


def log_to_terminal(verbose=0):
    """Send messages to the terminal, and nowhere else."""
    to_terminal = logging.StreamHandler()
    to_terminal.setFormatter(logging.Formatter("%(message)s"))
    to_terminal.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.handlers[:] = [to_terminal]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def _save_grid(settings, inputs):
    """Settle the analysis grid; parcel series alone need none."""
    bold = [run for run in inputs.runs if isinstance(run, BoldRun)]
    if not bold:
        return None, 0
    on_surface = is_surface(bold[0].bold)
    grid = _surface(settings, inputs, bold) if on_surface else _voxels(settings, bold)
    grid_file = settings.work_dir / "grid.nii.gz"
    if on_surface:
        grid_file = surface_path(settings.output_dir, bold[0].entities)
    if not (grid_file.exists() and load_grid(grid_file).same_as(grid)):  # with a new time, all would be computed anew
        save_grid(grid, grid_file)
    logger.info("Analysis grid: %s.", grid)
    return str(grid_file), grid.n_nodes


def _surface(settings, inputs, bold):
    if settings.graph.mask not in ("gm", "brain"):
        raise UsageError("--mask PATH: on surfaces all grayordinates of the data are nodes.")
    datasets = [dataset.path for dataset in inputs.datasets]
    return lay_surface(_first(bold, axis_of), settings.selection.meshes, datasets)


def _voxels(settings, bold):
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
        grid = on_grid_of(grid, open_bold(_first(bold, open_bold)))
    return grid


def _first(runs, opened):
    """Return the first BOLD file that can be opened."""
    for run in runs:
        try:
            opened(run.bold)
            return run.bold
        except TrialgraphError as error:
            reason = error
    raise reason


def _finish_participant(settings, participant, runs, failures, run_name):
    """Write down how each scan ended, beside what earlier calls said of other scans, and the participant's page."""
    path = status_path(settings.output_dir, participant)
    earlier = json.loads(path.read_text(encoding="utf-8"))["Scans"] if path.exists() else []
    scans = {scan["Scan"]: scan for scan in earlier}
    stopped = settings.stop_on_first_crash and bool(failures)
    for run in runs:
        scans[run.label] = {"Scan": run.label, "Session": run.entities.get("ses"), "State": "done"}
        if failed := failures_of(run, failures):
            log = failed[0].crash_file
            reason = {"Reason": failed[0].message, "Log": f"{log.parent.name}/{log.name}"}
        elif stopped:
            reason = {"Reason": "Not finished: another scan failed, and --stop-on-first-crash was given."}
        else:
            continue
        scans[run.label] |= {"State": "failed", **reason}
    content = {"Participant": participant, "Run": run_name, "Scans": [scans[name] for name in sorted(scans)]}
    save_json(path, content)
    write_participant_page(settings.output_dir, participant)


def failures_of(run, failures):
    """Return the failures within a run's workflow."""
    within = f".sub_{run.entities['sub']}_wf.{node_name(run.label)}_wf."
    return [failure for failure in failures if within in failure.node]


def _conclude(failures, page, log_dir):
    """Say where to look, and return the exit code."""
    if page.exists():
        logger.info("Look at %s.", page)
    logger.info("Messages and errors of this run: %s.", log_dir)
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
    gathered = gather(settings)
    design, scores, notes = gathered.design, gathered.scores, gathered.notes
    pages = []
    for route, flow, problem in gathered.comparisons:
        pages.append(write_design(settings, route, design, problem, flow, gathered.failed))
        write_whole_brain(settings, route, design, problem, flow)
        write_arms(settings, route, design, gathered.tables, flow, scores, notes)
        clear_region_tables(settings, route, design)
    clear_trial_tables(settings, design)
    if scores:
        write_outcomes(settings, design, scores, notes)
    problems = [(route, problem) for route, _, problem in gathered.comparisons]
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
            route.name: write_region_tables(settings, route, design, gathered.tables, flow, scores, notes)
            for route, flow, _ in gathered.comparisons
        }
        write_plan(settings, design, regions, [route for route, _ in problems], notes)
        write_citation(settings.output_dir)
        write_group_page(settings.output_dir, pages)
        write_index_page(settings.output_dir)
    strangers = gathered.strangers
    if strangers:
        logger.error("Not in participants.tsv, so not analysed: %s.", ", ".join(sorted(strangers)))
    page = settings.output_dir / "group" / "index.html"
    return _conclude(failures, page, log_dir) or (DataError.exit_code if strangers else 0)


@dataclass(frozen=True)
class Gathered:
    """All that the group level reads before it writes anything.

    Attributes
    ----------
    tables : cohort.Tables
    design : cohort.Design
    scores : trialtables.Scores or None
    notes : trialtables.Notes
    failed : list of FailedScan
    comparisons : list of (Route, DataFrame, Problem)
        Each route with its flow of participants and what is compared.
    """

    tables: Tables
    design: Design
    scores: Scores | None
    notes: Notes
    failed: list
    comparisons: list

    @property
    def strangers(self):
        """Participants with scans but without a row in participants.tsv."""
        known = {f"sub-{label}" for label in self.tables.participants.index}
        return {name for _, flow, _ in self.comparisons for name in flow["participant_id"]} - known


def gather(settings):
    """Read everything that the arms are compared by, and refuse what cannot be.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Gathered
    """
    failed = read_failed_scans(settings.output_dir)
    routes = find_routes(settings, {scan.name for scan in failed})
    tables = _chosen(read_tables(settings.bids_dir), settings.selection.participants)
    sessions = {scan.session for route in routes for scan in next(iter(route.scans.values())) if scan.session}
    design = find_design(tables, sessions, settings.trial)
    scores, comparisons = read_scores(tables, design, settings.trial), []
    for route in routes:
        flow = route_flow(route, tables, design, reasons_by_visit(failed), settings.signal.min_minutes)
        problem = assemble(route, flow, tables, design, settings.trial)
        problem = replace(problem, symptoms=symptom_changes(scores, problem))
        check_design(route, problem)
        _say_flow(route, flow, design)
        comparisons.append((route, flow, problem))
    return Gathered(tables, design, scores, Notes(), failed, comparisons)


def remake_pages(settings):
    """Make the pages anew from the files that earlier runs left, without computing anything.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        0.

    Raises
    ------
    NothingSelectedError
        No run of this level has left anything.
    """
    start_log(settings)
    output = settings.output_dir
    made = _remake_group(output) if settings.level == "group" else _remake_participants(settings)
    if not made:
        raise NothingSelectedError(
            f"--reports-only: {output} holds nothing of the {settings.level} level to make pages from. Run it without."
        )
    write_citation(output)
    write_index_page(output)
    logger.info("%d pages were made anew in %s.", made, output)
    return 0


def _remake_group(output_dir):
    paths = design_paths(output_dir)
    if paths:
        write_group_page(output_dir, paths)
    return int(bool(paths))


def _remake_participants(settings):
    wanted = settings.selection.participants
    names = [
        path.stem.removeprefix("sub-") for path in sorted(status_path(settings.output_dir, "").parent.glob("*.json"))
    ]
    chosen = [name for name in names if not wanted or name in wanted]
    for name in chosen:
        write_participant_page(settings.output_dir, name)
    return len(chosen)


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
