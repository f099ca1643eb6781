"""The demo: a simulated trial with a known answer, analysed by both levels, and held against that answer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from bids_app.bids.files import save_table
from bids_app.bids.names import Name
from bids_app.errors import UsageError
from bids_app.graph.features import Feature
from bids_app.group.level import group_level
from bids_app.participant.level import participant_level
from bids_app.runtime.progress import progress
from bids_app.settings.atlas_source import find_atlas
from bids_app.settings.checks import check_settings
from bids_app.settings.settings import Graph, Resources, Settings, Trial
from bids_app.simulate import PlantedRegion, SimulatedTrial, simulate_trial

VOXEL_SIZE = 5
N_PERMUTATIONS = 2_000
N_PER_ARM = 14
METRICS = ("degree", "clustering")
ALPHA = Trial.alpha
EDGES = "r025"


def run_demo(output_dir: Path, work_dir: Path, n_cpus: int = 1, seed: int = 0) -> int:
    """Simulate a trial in ``output_dir/sourcedata/trial``, analyse it into ``output_dir``, and check the answer.

    Parameters
    ----------
    output_dir, work_dir : Path
    n_cpus : int
    seed : int

    Returns
    -------
    int
        0 if everything that was planted was found, and nothing where nothing was planted.
    """
    trial = _simulate(output_dir / "sourcedata" / "trial", seed)
    settings = Settings(
        bids_dir=trial.bids_dir,
        output_dir=output_dir,
        level="participant",
        work_dir=work_dir,
        graph=Graph(voxel_size=VOXEL_SIZE, atlases=(find_atlas(str(trial.atlas)),)),
        trial=Trial(n_permutations=N_PERMUTATIONS, random_seed=seed),
        resources=Resources(n_cpus=n_cpus),
    )
    check_settings(settings)
    print("Participant level: graph maps of every scan ...")
    code = participant_level(settings)
    print("Group level: comparing the arms ...")
    code = code or group_level(replace(settings, level="group"))
    if code:
        return code
    answer = known_answer(output_dir / "group", trial.planted)
    save_table(output_dir / "group" / "known_answer.tsv", answer)
    _print_answer(answer, output_dir)
    return 0 if answer["as_planted"].all() else 1


def _simulate(folder: Path, seed: int) -> SimulatedTrial:
    """Simulate the trial in an empty folder, and say how far it is."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds a trial already; give an empty folder, or remove that one.")
    print(f"Simulating a trial of ketamine against midazolam, {N_PER_ARM} participants each, in {folder} ...")
    scans = [f"scan {number}.made" for number in range(1, 4 * N_PER_ARM + 2)]
    with progress(scans) as advance:
        return simulate_trial(
            folder,
            n_per_arm=N_PER_ARM,
            voxel_size=VOXEL_SIZE,
            seed=seed,
            progress=lambda done, total: advance(scans[done - 1]),
        )


def known_answer(group_dir: Path, planted: Sequence[PlantedRegion]) -> pd.DataFrame:
    """Hold the result against what was planted.

    Parameters
    ----------
    group_dir : Path
        With the maps of the group level.
    planted : sequence of simulate.PlantedRegion

    Returns
    -------
    DataFrame
        A row per region and measure, and per measure a row for the rest of the brain: what was planted,
        what was found of that sign with which FWE p, the mean effect, and whether the two agree.
    """
    rows = []
    for metric in METRICS:
        p_fwe, effect = (_map(group_dir, metric, statistic) for statistic in ("pFwe", "hedgesG"))
        coordinates = nib.affines.apply_affine(p_fwe.affine, np.indices(p_fwe.shape).reshape(3, -1).T)
        p, g = p_fwe.get_fdata().ravel(), effect.get_fdata().ravel()
        elsewhere = np.isfinite(p)
        for region in planted:
            distance = np.linalg.norm(coordinates - region.center_mm, axis=1)
            inside = (distance <= region.radius_mm) & np.isfinite(p)
            elsewhere &= distance > 2 * region.radius_mm
            rows.append(_compared(region.name, metric, region.metric_directions.get(metric, 0), p[inside], g[inside]))
        rows.append(_compared("elsewhere", metric, 0, p[elsewhere], g[elsewhere]))
    return pd.DataFrame(rows)


def _map(group_dir: Path, metric: str, statistic: str) -> nib.Nifti1Image:
    paths = Path(group_dir).glob(f"*_stat-{statistic}_desc-{Feature(metric, EDGES).label}_statmap.nii.gz")
    (path,) = (path for path in paths if "atlas" not in Name.parse(path).entities)  # those are painted
    return nib.Nifti1Image.from_filename(path)


def _compared(region: str, metric: str, planted: int, p: np.ndarray, effect: np.ndarray) -> dict[str, Any]:
    if region != "elsewhere":
        p = np.where(np.sign(effect) == (planted or 1), p, 1.0)
    found = p.min() <= ALPHA
    sign = np.sign(effect[p.argmin()])
    return {
        "region": region,
        "metric": metric,
        "planted": "nothing" if region == "elsewhere" else {1: "rise", -1: "fall", 0: "no rise"}[planted],
        "found": {0: "nothing", 1: "rise", -1: "fall"}[int(found * sign)],
        "p_fwe": p.min(),
        "mean_hedges_g": effect.mean(),
        "as_planted": bool(found == (planted != 0)),
    }


def _print_answer(answer: pd.DataFrame, output_dir: Path) -> None:
    table = Table("region", "measure", "planted", "found", "smallest FWE p", "mean Hedges g", "", title="Known answer")
    for row in answer.itertuples():
        mark = "as planted" if row.as_planted else "NOT as planted"
        words = (str(word) for word in (row.region, row.metric, row.planted, row.found))
        table.add_row(*words, f"{row.p_fwe:.4f}", f"{row.mean_hedges_g:+.2f}", mark)
    console = Console(width=110)
    console.print(table)
    console.print(f"The page: {(output_dir / 'group' / 'index.html').resolve()}", soft_wrap=True)
