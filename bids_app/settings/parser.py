"""The parsers of the command line, options in groups."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bids_app import __version__
from bids_app.errors import UsageError
from bids_app.settings import scan_options, trial_options
from bids_app.settings.options import add_options
from bids_app.settings.settings import RANDOM_SEED
from bids_app.settings.words import as_path
from bids_app.system.machine import available_cpus

GROUPS = {
    "which scans": scan_options.SCANS,
    "cleaning the signal": scan_options.SIGNAL,
    "the graph": scan_options.GRAPH,
    "the graph of parcels": scan_options.PARCELS,
    "the trial": trial_options.TRIAL,
    "the comparison": trial_options.COMPARISON,
    "clinical outcomes": trial_options.OUTCOMES,
    "the run": trial_options.RUN,
}
DEMOS = ("two-arms", "three-arms", "three-visits", "groups", "crossover")  # those of simulate.SCENARIOS


class ExecutionSpec(argparse.Action):
    """Print the Boutiques descriptor of the app and leave."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print and leave."""
        from bids_app.settings.boutiques import descriptor_json

        print(descriptor_json(parser))
        parser.exit()


class Given(argparse.Namespace):
    """What the command line says, and nothing else: that it knows every name keeps the defaults of the parser out."""

    def __getattr__(self, name: str) -> None:
        """Say that nothing is said."""
        if name.startswith("_"):
            raise AttributeError(name)


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Show the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False or action.default == []
        return action.help if says_nothing else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """A parser that leaves with the exit code for a wrong call (64) in place of argparse's 2."""

    def error(self, message: str) -> NoReturn:
        """Raise in place of leaving."""
        raise UsageError(f"{message}. See {self.prog} --help.")


def demo_parser() -> Parser:
    """Return the parser of ``trialgraph demo``."""
    parser = Parser(prog="trialgraph demo", description="Simulate a small trial with a known answer and analyse it.")
    add = parser.add_argument
    add("output_dir", type=as_path, help="folder to make the trial and its analysis in")
    add("--design", choices=DEMOS, default=DEMOS[0], help="the study that is simulated (default: %(default)s)")
    add("--n-cpus", type=int, default=available_cpus(), metavar="N", help="processes at once (default: %(default)s)")
    add(
        "--random-seed",
        type=int,
        default=RANDOM_SEED,
        metavar="N",
        help="seed of the simulation and of the permutations",
    )
    return parser


def app_parser() -> Parser:
    """Return the parser of the app."""
    parser = Parser(
        prog="trialgraph",
        description="Voxel-wise and parcel-wise graph maps of resting-state fMRI, compared between the arms of a "
        "randomized trial. 'trialgraph demo OUTPUT_DIR' simulates a small trial and analyses it.",
        formatter_class=Formatter,
    )
    parser.add_argument("bids_dir", type=as_path, help="the raw BIDS dataset, or an fMRIPrep derivative by itself")
    parser.add_argument(
        "output_dir", type=as_path, help="where the results go; group reads what participant wrote here"
    )
    parser.add_argument("level", metavar="{participant,group}", help="which level of the analysis to run")
    parser.add_argument("--version", action="version", version=f"trialgraph {__version__}", help="print it and leave")
    parser.add_argument(
        "--bids-exec-spec", action=ExecutionSpec, nargs=0, help="print the Boutiques descriptor of the app and leave"
    )
    for title, options in GROUPS.items():
        add_options(parser, title, options)
    return parser


def read_given(argv: Sequence[str]) -> dict[str, Any]:
    """Return the options that are given, by name.

    Examples
    --------
    >>> sorted(read_given(["bids", "out", "group", "--no-baseline-motion", "--alpha", "0.05"]))
    ['alpha', 'baseline_motion', 'bids_dir', 'level', 'output_dir']
    """
    return vars(app_parser().parse_args(argv, Given()))


def with_defaults(options: Mapping[str, Any]) -> argparse.Namespace:
    """Return options with the default of every other; the folders and the level are among them."""
    places = [str(options[name]) for name in ("bids_dir", "output_dir", "level")]
    return app_parser().parse_args(places, argparse.Namespace(**options))
