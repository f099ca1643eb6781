"""The quality of all scans in one table, and how far the graphs go along with motion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bids_app.bids.files import save_described
from bids_app.bids.names import scan_label
from bids_app.bids.result_names import MAPS
from bids_app.bids.scans import Scan, ScanIndex

FACTS = {
    "MeanFramewiseDisplacement": ("mean_fd", "Mean framewise displacement, mm"),
    "MinutesKept": ("minutes", "Minutes of data kept"),
    "NumberOfVolumesKept": ("volumes", "Volumes kept"),
    "NumberOfVolumesCensored": ("censored", "Volumes left out for motion"),
    "Coverage": ("coverage", "Share of the analysis mask with a signal"),
    "TemporalSignalToNoise": ("tsnr", "Median temporal signal to noise before cleaning"),
    "MeanDvarsBefore": ("dvars_before", "Mean DVARS before cleaning, in units of the signal"),
    "MeanDvarsAfter": ("dvars_after", "Mean DVARS after cleaning, in units of the signal"),
    "DegreesOfFreedomLeft": ("degrees_of_freedom", "Independent values left in each series, about"),
    "MeanCorrelationAfter": ("mean_correlation", "Mean correlation of a sample of nodes after cleaning"),
    "CorrelationWithDistanceAfter": ("distance_dependence", "Correlation of r with distance after cleaning"),
    "Density": ("density", "Share of all pairs that are edges, by the first edge rule"),
    "MeanDegree": ("mean_degree", "Mean degree, by the first edge rule"),
}
COLUMNS = {
    "participant_id": "Participant",
    "session": "Session",
    "scan": "Scan",
    "kind": "voxels, grayordinates, or the atlas",
    **dict(FACTS.values()),
}
HEADS = {
    "mean_fd": "Mean FD (mm)",
    "minutes": "Minutes kept",
    "tsnr": "tSNR",
    "coverage": "Coverage",
    "distance_dependence": "r with distance",
    "mean_correlation": "Mean r",
    "degrees_of_freedom": "Degrees of freedom",
    "density": "Density",
    "mean_degree": "Mean degree",
}
DECIMALS = {"mean_fd": 3, "minutes": 2, "tsnr": 1, "coverage": 2, "distance_dependence": 3, "mean_correlation": 3}
DECIMALS |= {"degrees_of_freedom": 1, "density": 3, "mean_degree": 1}
QCFC = ("mean_correlation", "distance_dependence", "density", "mean_degree")
QCFC_COLUMNS = {
    "kind": COLUMNS["kind"],
    "session": "Session; each participant counts once",
    "measure": "Column of quality.tsv",
    "n": "Participants",
    "rho": "Spearman's correlation with mean framewise displacement over participants",
    "p": "p of no correlation, two-sided",
}


def write_quality(output_dir: Path, index: ScanIndex) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write ``logs/quality.tsv`` of every scan that was finished, and ``logs/qcfc.tsv``, from the sidecars.

    Parameters
    ----------
    output_dir : Path
    index : scans.ScanIndex

    Returns
    -------
    quality, qcfc : DataFrame
    """
    quality = pd.DataFrame(_rows(index), columns=list(COLUMNS))
    qcfc = pd.DataFrame(_associations(quality), columns=list(QCFC_COLUMNS))
    save_described(output_dir / "logs" / "quality.tsv", quality, COLUMNS)
    save_described(output_dir / "logs" / "qcfc.tsv", qcfc, QCFC_COLUMNS)
    return quality, qcfc


def _rows(index: ScanIndex) -> list[dict[str, Any]]:
    found = {}
    for extension, kind in MAPS.items():
        for scan in index.of("boldmap", extension):
            key = (scan.participant, scan_label(scan.entities), kind)
            if key not in found and "MeanDegree" in scan.sidecar:
                found[key] = (scan, scan.sidecar)
    for scan in index.of("nodes", ".tsv"):
        kind = " ".join(scan.entities[key] for key in ("atlas", "seg", "scale") if key in scan.entities)
        graph = scan.sidecar.get("Graph") or {}
        facts = {"Density": graph.get("density"), "MeanDegree": graph.get("mean_degree")}
        found.setdefault((scan.participant, _name(scan), kind), (scan, {**scan.sidecar, **facts}))
    return [_row(*key, *found[key]) for key in sorted(found)]


def _name(scan: Scan) -> str:
    """Return the name that the status has: that of a table of series is longer than what its files say."""
    return str(scan.sidecar.get("Scan") or scan_label(scan.entities))


def _row(participant: str, label: str, kind: str, scan: Scan, facts: Mapping[str, Any]) -> dict[str, Any]:
    row = {"participant_id": f"sub-{participant}", "session": scan.session, "scan": label, "kind": kind}
    return row | {name: _number(facts.get(fact)) for fact, (name, _) in FACTS.items()}


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else np.nan


def _associations(quality: pd.DataFrame) -> list[dict[str, Any]]:
    """Correlate motion with what the graphs are built on, over participants; fewer than five say nothing."""
    rows = []
    one_each = quality.drop_duplicates(["participant_id", "session", "kind"])
    for (kind, session), members in one_each.groupby(["kind", "session"], dropna=False):
        for measure in QCFC:
            known = members[["mean_fd", measure]].dropna()
            if len(known) >= 5 and (known.nunique() > 1).all():
                rho, p = stats.spearmanr(known["mean_fd"], known[measure])
                rows.append(dict(zip(QCFC_COLUMNS, (kind, session, measure, len(known), rho, p), strict=True)))
    return rows
