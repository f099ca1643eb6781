"""The demo: a simulated study with a known answer, analysed by both levels, and held against that answer."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from bids_app.bids.files import save_table
from bids_app.bids.result_names import lies_at
from bids_app.cli.known_answer import known_answer
from bids_app.cli.settings_of import parse
from bids_app.errors import UsageError
from bids_app.group.level import group_level
from bids_app.participant.level import participant_level
from bids_app.runtime.progress import progress
from bids_app.settings.checks import check_settings
from bids_app.settings.settings import Settings
from bids_app.simulate import SCENARIOS, Answer, Scenario, SimulatedTrial, simulate_trial
from bids_app.trial.wording import WORDINGS

N_PERMUTATIONS = 2_000
COMPARED = {"groups": "groups", "crossover": "treatments", "one-group": "visits", "paired": "treatments"}


def run_demo(output_dir: Path, work_dir: Path, *, design: str = "two-arms", n_cpus: int = 1, seed: int = 0) -> int:
    """Simulate a study in ``output_dir/sourcedata/trial``, analyse it into ``output_dir``, and check the answer.

    Parameters
    ----------
    output_dir, work_dir : Path
    design : str
        Of `simulate.SCENARIOS`.
    n_cpus : int
    seed : int

    Returns
    -------
    int
        0 if everything that was planted was found, and nothing where nothing was planted.
    """
    scenario = SCENARIOS[design]
    trial = _simulate(output_dir / "sourcedata" / "trial", scenario, seed)
    called = ("--work-dir", str(work_dir), "--n-cpus", str(n_cpus))
    draws = ("--n-permutations", str(N_PERMUTATIONS), "--random-seed", str(seed))
    print("Participant level: graph maps of every scan ...")
    if code := participant_level(_settings(trial, output_dir, "participant", *called)):
        return code
    parts = []
    for answers, options, how in _analyses(scenario):
        print(f"Group level: comparing the {COMPARED.get(scenario.design, 'arms')}{how} ...")
        told = ("--design", scenario.design, *scenario.options, *options)
        if code := group_level(_settings(trial, output_dir, "group", *called, *told, *draws)):
            return code
        found = known_answer(
            output_dir / "group", trial.planted, answers, estimator=scenario.estimator, how=how and f",{how}"
        )
        parts.append(found)
    answer = pd.concat(parts, ignore_index=True)
    save_table(output_dir / "group" / lies_at("known_answer.tsv"), answer)
    _print_answer(answer)
    _print_limits(scenario)
    _print_where_to_go(output_dir, scenario)
    return 0 if answer["as_planted"].all() else 1


def _analyses(scenario: Scenario) -> Iterator[tuple[list[Answer], tuple[str, ...], str]]:
    """Yield what is there, the options it is looked for with, and how; last that whose page stays."""
    if confounded := list(scenario.confounded):
        adjusted = " and ".join(scenario.adjusting[1:])
        yield confounded, (), f" not adjusted for {adjusted}"
        yield list(scenario.answers), scenario.adjusting, f" adjusted for {adjusted}"
    else:
        yield list(scenario.answers), (), ""


def _settings(trial: SimulatedTrial, output_dir: Path, level: str, *options: str) -> Settings:
    """Return the settings of a call of the app, as users call it."""
    of_graph = ("--voxel-size", str(trial.scenario.voxel_size), "--atlas", str(trial.atlas))
    settings = parse([str(trial.bids_dir), str(output_dir), level, *of_graph, *options])
    check_settings(settings)
    return settings


def _simulate(folder: Path, scenario: Scenario, seed: int) -> SimulatedTrial:
    """Simulate the study in an empty folder, and say how far it is."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds a trial already; give an empty folder, or remove that one.")
    print(f"Simulating {scenario.title}, {scenario.n_people} participants, in {folder} ...")
    scans = [f"scan {number}.made" for number in range(1, scenario.n_scans + 1)]
    with progress(scans) as advance:
        return simulate_trial(
            folder, scenario=scenario, seed=seed, progress=lambda done, total: advance(scans[done - 1])
        )


def _print_answer(answer: pd.DataFrame) -> None:
    columns = ["region", "measure", "planted", "found"]
    if answer["comparison"].nunique() > 1:
        columns = ["comparison", *columns]
    table = Table(*columns, "smallest FWE p", "mean Hedges g", "", title="Known answer")
    for row in answer.to_dict("records"):
        mark = "as planted" if row["as_planted"] else "NOT as planted"
        table.add_row(
            *(str(row[name]) for name in columns), f"{row['p_fwe']:.4f}", f"{row['mean_hedges_g']:+.2f}", mark
        )
    console = Console(width=140)
    console.print(table)
    wrong = int((~answer["as_planted"]).sum())
    console.print(
        f"{wrong} of {len(answer)} are NOT as planted."
        if wrong
        else "Everything that was planted was found, and nothing where nothing was planted."
    )


def _print_limits(scenario: Scenario) -> None:
    """Say what the design cannot tell, whatever was found."""
    if scenario.adjusting:
        regions, (older, *_) = " and ".join(scenario.with_age), scenario.arms
        print(
            f"Age raises degree and clustering of the {regions}, and the {older}s are older: not adjusted for age, the "
            f"{COMPARED[scenario.design]} differ there falsely, as planted. Nothing in the tables would show it of a "
            "confounder that nobody measured."
        )
    if scenario.design != "parallel" and (warning := WORDINGS[scenario.design].warning):
        print(warning)


def _print_where_to_go(output_dir: Path, scenario: Scenario) -> None:
    design = "" if scenario.design == "parallel" else f" --design {scenario.design}"
    print(f"The page: {(output_dir / 'group' / 'index.html').resolve()}")
    print(f"Next, what would be done with your own data: trialgraph check BIDS_DIR OUTPUT_DIR{design}")
