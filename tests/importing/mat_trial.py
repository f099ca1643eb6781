"""A small trial as DPABI leaves it: a .mat of each participant and visit, and the tables of the trial."""

import json

import numpy as np
import pandas as pd
from matlab import save_v5, save_v73

N, REGIONS, VOLUMES = 6, 8, 130
VISITS = ("pre", "post")
NAMES = [f"region {letter}" for letter in "ABCDEFGH"]


def series_of(number, visit):
    """Return (T, R) series; under the drug the first three regions go together more at the second visit."""
    rng = np.random.default_rng([number, visit == "post"])
    own, shared = rng.normal(size=(VOLUMES, REGIONS)), rng.normal(size=(VOLUMES, 1))
    loads = np.full(REGIONS, 0.7)
    loads[:3] += 0.8 * (visit == "post" and number % 2)
    return own + shared * loads


def make_trial(folder):
    """Write the tables of a trial, and beside them the files and their lists: of series, and of matrices."""
    bids = folder / "bids"
    bids.mkdir(parents=True)
    (bids / "dataset_description.json").write_text(json.dumps({"Name": "small", "BIDSVersion": "1.10.0"}))
    labels = [f"{number:02d}" for number in range(1, N + 1)]
    arms = ["drug" if number % 2 else "placebo" for number in range(1, N + 1)]
    people = pd.DataFrame({"participant_id": [f"sub-{one}" for one in labels], "arm": arms})
    people.to_csv(bids / "participants.tsv", sep="\t", index=False)
    lists = {"series": [], "matrices": []}
    for number, label in enumerate(labels, start=1):
        for visit in VISITS:
            series, name = series_of(number, visit), f"{label}_{visit}"
            save_v5(folder / f"ROISignals_{name}.mat", ROISignals=series)
            with np.errstate(divide="ignore"):
                z = np.arctanh(np.where(np.eye(REGIONS, dtype=bool), 1, np.corrcoef(series.T)))
            save_v73(folder / f"ROICorrelation_FisherZ_{name}.mat", ROICorrelation_FisherZ=z)
            row = {"participant_id": f"sub-{label}", "session": visit}
            lists["series"].append(row | {"path": f"ROISignals_{name}.mat", "tr": 2})
            lists["matrices"].append(row | {"path": f"ROICorrelation_FisherZ_{name}.mat"})
    for what, rows in lists.items():
        pd.DataFrame(rows).to_csv(folder / f"{what}.tsv", sep="\t", index=False)
    pd.DataFrame({"name": NAMES}).to_csv(folder / "regions.tsv", sep="\t", index=False)
    return folder
