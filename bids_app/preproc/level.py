"""Raw scans to a preprocessed dataset, before the participant level reads it."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bids_app.bids.files import sidecar_of
from bids_app.errors import UsageError
from bids_app.preproc.dataset import (
    FITTED,
    NAME,
    RESOLUTION,
    Job,
    Place,
    discard,
    is_finished,
    state_of,
    write_description,
)
from bids_app.preproc.fitted.dataset import fitted_dataset
from bids_app.preproc.fitted.runs import fitted_runs
from bids_app.preproc.raw_runs import RawRun, by_participant, raw_runs, uncorrected_because
from bids_app.preproc.workflow import ANATOMY, anatomy_name, init_preproc_wf
from bids_app.report.preproc import write_preprocessing_page
from bids_app.runtime.failures import Failure
from bids_app.runtime.nipype_run import execute, node_name
from bids_app.settings.named import NamedPath
from bids_app.settings.settings import Selection, Settings
from bids_app.space.templates import template_space
from bids_app.system.environment import limit_threads_of_children
from bids_app.system.small_files import read_json

logger = logging.getLogger(__name__)

NAMED = 5  # scans of which a warning says the same


@dataclass(frozen=True)
class Prepared:
    """What the preprocessing left.

    Attributes
    ----------
    settings : Settings
        With the preprocessed dataset as what is to be analysed.
    ready : tuple of RawRun
    failed : tuple of RawRun
        Those without a result.
    failures : list of Failure
        Why; the node's name says of which run.
    """

    settings: Settings
    ready: tuple[RawRun, ...]
    failed: tuple[RawRun, ...]
    failures: list[Failure]


def preprocess(settings: Settings, log_dir: Path) -> Prepared:
    """Preprocess the selected raw runs that are not preprocessed yet.

    Parameters
    ----------
    settings : Settings
    log_dir : Path
        Crash files go to a folder in it.

    Returns
    -------
    Prepared
    """
    folder = settings.preprocessing.template
    place, runs = _place_and_runs(settings)
    jobs = [Job(run, place, folder, _state(place, folder, run)) for run in runs]
    todo = [job for job in jobs if not is_finished(job.record, job.state)]
    how = "Applying what fMRIPrep fitted to" if place.fitted else "Preprocessing"
    advice = "" if place.fitted else "; for a publication, prefer fMRIPrep"
    logger.info(
        "%s %d of %d raw scans, to %s (see %s%s).",
        *(how, len(todo), len(jobs), place.space, place.root / "README.md", advice),
    )
    _say_not_corrected(jobs)
    write_description(place)
    for job in todo:
        discard(job.record, job.bold)
    failures = _run(todo, settings, log_dir) if todo else []
    finished = [job for job in jobs if is_finished(job.record, job.state)]
    _say_not_found(finished)
    done = {job.run.label for job in finished}
    for participant in by_participant([job.run for job in jobs]):
        write_preprocessing_page(place, participant)
    derivatives = (NamedPath(place.root.name, place.root),)
    return Prepared(
        replace(settings, selection=replace(settings.selection, derivatives=derivatives)),
        tuple(job.run for job in jobs if job.run.label in done),
        tuple(job.run for job in jobs if job.run.label not in done),
        _of_runs(failures, [job.run for job in todo]),
    )


def _state(place: Place, folder: Path | None, run: RawRun) -> dict[str, Any]:
    """Return what the result of a run depends on; options and sidecars settle how distortions are corrected."""
    fieldmap = run.fieldmap if isinstance(run.fieldmap, str) else run.fieldmap.words
    return state_of(place, folder, *run.sources) | ({} if run.fit else {"Distortion": fieldmap})


def _place_and_runs(settings: Settings) -> tuple[Place, list[RawRun]]:
    root, fitted = settings.output_dir / "derivatives", fitted_dataset(settings)
    if fitted is None:
        place = Place(root / NAME, settings.bids_dir, template_space(settings.preprocessing.template))
        _check_selection(settings.selection, place)
        return place, raw_runs(settings)
    runs = fitted_runs(settings, fitted)
    place = Place(root / FITTED, settings.bids_dir, runs[0].space or "", fitted)
    _check_selection(settings.selection, place)
    return place, runs


def _say_not_corrected(jobs: Iterable[Job]) -> None:
    """Say of which scans distortions are not corrected, and why: also where fMRIPrep aligned corrected references."""
    reasons = defaultdict(list)
    for job in jobs:
        if reason := uncorrected_because(job.run):
            reasons[reason].append(job.run.label)
    _warn(reasons)


def _say_not_found(jobs: Iterable[Job]) -> None:
    """Say of which scans the field could not be told, though there is a field map."""
    reasons = defaultdict(list)
    for job in jobs:
        said = read_json(sidecar_of(job.bold))
        reason = said.get("SusceptibilityDistortionNotCorrectedBecause")
        if reason and uncorrected_because(job.run) is None:
            reasons[reason].append(job.run.label)
    _warn(reasons)


def _warn(reasons: Mapping[str, Sequence[str]]) -> None:
    for reason, labels in reasons.items():
        listed = ", ".join(labels[:NAMED]) + (f" and {len(labels) - NAMED} others" if len(labels) > NAMED else "")
        logger.warning("%s: susceptibility distortions are not corrected: %s.", listed, reason)


def _check_selection(selection: Selection, place: Place) -> None:
    for option, wanted, there in (("space", selection.space, place.space), ("res", selection.resolution, RESOLUTION)):
        if wanted not in (None, there):
            raise UsageError(
                f"--{option} {wanted}: what is preprocessed here has {option} {there}. "
                "Leave the option out, choose with --template, or run fMRIPrep."
            )


def _run(todo: Sequence[Job], settings: Settings, log_dir: Path) -> list[Failure]:
    runs = by_participant([job.run for job in todo])
    jobs = {participant: [_job_of(run, todo) for run in some] for participant, some in runs.items()}
    anatomies = {participant: _anatomies(some) for participant, some in jobs.items()}
    limit_threads_of_children(1)  # the same bytes whatever --n-cpus says; before ANTs is first used
    workflow = init_preproc_wf(jobs_by_participant=jobs, anatomies=anatomies)
    crashes = log_dir / NAME
    crashes.mkdir(exist_ok=True)
    n_parallel = len(todo) + sum(map(len, anatomies.values()))
    return execute(workflow, settings, crashes, n_parallel=n_parallel)


def _job_of(run: RawRun, jobs: Iterable[Job]) -> Job:
    return next(job for job in jobs if job.run == run)


def _anatomies(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return the inputs of each anatomy of a participant that is not finished."""
    whole = [job for job in jobs if job.run.t1w is not None and not (job.run.fit and job.run.fit.lacking)]
    of_t1w = {job.run.t1w: job for job in reversed(whole)}
    return [anatomy for job in reversed(of_t1w.values()) if (anatomy := _anatomy(job))]


def _anatomy(job: Job) -> dict[str, Any] | None:
    owner, fit = job.run.anatomy, job.run.fit
    inputs = [job.run.t1w] if fit is None else [*fit.anatomy.values(), fit.normalization]
    record, state = job.place.record(owner, "T1w"), state_of(job.place, job.template, *inputs)
    if is_finished(record, state):
        return None
    discard(record)
    common = {"owner": owner, "place": job.place, "template": job.template, "state": state}
    return common | ({"t1w": job.run.t1w} if fit is None else {"fit": fit})


def _of_runs(failures: Sequence[Failure], runs: Sequence[RawRun]) -> list[Failure]:
    """Turn the failure of a participant's anatomy into one of each of the runs that needed it."""
    shared = [failure for failure in failures if failure.node.rpartition(".")[2].startswith(ANATOMY)]
    return [failure for failure in failures if failure not in shared] + [
        replace(failure, node=f"{failure.node.rpartition('.')[0]}.{node_name(run.label)}_wf.{ANATOMY}")
        for failure in shared
        for run in runs
        if failure.node.endswith(f".{node_name('sub-' + run.entities['sub'])}_wf.{anatomy_name(run.anatomy)}")
    ]
