"""What three runs write, file by file: lists that are kept, so that no file comes, goes or moves unseen.

`TRIALGRAPH_RENEW=1` writes them anew; CHANGES.md and docs/outputs.md say what is different.
"""

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import SMALL
from series_trial import OPTIONS, series_trial

KEPT = Path(__file__).parents[1] / "trees"
LABELS = [f"{number:02}" for number in range(1, 9)]
RUN = re.compile(r"\d{8}-\d{6}_(\w+)_[0-9a-f]{8}")
CRASH = re.compile(r"crash-\d{8}-\d{6}-\w+-(\w+)-[0-9a-f-]{36}")
DRAWS = ("--n-permutations", "20")


def voxels(finished, root, app):
    trial, out, _ = finished
    shutil.copytree(out, root / "out")
    rows = pd.DataFrame({"participant_id": [f"sub-{one}" for one in LABELS[:6]], "arm": ["a", "b"] * 3})
    shutil.copytree(trial.bids, root / "bids")
    rows.to_csv(root / "bids" / "participants.tsv", sep="\t", index=False)
    return run(app, root, "group", *SMALL, *DRAWS, "--reference-arm", "b", "--no-baseline-motion")


def parcels(_, root, app):
    made = series_trial(root, [(label, session) for label in LABELS for session in ("1", "2")])
    made.write_people({"arm": pd.Series({label: "ab"[int(label) % 2] for label in LABELS})})
    run(app, root, "participant", *OPTIONS)
    return run(app, root, "group", *OPTIONS, *DRAWS, "--reference-arm", "b", "--edge-statistic", "nbs")


def treatments(_, root, app):
    made = series_trial(root, [(label, session) for label in LABELS[:6] for session in ("1", "2", "3")])
    orders = ("abc", "bca", "cab", "acb", "bac", "cba")
    made.write_people({"sequence": pd.Series(dict(zip(LABELS, map("-".join, orders), strict=False)))})
    run(app, root, "participant", *OPTIONS)
    return run(app, root, "group", *OPTIONS, *DRAWS, "--design", "crossover", "--reference-arm", "c")


def run(app, root, level, *words):
    outcome = app(root / "bids", root / "out", level, *words)
    assert outcome.code == 0, outcome.said
    return root / "out"


@pytest.mark.parametrize("made", [voxels, parcels, treatments], ids=lambda made: made.__name__)
def test_a_run_writes_the_files_that_are_listed_and_no_others(made, finished, tmp_path, app):
    out = made(finished, tmp_path, app)
    files = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    names = (CRASH.sub(r"crash-\1", RUN.sub(r"RUN_\1", name)) for name in files if not name.startswith("work/"))
    found = sorted({*names})
    path = KEPT / f"{made.__name__}.txt"
    if "TRIALGRAPH_RENEW" in os.environ:
        path.write_text("\n".join(found) + "\n")
    kept = path.read_text().splitlines()
    assert {"new": [*{*found} - {*kept}], "gone": [*{*kept} - {*found}]} == {"new": [], "gone": []}
