"""Small trials of parcel series: scans, graphs and connections of four parcels, made in a second."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from conftest import SmallTrial

PARCELS = ["left", "right", "front", "back"]
OPTIONS = ("--min-minutes", "1", "--threshold", "0.1", "--metrics", "degree", "--n-null-graphs", "0", "--n-cpus", "1")


@dataclass(frozen=True)
class TrialFolder:
    """A trial in a folder, with its output and the key of its blinding beside it."""

    root: Path

    @property
    def bids(self):
        return self.root / "bids"

    @property
    def out(self):
        return self.root / "out"

    @property
    def key(self):
        return self.root / "keeper" / "key.json"

    def copy(self, root):
        shutil.copytree(self.root, root)
        return type(self)(root)


class SeriesTrial(TrialFolder):
    """A trial whose scans are tables of series."""

    def write_people(self, columns):
        """Write participants.tsv: the values of each column, by participant."""
        table = pd.DataFrame(columns).rename(index="sub-{}".format)
        table.to_csv(self.bids / "participants.tsv", sep="\t", index_label="participant_id", na_rep="n/a")

    def write_sessions(self, rows):
        """Write the sessions.tsv of everyone: columns and values, by participant and session."""
        for label, own in rows.items():
            (self.bids / f"sub-{label}").mkdir(exist_ok=True)
            table = pd.DataFrame.from_dict(own, orient="index").rename(index="ses-{}".format)
            path = self.bids / f"sub-{label}" / f"sub-{label}_sessions.tsv"
            table.to_csv(path, sep="\t", index_label="session_id", na_rep="n/a")


def series_trial(root, scans, coupled=()):
    """Write scans of a trial, by participant and session.

    ``coupled`` are those in which left and right go together.
    """
    trial = SeriesTrial(root)
    small = SmallTrial(trial.bids, trial.bids / "derivatives" / "fmriprep").begin()
    for number, (label, session) in enumerate(scans):
        rng = np.random.default_rng(number)
        place = small.fmriprep / f"sub-{label}" / f"ses-{session}" / "func"
        place.mkdir(parents=True)
        values = rng.normal(size=(40, 4)) + 0.6 * rng.normal(size=(40, 1))
        values[:, 1] += 4 * values[:, 0] * ((label, session) in coupled)
        path = place / f"sub-{label}_ses-{session}_task-rest_atlas-X_timeseries.tsv"
        pd.DataFrame(values, columns=PARCELS).to_csv(path, sep="\t", index=False)
        path.with_suffix(".json").write_text('{"RepetitionTime": 3.0}')
    return trial
