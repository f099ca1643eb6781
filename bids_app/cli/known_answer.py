"""What was planted in a simulated study, held against what the group level found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from bids_app.bids.names import Name, contrast_label
from bids_app.bids.result_names import COMPARISONS, comparison_desc, result_files
from bids_app.graph.features import Feature
from bids_app.group.analyses import Analysis
from bids_app.settings.settings import Trial
from bids_app.simulate import Answer, PlantedRegion
from bids_app.system.small_files import read_json

METRICS = ("degree", "clustering")
EDGES = "r025"
WORDS = {1: "rise", -1: "fall", 0: "nothing"}


def known_answer(
    group_dir: Path,
    planted: Sequence[PlantedRegion],
    answers: Sequence[Answer],
    *,
    estimator: str = "ancova",
    how: str = "",
) -> pd.DataFrame:
    """Hold the result against what was planted.

    Parameters
    ----------
    group_dir : Path
        With the maps of the group level; p of several comparisons is that over all of them.
    planted : sequence of simulate.PlantedRegion
    answers : sequence of simulate.Answer
        What is planted in each comparison.
    estimator : str
        That of the headline.
    how : str, optional
        How they were compared, as the end of a phrase, where there is more than one way.

    Returns
    -------
    DataFrame
        A row per comparison, region and measure, and a row for the rest of the brain: what was planted,
        what was found of that sign with which FWE p, the mean effect, and whether the two agree.
    """
    rows = []
    for answer in answers:
        comparison = f"{answer.active} − {answer.reference}{answer.at * (len(answers) > 1)}{how}"
        for metric in METRICS:
            p, effect = _maps(group_dir, answer, comparison_desc(Feature(metric, EDGES), Analysis(estimator)))
            rows += [
                {"comparison": comparison, **row} for row in _of_regions(p, effect, planted, answer.shares, metric)
            ]
    return pd.DataFrame(rows)


def _maps(group_dir: Path, answer: Answer, desc: str) -> tuple[nib.Nifti1Image, nib.Nifti1Image]:
    """Return p and Hedges g of a comparison."""
    contrast = contrast_label(answer.active, answer.reference)
    if not (record := group_dir / COMPARISONS).exists():
        return _map(group_dir, stat="pFwe", desc=desc), _map(group_dir, stat="hedgesG", desc=desc)
    (folder,) = (
        one["Folder"]
        for one in read_json(record)["Comparisons"]
        if (one["Active"], one["Reference"], one["Followup"]) == (answer.active, answer.reference, answer.session)
    )
    at = {"ses": answer.session} if answer.session else {}  # of several periods it is of all
    together = _map(group_dir, stat="pTogether", desc=desc, contrast=contrast, **at)
    return together, _map(group_dir / folder, stat="hedgesG", desc=desc)


def _map(folder: Path, **wanted: str) -> nib.Nifti1Image:
    named = {path: Name.parse(path).entities for path in result_files(folder, "statmap", ".nii.gz")}
    (path,) = (
        path
        for path, entities in named.items()
        if "atlas" not in entities and wanted.items() <= entities.items()  # those of an atlas are painted
    )
    return nib.Nifti1Image.from_filename(path)


def _of_regions(
    p_map: nib.Nifti1Image,
    effect_map: nib.Nifti1Image,
    planted: Sequence[PlantedRegion],
    shares: Mapping[str, float],
    metric: str,
) -> list[dict[str, Any]]:
    coordinates = nib.affines.apply_affine(p_map.affine, np.indices(p_map.shape).reshape(3, -1).T)
    p, effect = p_map.get_fdata().ravel(), effect_map.get_fdata().ravel()
    elsewhere, rows = np.isfinite(p), []
    for region in planted:
        distance = np.linalg.norm(coordinates - region.center_mm, axis=1)
        inside = (distance <= region.radius_mm) & np.isfinite(p)
        if shares.get(region.name):
            elsewhere &= distance > 2 * region.radius_mm
            rows.append(_where_planted(p[inside], effect[inside], region, metric))
        else:
            rows.append(_where_nothing_is(p[inside], effect[inside], region.name, metric))
    return [*rows, _where_nothing_is(p[elsewhere], effect[elsewhere], "elsewhere", metric)]


def _where_planted(p: np.ndarray, effect: np.ndarray, region: PlantedRegion, metric: str) -> dict[str, Any]:
    """Look for a rise, which is there or is not."""
    rises = region.metric_directions.get(metric, 0)
    row = _found(np.where(effect > 0, p, 1.0), effect)
    planted = WORDS[1] if rises else "no rise"
    return {"region": region.name, "measure": metric, "planted": planted, **row, "as_planted": _agrees(row, rises)}


def _where_nothing_is(p: np.ndarray, effect: np.ndarray, region: str, metric: str) -> dict[str, Any]:
    row = _found(p, effect)
    return {"region": region, "measure": metric, "planted": WORDS[0], **row, "as_planted": _agrees(row, 0)}


def _found(p: np.ndarray, effect: np.ndarray) -> dict[str, Any]:
    found = int(p.min() <= Trial.alpha) * int(np.sign(effect[p.argmin()]))
    return {"found": WORDS[found], "p_fwe": p.min(), "mean_hedges_g": effect.mean()}


def _agrees(row: Mapping[str, Any], planted: int) -> bool:
    return bool(row["found"] == WORDS[planted])
