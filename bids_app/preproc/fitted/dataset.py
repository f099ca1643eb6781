"""Whether a derivative is of fMRIPrep without resampled images, and the raw scans are there too."""

from pathlib import Path

from bids_app.bids.datasets import Dataset, find_derivatives
from bids_app.bids.names import Name
from bids_app.errors import MissingInputError
from bids_app.preproc.fitted.fit import is_motion
from bids_app.settings.settings import Settings

RESAMPLED = ("_bold.nii*", "_bold.func.gii", "_bold.dtseries.nii", "_timeseries.tsv")


def fitted_dataset(settings: Settings) -> Dataset | None:
    """Return fMRIPrep's output if it has no resampled image but what they are made of, and the raw scans are there.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Dataset or None
        None too if preprocessing is forbidden, or asked for from the start.
    """
    if settings.preprocessing.mode != "auto":
        return None
    try:
        datasets = find_derivatives(settings.bids_dir, settings.selection.derivatives)
    except MissingInputError:
        return None
    if len(datasets) != 1 or not _has_raw(settings.bids_dir, datasets[0].path):
        return None
    return datasets[0] if _is_fitted_only(datasets[0].path) else None


def _has_raw(bids_dir: Path, derivative: Path) -> bool:
    return bids_dir.resolve() != derivative.resolve() and any(bids_dir.glob("sub-*/**/func/*_bold.nii*"))


def _is_fitted_only(path: Path) -> bool:
    if any(any(path.glob(f"sub-*/**/func/*{end}")) for end in RESAMPLED):
        return False
    return any(is_motion(Name.parse(one)) for one in path.glob("sub-*/**/func/*_xfm.txt"))
