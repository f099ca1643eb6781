"""What `check` says of scans that are preprocessed first."""

from collections.abc import Sequence

from bids_app.bids.datasets import Dataset
from bids_app.cli.printing import say, show
from bids_app.preproc.distortion.found import FieldMap
from bids_app.preproc.fitted.fit import not_corrected_because
from bids_app.preproc.raw_runs import RawRun


def show_raw(runs: Sequence[RawRun]) -> None:
    """List the scans, and what they are aligned by."""
    if any(run.fit for run in runs):
        _show_fitted(runs)
        return
    rows = [(run.label, run.bold.name, _t1w(run), _distortions(run)) for run in runs]
    show(f"{len(runs)} raw scans would be preprocessed, then processed", ("scan", "file", "T1w", "distortions"), rows)
    say("For publication, fMRIPrep is the better preprocessing: see the documentation for what differs.")


def _t1w(run: RawRun) -> str:
    return f"{run.t1w.name}: {run.t1w_because}" if run.t1w else "none: straight to the template"


def _distortions(run: RawRun) -> str:
    found = run.fieldmap
    return f"corrected by {found.words}" if isinstance(found, FieldMap) else f"not corrected: {found}"


def _show_fitted(runs: Sequence[RawRun]) -> None:
    """Say to which raw scans what fMRIPrep fitted would be applied, and what of it would not."""
    fitted = [(run, run.fit) for run in runs if run.fit is not None]
    rows = [
        (
            *(run.label, run.bold.name, str(run.space), fit.motion.name if fit.motion else "none"),
            not_corrected_because(fit, run.metadata) or "corrected",
            ", ".join(fit.lacking) or "nothing",
        )
        for run, fit in fitted
    ]
    dataset = fitted[0][1].dataset
    say(f"{dataset.path} ({made_by(dataset)}) has transforms and no resampled images: they are applied here.")
    heads = ("scan", "file", "template", "head motion", "distortions", "lacking")
    show(f"{len(rows)} raw scans would be resampled, then processed", heads, rows)
    say("Brain masks are made from those of the T1w; confounds are made here.")


def made_by(dataset: Dataset) -> str:
    """Name the programs and versions that made a dataset."""
    makers = dataset.description.get("GeneratedBy") or [{}]
    return ", ".join(" ".join(filter(None, (one.get("Name"), one.get("Version")))) for one in makers) or "unknown"
