"""What follows of a design for the other options, and which of them have no place in it."""

from collections.abc import Mapping
from typing import Any

from bids_app.errors import UsageError
from bids_app.settings.settings import SINGLE

NOT_OF_CROSSOVER = {
    "slopes": "--slopes",
    "cutoffs": "--cutoffs",
    "over_followups": "--over-followups",
    "baseline_motion": "baseline_motion = true",
}
NOT_OF_SINGLE = {
    "arm": "--arm",
    "arms": "--arms",
    "reference_arm": "--reference-arm",
    "scheme": "--scheme",
    "estimator": "--estimator",
    "allocations": "--allocations",
    "cutoffs": "--cutoffs",
}
ONE_LATER = {"over_followups": "--over-followups"}  # which needs several
OF_TREATMENTS = ("arms", "reference_arm")  # which --design paired has
NOT_OF_DESIGN = {
    "groups": ("scheme", "allocations"),
    "crossover": ("estimator", "baseline", *NOT_OF_CROSSOVER),
    "one-group": tuple(NOT_OF_SINGLE),
    "paired": ("baseline", *ONE_LATER, *(name for name in NOT_OF_SINGLE if name not in OF_TREATMENTS)),
}


def of_design(planned: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the plan and the command line say, with what follows of it for its design."""
    other = given.get("design") != planned.get("design")
    beside = NOT_OF_DESIGN.get(str(given.get("design")), ()) if other else ()  # what the plan says of another design
    planned = {name: value for name, value in planned.items() if name not in beside}
    told = {**planned, **given}
    told["estimator_told"] = "estimator" in told
    if told.get("design") == "crossover":
        return _of_crossover(told)
    if told.get("estimator") == "crossover":
        raise UsageError("--estimator crossover is that of --design crossover.")
    if told.get("design") in SINGLE:
        return _of_single(told)
    if told.get("design") != "groups":
        return told
    wrong = ["--scheme rerandomize"] if told.get("scheme") == "rerandomize" else []
    if wrong := [*wrong, *(["--allocations"] if told.get("allocations") else [])]:
        raise UsageError(
            f"--design groups with {' and '.join(wrong)}: nobody was randomized, so that there is no randomization to "
            "repeat. Leave it out: residuals are permuted (Freedman and Lane)."
        )
    return {**told, "scheme": "freedman-lane"}


def _of_crossover(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a cross-over trial with what follows, and refuse what it has no place for."""
    if told.get("estimator", "crossover") != "crossover":
        raise UsageError(
            f"--design crossover with --estimator {told['estimator']}: that is one of "
            "arms. Leave it out: half the difference between the periods is compared between the sequences."
        )
    wrong = [said for name, said in NOT_OF_CROSSOVER.items() if told.get(name)]
    if wrong:
        raise UsageError(
            f"--design crossover with {' and '.join(wrong)}: not made of a cross-over trial, where "
            "everyone has two periods, each after a treatment. Leave it out."
        )
    return {**told, "estimator": "crossover", "baseline_motion": False}


def _of_single(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of one group with what follows, and refuse what needs arms."""
    design = str(told["design"])
    refused = NOT_OF_SINGLE if design == "one-group" else {**NOT_OF_SINGLE, **ONE_LATER, "baseline": "--baseline"}
    if design == "paired":
        refused = {name: said for name, said in refused.items() if name not in OF_TREATMENTS}
    wrong = [said for name, said in refused.items() if told.get(name)]
    if wrong:
        raise UsageError(
            f"--design {design} with {' and '.join(wrong)}: not made where everybody is one group. Leave it out: "
            "the difference between two visits of each participant is tested by flipping signs."
        )
    return {**told, "estimator": "within", "scheme": "sign-flips"}
