"""``trialgraph verify``: a small trial of whole numbers, analysed here and held against what the release gave."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bids_app import __version__
from bids_app.cli.printing import say, show
from bids_app.cli.reference_values import CLOSE, Difference, Output, differences, kept_outputs, libraries, outputs_of
from bids_app.cli.settings_of import parse
from bids_app.errors import DataError
from bids_app.group.level import group_level
from bids_app.participant.level import participant_level
from bids_app.settings.checks import check_settings
from bids_app.simulate.reference import VOXEL_MM, write_reference

METRICS = ("degree", "strength", "clustering-weighted")
OF_SCANS = ("--denoise", "simple", "--min-minutes", "1", "--metrics", *METRICS, "--smooth-maps", "20")
OF_TRIAL = (
    "--min-minutes",
    "1",
    "--metrics",
    *METRICS,
    "--smooth-maps",
    "20",
    "--n-permutations",
    "20",
    "--no-baseline-motion",
)
SAID = {
    "same": "the same, byte by byte",
    "close": f"the same but for rounding (up to {CLOSE:g} of the largest value)",
    "different": "DIFFERENT",
    "missing": "MISSING",
    "new": "not known to the release",
}


def verify(folder: Path, *, n_cpus: int, as_json: bool) -> int:
    """Analyse the reference trial in a folder, and say of each output whether it is what the release gave.

    Parameters
    ----------
    folder : Path
        Empty; gets the trial, and what comes out of it in ``out/``.
    n_cpus : int
    as_json : bool
        Say it as JSON, alone on the standard output.

    Returns
    -------
    int
        0 if every output is the same byte by byte, 1 if any is not.
    """
    with redirect_stdout(sys.stderr):
        found = recomputed(folder, n_cpus)
    kept, made_with = kept_outputs()
    compared = list(differences(kept, found))
    here = libraries()
    others = {name: [made_with[name], here[name]] for name in here if made_with.get(name) != here[name]}
    if as_json:
        print(json.dumps(_record(compared, others), indent=2))
    else:
        tell(compared, others)
    return 0 if _verdict(compared) == "same" else 1


def recomputed(folder: Path, n_cpus: int) -> dict[str, Output]:
    """Return what both levels make of the reference trial.

    Raises
    ------
    DataError
        A level failed, which says why.
    """
    bids_dir, atlas = write_reference(folder)
    common = ("--voxel-size", str(VOXEL_MM), "--n-cpus", str(n_cpus), "--work-dir", str(folder / "work"))
    for level, step, own in (
        ("participant", participant_level, (*OF_SCANS, "--atlas", str(atlas))),
        ("group", group_level, (*OF_TRIAL, "--atlas", str(atlas))),
    ):
        settings = parse([str(bids_dir), str(folder / "out"), level, *common, *own])
        check_settings(settings)
        if code := step(settings):
            raise DataError(f"the {level} level failed on the reference trial (exit code {code}); see above.")
    return outputs_of(folder / "out")


def _verdict(compared: Sequence[Difference]) -> str:
    """Return the worst that is said of any output."""
    verdicts = {one.verdict for one in compared}
    return next((worst for worst in ("missing", "new", "different", "close") if worst in verdicts), "same")


def _record(compared: Sequence[Difference], others: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "version": __version__,
        "verdict": _verdict(compared),
        "counts": Counter(one.verdict for one in compared),
        "other_libraries": others,
        "outputs": [asdict(one) for one in compared],
    }


def tell(compared: Sequence[Difference], others: dict[str, list[str]]) -> None:
    """Print what is not the same, how many outputs are, and the verdict."""
    rows = [
        (one.output, SAID[one.verdict], f"{one.n_differing} of {one.n_values}", _size(one))
        for one in compared
        if one.verdict != "same"
    ]
    if rows:
        show("What is not the same", ("output", "", "numbers that differ", "largest, relative"), rows)
    counts = Counter(one.verdict for one in compared)
    for verdict in (one for one in SAID if counts[one]):
        say(f"{counts[verdict]} of {len(compared)} outputs: {SAID[verdict]}.")
    if others:
        pairs = ", ".join(f"{name} {here} ({was} then)" for name, (was, here) in others.items())
        say(f"Libraries that are not those of the release: {pairs}.")
    good = _verdict(compared) == "same"
    say("Verified: this installation computes what the release computed." if good else "NOT verified.")


def _size(one: Difference) -> str:
    return "not comparable" if one.largest is None else f"{one.largest:.1e}"
