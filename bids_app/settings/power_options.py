"""The options of ``trialgraph power``, beside those of the group level, and what they come to."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bids_app.errors import UsageError
from bids_app.settings.argument_parser import Formatter, Parser
from bids_app.settings.settings import Trial
from bids_app.settings.words import as_output

DESCRIPTION = (
    "Plan the size of a trial: simulate trials whose noise is that of the maps in an output folder of the participant "
    "level, add an effect, and analyse each as the group level would."
)
EPILOG = """every option of the group level that says how maps are compared can be given too: --plan, --estimator,
--statistic, --alpha, --metrics, --voxel-size, --n-cpus ... (trialgraph group --help-all).

examples:
  trialgraph power out --effect-region Angular_L --effect-size 0.8 --n 30 40 50 60 80
  trialgraph power out --effect-at -48 -63 35 --n 43                 # the effect that 43 participants find
  trialgraph power out --plan plan.toml --ratio 2:1 --dropout 0.15 --effect-at -48 -63 35 --effect-size 0.8
"""
DESIGNS = ("parallel", "groups", "crossover", "one-group")
MOST_TRIALS = 100_000


@dataclass(frozen=True, kw_only=True)
class PowerOptions:
    """What ``trialgraph power`` was asked for.

    Attributes
    ----------
    output_dir : Path
    design : str
        That of a plan where it is empty, see `settled_by`.
    n_arms, n_followups : int or None
        None where the design says it.
    ratio : tuple of int or None
        Of the arms, the reference last; alike where None.
    visits : tuple of str
        Sessions that stand for the visits of the trial.
    visit_correlation : float or None
    effect_size : float or None
        None where it is looked for.
    effect_region : str or None
    effect_at : (float, float, float) or None
    effect_radius : float
    effect_measure : str or None
    effect_arms, effect_followups : tuple of int
        All where empty.
    route : str or None
    n : tuple of int
    power, dropout, excluded, precision : float
    trials : int
    draws : int or None
        More of several comparisons than of one where None.
    reports_only : bool
        The page is made anew of what is saved.
    n_covariates, n_strata : int or None
        As many as the analysis names, and two of each column of strata, where None.
    explained : float
        Share of the error variance that covariates and strata take out.
    """

    output_dir: Path
    design: str = ""
    n_arms: int | None = None
    n_followups: int | None = None
    ratio: tuple[int, ...] | None = None
    visits: tuple[str, ...] = ()
    visit_correlation: float | None = None
    effect_size: float | None = None
    effect_region: str | None = None
    effect_at: tuple[float, float, float] | None = None
    effect_radius: float = 10.0
    effect_measure: str | None = None
    effect_arms: tuple[int, ...] = ()
    effect_followups: tuple[int, ...] = ()
    route: str | None = None
    n: tuple[int, ...] = ()
    power: float = 0.8
    dropout: float = 0.0
    excluded: float = 0.0
    precision: float = 0.0
    trials: int = 200
    draws: int | None = None
    reports_only: bool = False
    n_covariates: int | None = None
    n_strata: int | None = None
    explained: float = 0.0

    @property
    def lost(self) -> float:
        """Share of those randomized who are not analysed."""
        return 1 - (1 - self.dropout) * (1 - self.excluded)

    @property
    def looks_for_effect(self) -> bool:
        """Whether the effect is looked for that a given number of participants finds."""
        return self.effect_size is None


def within(
    low: float, high: float, kind: Callable[[str], float] = float, *, ends: bool = True
) -> Callable[[str], float]:
    """Return what reads a number between two others.

    Examples
    --------
    >>> within(0, 1)("0.5")
    0.5
    """

    def read(word: str) -> float:
        value = kind(word)
        if not (low <= value <= high if ends else low < value < high):
            raise argparse.ArgumentTypeError(f"{word}: must be from {low:g} to {high:g}")
        return value

    read.__name__ = kind.__name__
    return read


def _ratio(word: str) -> tuple[int, ...]:
    parts = word.split(":")
    if len(parts) < 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{word}: give whole numbers as 2:1, the reference last")
    return tuple(map(int, parts))


def power_parser() -> Parser:
    """Return the parser of ``trialgraph power``."""
    parser = Parser(
        prog="trialgraph power",
        description=DESCRIPTION,
        usage="trialgraph power OUTPUT_DIR [options] [options of the group level]",
        epilog=EPILOG,
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "output_dir", type=as_output, help="output folder of the participant level: the study's, a pilot's"
    )
    _add_trial(parser.add_argument_group("the planned trial").add_argument)
    _add_effect(parser.add_argument_group("the effect").add_argument)
    _add_search(parser.add_argument_group("the simulation").add_argument)
    return parser


def _add_trial(add: Callable[..., object]) -> None:
    add("--design", choices=DESIGNS, help="what is compared: that of the plan, or parallel arms")
    add("--n-arms", type=within(2, 8, int), metavar="K", help="arms, the reference among them (2)")
    add("--n-followups", type=within(0, 12, int), metavar="M", help="follow-ups; 0 is one visit without a baseline (1)")
    add("--ratio", type=_ratio, metavar="A:B", help="how many are randomized to each arm, the reference last (1:1)")
    add("--dropout", type=within(0, 0.9), default=0.0, metavar="SHARE", help="of participants who have no follow-up")
    add("--excluded", type=within(0, 0.9), default=0.0, metavar="SHARE", help="of the others, whose motion is too much")
    add("--n-covariates", type=within(0, 50, int), metavar="K", help="columns adjusted for (those that are named)")
    add("--n-strata", type=within(1, 100, int), metavar="S", help="of the randomization (two of each that is named)")
    add("--explained", type=within(0, 0.95), default=0.0, metavar="SHARE", help="of the error variance, by these (0)")
    add("--visits", nargs="+", default=[], metavar="SES", help="sessions of the folder that stand for the visits")
    add("--visit-correlation", type=within(0, 0.99), metavar="R", help="of visits, where the maps do not tell it")


def _add_effect(add: Callable[..., object]) -> None:
    add("--effect-size", type=within(-10, 10), metavar="G", help="standardized difference; left out, it is looked for")
    add(
        "--effect-region",
        metavar="NAME",
        help="where: a region of --atlas, or of AAL; else the name of a node",
    )
    add("--effect-at", nargs=3, type=float, metavar=("X", "Y", "Z"), help="where: the middle of a sphere, mm")
    add("--effect-radius", type=within(0.1, 100), default=10.0, metavar="MM", help="of that sphere")
    add("--effect-measure", metavar="NAME", help="in which measure: the plan's primary one, or the first")
    add("--effect-arms", nargs="+", type=within(1, 7, int), default=[], metavar="K", help="which arms have it (all)")
    add(
        "--effect-followups", nargs="+", type=within(1, 12, int), default=[], metavar="M", help="which follow-ups (all)"
    )
    add("--route", metavar="NAME", help="which maps: voxels, grayordinates, or an atlas whose parcels are compared")


def _add_search(add: Callable[..., object]) -> None:
    add("--n", nargs="+", type=within(4, 100_000, int), default=[], metavar="N", help="participants randomized")
    add("--power", type=within(0.05, 0.999), default=0.8, metavar="SHARE", help="that is wanted")
    add("--trials", type=within(20, MOST_TRIALS, int), default=200, metavar="N", help="simulated of each size, at most")
    add("--draws", type=within(20, 10_000, int), metavar="N", help="of each trial (200; of several comparisons 500)")
    add(
        "--precision", type=within(0, 0.5), default=0.0, metavar="W", help="enough: half a 95 %% interval (as --trials)"
    )
    add(
        "--reports-only",
        action="store_true",
        help="make the page anew of what was saved, simulate nothing",
    )


def read_power(argv: Sequence[str]) -> tuple[PowerOptions, list[str]]:
    """Return what is asked for, and the words that are left for the group level.

    Examples
    --------
    >>> options, rest = read_power(["out", "--effect-at", "-48", "-63", "35", "--n", "40", "--alpha", "0.01"])
    >>> options.effect_at, options.n, rest
    ((-48.0, -63.0, 35.0), (40,), ['--alpha', '0.01'])
    """
    given, rest = power_parser().parse_known_args(argv)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in vars(given).items()
    }
    options = PowerOptions(**values)
    _refuse(options)
    return options, rest


def _refuse(options: PowerOptions) -> None:
    """Refuse what contradicts itself."""
    if options.reports_only:
        return
    if (options.effect_region is None) == (options.effect_at is None):
        raise UsageError("trialgraph power: say where the effect is, by --effect-region NAME or --effect-at X Y Z.")
    if options.effect_size is None and len(options.n) != 1:
        raise UsageError(
            "trialgraph power: give --effect-size G, whose power is found by the number of participants; or one number "
            "by --n, and the effect is found that it can detect."
        )
    if options.effect_size == 0:
        raise UsageError("--effect-size 0: trials without an effect are simulated beside those with one in any case.")


def settled_by(options: PowerOptions, trial: Trial) -> PowerOptions:
    """Return the options with what a plan, or the options of the group level, say of design and visits.

    Raises
    ------
    UsageError
        The design has no place for an option.
    """
    planned = (*trial.baseline, *trial.followup) if trial.baseline else ()
    n_followups = options.n_followups
    if n_followups is None and trial.followup and trial.design != "crossover":
        n_followups = len(trial.followup)
    options = replace(options, design=trial.design, n_followups=n_followups, visits=options.visits or planned)
    _refuse_by_design(options)
    return options


def _refuse_by_design(options: PowerOptions) -> None:
    """Refuse what the design has no place for."""
    if options.design not in DESIGNS:
        raise UsageError(f"trialgraph power --design {options.design}: it plans {', '.join(DESIGNS)}.")
    if options.design in ("crossover", "one-group") and options.n_arms is not None:
        raise UsageError(f"--design {options.design} has no --n-arms.")
    if options.design == "crossover" and options.n_followups is not None:
        raise UsageError("--design crossover has no --n-followups: its visits are two periods.")
    arms = 1 if options.design == "one-group" else options.n_arms or 2
    if options.ratio is not None and len(options.ratio) != arms:
        raise UsageError(f"--ratio {':'.join(map(str, options.ratio))}: there are {arms} arms.")
    if wrong := [one for one in options.effect_arms if one >= arms]:
        raise UsageError(f"--effect-arms {wrong[0]}: arms beside the reference are 1 to {arms - 1}.")
    if wrong := [one for one in options.effect_followups if one > (options.n_followups or 1)]:
        raise UsageError(f"--effect-followups {wrong[0]}: there are {options.n_followups or 1} follow-ups.")
