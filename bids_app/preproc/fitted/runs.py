"""Raw runs, and beside each what fMRIPrep left of it."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bids_app.bids.datasets import Dataset
from bids_app.bids.names import Name, scan_label
from bids_app.bids.selection import TEMPLATE_SPACES
from bids_app.errors import NothingSelectedError, UsageError
from bids_app.preproc.fitted.dataset import fitted_dataset
from bids_app.preproc.fitted.fit import Folder, run_key
from bids_app.preproc.raw_runs import RawRun, raw_bold, raw_runs
from bids_app.settings.settings import Settings

logger = logging.getLogger(__name__)


def runs_to_preprocess(settings: Settings) -> list[RawRun]:
    """Find the raw runs that are selected, with what fMRIPrep left of them or with the T1w to align them by.

    Raises
    ------
    NothingSelectedError, UsageError
        As `raw_runs.raw_runs`; the former too if fMRIPrep has none of them.
    """
    dataset = fitted_dataset(settings)
    return raw_runs(settings) if dataset is None else fitted_runs(settings, dataset)


def fitted_runs(settings: Settings, dataset: Dataset) -> list[RawRun]:
    """Find the raw runs that are selected and that fMRIPrep fitted.

    Parameters
    ----------
    settings : Settings
    dataset : Dataset
        fMRIPrep's, as `dataset.fitted_dataset` returns it.

    Returns
    -------
    list of RawRun
        Each with its `fit`.
    """
    found = raw_bold(settings)
    folders = {name.entities["sub"]: Folder(dataset, name.entities["sub"]) for name, _, _ in found}
    keys = {participant: folder.fitted() for participant, folder in folders.items()}
    fitted = [item for item in found if run_key(item[0].entities) in keys[item[0].entities["sub"]]]
    for name, _, _ in found:
        if run_key(name.entities) not in keys[name.entities["sub"]]:
            logger.warning("%s: fMRIPrep has no head motion of it; it is left out.", scan_label(name.entities))
    if not fitted:
        raise NothingSelectedError(
            f"Of {len(found)} raw scans that are selected none was fitted by fMRIPrep: looked in {dataset.path} for "
            "func/*_from-orig_to-boldref_mode-image_desc-hmc_xfm.txt with the same entities."
        )
    used = {name.entities["sub"] for name, _, _ in fitted}
    _refuse_t2w_alone(participant for participant in used if folders[participant].has_t2w_alone)
    space = _space(settings, {participant: folders[participant].spaces for participant in used})
    runs = []
    for name, path, metadata in fitted:
        fit = folders[name.entities["sub"]].fit(name.entities, space)
        runs.append(RawRun(name.entities, path, fit.anatomy.get("T1w"), metadata, fit=fit, space=space))
    return _with_sessions(runs)


def _refuse_t2w_alone(participants: Iterable[str]) -> None:
    """Refuse those whose anatomy is of T2w alone.

    Raises
    ------
    UsageError
        There are such.
    """
    if listed := ", ".join(f"sub-{one}" for one in sorted(participants)):
        raise UsageError(
            f"{listed}: the anatomy was fitted by a T2w alone (from-T2w_to-*_xfm.h5), and what was fitted is applied "
            "here by a T1w only. Run it again with --level full and --output-spaces, whose images are read whatever "
            "the anatomy, or leave them out with --participant-label."
        )


def _space(settings: Settings, spaces: dict[str, set[str]]) -> str:
    """Choose the template: as --space says, else the first that everyone's T1w was brought to."""
    wanted = settings.selection.space
    everyone, someone = set.intersection(*spaces.values()), set().union(*spaces.values())
    if "+" in (wanted or ""):
        template, _, cohort = str(wanted).partition("+")
        raise UsageError(
            f"--space {wanted}: what was fitted is not applied here to the template of a cohort. Run it again with "
            f"--level full --output-spaces {template}:cohort-{cohort}, whose images are read."
        )
    if wanted is not None and wanted not in someone:
        raise UsageError(
            f"--space {wanted}: fMRIPrep brought no T1w to it; there are {', '.join(sorted(someone)) or 'none'}. "
            "Without resampled images there are no surfaces either: run fMRIPrep again with --level full for those."
        )
    for space in (wanted, *TEMPLATE_SPACES):
        if space is not None and (space in everyone or space == wanted):
            return space
    raise UsageError(
        f"fMRIPrep brought everyone's T1w to {', '.join(sorted(everyone)) or 'no one template'}; "
        f"it must be one of {', '.join(TEMPLATE_SPACES)}. Choose with --space if not everyone has one of those."
    )


def _with_sessions(runs: list[RawRun]) -> list[RawRun]:
    """Name the session of a T1w where the runs of a participant do not all share one."""
    images: dict[str, set[Path | None]] = {}
    for run in runs:
        images.setdefault(run.entities["sub"], set()).add(run.t1w)
    return [
        replace(run, t1w_session=Name.parse(run.t1w).entities.get("ses"))
        if run.t1w is not None and len(images[run.entities["sub"]] - {None}) > 1
        else run
        for run in runs
    ]
