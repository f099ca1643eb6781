"""A small simulated trial, and the app called on it as users call it."""

import subprocess
import sys
from pathlib import Path

import pytest
from outputs import require_schema

from bids_app.simulate import simulate_trial

ROOT = Path(__file__).parents[1]
NAMED = "default angular gyrus L"  # a parcel of the trial's atlas
OF_GROUP = ("--n-permutations", 100, "--edge-statistic", "nbs", "--regions", NAMED)
OPTIONS = ("--voxel-size", "8", "--n-cpus", "1", "--min-minutes", "2")  # for two workers have two processors


def call(*arguments):
    done = subprocess.run(
        [sys.executable, ROOT / "run.py", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and arguments[2:3] == ("group",):
        require_schema(Path(arguments[1]))
    return done


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """The trial: 4 per arm, one of whom lacks the follow-up, 8 mm."""
    return simulate_trial(tmp_path_factory.mktemp("trial"), n_per_arm=4, voxel_size=8, n_volumes=120)


@pytest.fixture(scope="session")
def compared(simulated, tmp_path_factory):
    """The output folder after both levels."""
    output = tmp_path_factory.mktemp("output")
    participant = call(simulated.bids_dir, output, "participant", *OPTIONS, "--atlas", simulated.atlas)
    assert participant.returncode == 0, participant.stderr
    group = call(simulated.bids_dir, output, "group", *OPTIONS, *OF_GROUP)
    assert group.returncode == 0, group.stderr
    return output
