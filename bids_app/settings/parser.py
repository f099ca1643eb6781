"""The parsers of the command line, options in groups."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from bids_app import __version__
from bids_app.settings import scan_options, trial_options
from bids_app.settings.argument_parser import Formatter, Given, Help, Parser
from bids_app.settings.everyday import EVERYDAY, LEVEL_OF, OF_BOTH, USAGE, USAGES, examples
from bids_app.settings.options import add_options
from bids_app.settings.settings import RANDOM_SEED
from bids_app.settings.words import as_new_file, as_options, as_output, as_path
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
DESCRIPTION = (
    "Voxel-wise and parcel-wise graph maps of resting-state fMRI, compared between the arms of a\nrandomized trial."
)
CHECK = "Say what both levels would do with a dataset, from which files and why, and what is missing. Writes nothing."
PLAN = "Write the plan of an analysis, check it, and make the text of a statistical analysis plan of it."
_DATA = ("bids_dir", {"help": "the raw BIDS dataset, of which the tables are read"})
_FILE = ("plan", {"help": "the plan, a TOML file"})
_NEW: dict[str, Any] = {"type": as_new_file, "metavar": "FILE"}
# By task: what it does, and its arguments.
PLAN_TASKS: dict[str, tuple[Any, ...]] = {
    "init": (
        "Write a plan to begin with from the tables of a data set; what they leave open is a comment with the choices.",
        _DATA,
        ("-o --output", _NEW | {"help": "where to write it, a new file; without, it is printed"}),
    ),
    "check": (
        "Say everything that is wrong with a plan, what it leaves open, and what the data lack for it.",
        _FILE,
        ("bids_dir", {"nargs": "?", "help": "the raw BIDS dataset, if the plan is to be held against it"}),
    ),
    "sap": (
        "Write the text of a statistical analysis plan, before there are data.",
        _FILE,
        ("-o --output", _NEW | {"help": "a new file .md or .docx; without, Markdown is printed"}),
    ),
}
# Those of simulate.SCENARIOS.
DEMOS = ("two-arms", "three-arms", "three-visits", "groups", "crossover", "williams", "one-group", "paired")


class ExecutionSpec(argparse.Action):
    """Print the Boutiques descriptor of the app and leave.

    It is by version 2.0 of the execution specification unless 1.0 is named, whose ids go with the next release but one.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> NoReturn:
        """Print and leave."""
        from bids_app.settings.boutiques import descriptor_json

        print(descriptor_json(parser, str(values)))
        parser.exit()


def _add_processes(parser: Parser) -> None:
    parser.add_argument("--n-cpus", type=int, default=available_cpus(), metavar="N", help="processes at once")


def demo_parser() -> Parser:
    """Return the parser of ``trialgraph demo``."""
    parser = Parser(
        prog="trialgraph demo",
        description="Simulate a small trial with a known answer and analyse it.",
        formatter_class=Formatter,
    )
    add = parser.add_argument
    add("output_dir", type=as_output, help="folder to make the trial and its analysis in")
    add("--design", choices=DEMOS, default=DEMOS[0], help="the study that is simulated")
    _add_processes(parser)
    add(
        "--random-seed",
        type=int,
        default=RANDOM_SEED,
        metavar="N",
        help="seed of the simulation and of the permutations",
    )
    return parser


def verify_parser() -> Parser:
    """Return the parser of ``trialgraph verify``."""
    parser = Parser(
        prog="trialgraph verify",
        description="Analyse a small built-in trial and say of every map and table whether it is, byte by byte, what "
        "the release gave. The exit code is 0 if all are, 1 if any is not.",
        formatter_class=Formatter,
    )
    add = parser.add_argument
    add("--json", action="store_true", help="say it as JSON, alone on the standard output")
    add(
        "--keep", type=as_path, metavar="DIR", help="an empty folder that gets the trial and what came out, and is kept"
    )
    _add_processes(parser)
    return parser


def plan_parser() -> Parser:
    """Return the parser of ``trialgraph plan`` and of what can be done with a plan."""
    parser = Parser(prog="trialgraph plan", description=PLAN, formatter_class=Formatter)
    parsers = parser.add_subparsers(dest="task", required=True, metavar="{init,check,sap}")
    for task, (text, *arguments) in PLAN_TASKS.items():
        own = parsers.add_parser(task, help=text, description=text, formatter_class=Formatter)
        for name, more in arguments:
            own.add_argument(*name.split(), **{"type": as_path, **more})
    return parser


def unblind_parser() -> Parser:
    """Return the parser of ``trialgraph unblind``."""
    parser = Parser(
        prog="trialgraph unblind",
        description="Say in the record who unblinds a blinded trial, when and by which plan, and compare its arms. "
        "Options of the group level, as --n-cpus, may follow; the others are those of the blinded call.",
        formatter_class=Formatter,
    )
    add = parser.add_argument
    add("output_dir", type=as_output, help="the output folder that was blinded")
    add("--key", type=as_path, required=True, metavar="FILE", help="the key that the blinded call wrote or was given")
    add("--plan", type=as_options, metavar="TOML", help="the analysis as planned; that of the blinded call by default")
    add("--bids-dir", type=as_path, metavar="DIR", help="the BIDS dataset, where it lies elsewhere now")
    return parser


def engine_parser(engine: str) -> Parser:
    """Return the parser of ``trialgraph docker`` or ``trialgraph apptainer``, which leaves the words of the call."""
    parser = Parser(
        prog=f"trialgraph {engine}",
        usage=f"trialgraph {engine} [--image IMAGE] [--network] [--print] CALL ...",
        description=f"Run a call in a container by {engine}, as you, with what it names and no more of this machine: "
        "what is read is mounted read only, what is written into is made where it is not there. CALL is what would "
        "follow trialgraph without it, as BIDS_DIR OUTPUT_DIR participant.",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--image", metavar="IMAGE", help="the image, or its file; by default the published one of this version")
    add("--network", action="store_true", help="let it use the network, as for an atlas that is fetched")
    add("--print", action="store_true", help="print the command that would be run, quoted for a shell, and leave")
    return parser


def app_parser() -> Parser:
    """Return the parser of the app."""
    parser = _parser("trialgraph", DESCRIPTION, usage=USAGE)
    parser.add_argument("level", metavar="{participant,group}", help="which level of the analysis to run")
    parser.add_argument(
        "--version", action="version", version=f"trialgraph {__version__}", help="print the version and exit"
    )
    parser.add_argument(
        "--bids-exec-spec",
        action=ExecutionSpec,
        nargs="?",
        const="2.0",
        choices=("1.0", "2.0"),
        metavar="VERSION",
        help="print the Boutiques descriptor of the app, by a version of the BIDS Apps specification (2.0), and leave",
    )
    _add_groups(parser)
    return parser


def check_parser() -> Parser:
    """Return the parser of ``trialgraph check``, which is of both levels."""
    parser = _parser("trialgraph check", CHECK, usage="trialgraph check BIDS_DIR OUTPUT_DIR [options]")
    _add_groups(parser)
    return parser


def _parser(prog: str, description: str, usage: str) -> Parser:
    """Return a parser that takes the two folders, and says in short or at length what it takes."""
    parser = Parser(
        prog=prog, description=description.replace("\n", " "), usage=usage, formatter_class=Formatter, add_help=False
    )
    command = None if prog == "trialgraph" else "check"
    parser.add_argument("bids_dir", type=as_path, help="the BIDS dataset, or an fMRIPrep derivative alone")
    parser.add_argument(
        "output_dir", type=as_output, help="where the results go; group reads what participant wrote here"
    )
    parser.add_argument(
        *("-h", "--help"),
        action=Help,
        print_help=lambda level: help_text(level or command),
        help="say what most calls need, or of a level that is named before, and leave",
    )
    parser.add_argument(
        "--help-all",
        action=Help,
        print_help=lambda level: help_text(level or command, everything=True),
        help="say every option, and leave",
    )
    return parser


def _add_groups(parser: Parser) -> None:
    for title, options in GROUPS.items():
        add_options(parser, title, options)


def help_text(command: str | None = None, *, everything: bool = False) -> str:
    """Return the help: of a level, of ``check``, or of both levels; its everyday options or every one.

    Parameters
    ----------
    command : {"participant", "group", "check"} or None
    everything : bool, optional

    Examples
    --------
    >>> "--covariates" in help_text("group"), "--covariates" in help_text("participant")
    (True, False)
    """
    parser = check_parser() if command == "check" else app_parser()
    parser.usage = parser.usage if command else USAGES
    parser.description = parser.description if command == "check" else DESCRIPTION
    parser.epilog = examples(command)
    for group in parser._action_groups:
        level = LEVEL_OF.get(group.title or "")
        elsewhere = {command, level} == {"participant", "group"}
        for action in group._group_actions:
            left_out = not (everything or action.dest in EVERYDAY) or (elsewhere and action.dest not in OF_BOTH)
            if level and left_out:
                action.help = argparse.SUPPRESS
            elif not everything:
                action.help = EVERYDAY.get(action.dest) or action.help
                action.option_strings = action.option_strings if action.dest == "help" else _main_name(action)
    return parser.format_help()


def _main_name(action: argparse.Action) -> list[str]:
    """Return the first long name of an option; none of an argument."""
    return [name for name in action.option_strings if name.startswith("--")][:1]


def read_given(argv: Sequence[str], *, check: bool = False) -> dict[str, Any]:
    """Return the options that are given, by name.

    Parameters
    ----------
    argv : list of str
    check : bool, optional
        Of ``trialgraph check``, which names no level.

    Examples
    --------
    >>> sorted(read_given(["bids", "out", "group", "--no-baseline-motion", "--alpha", "0.05"]))
    ['alpha', 'baseline_motion', 'bids_dir', 'level', 'output_dir']
    """
    if check:
        return vars(check_parser().parse_args(argv, Given())) | {"level": "participant", "dry_run": True}
    return vars(app_parser().parse_args(argv, Given()))


def with_defaults(options: Mapping[str, Any]) -> argparse.Namespace:
    """Return options with the default of every other; the folders and the level are among them."""
    places = [str(options[name]) for name in ("bids_dir", "output_dir", "level")]
    return app_parser().parse_args(places, argparse.Namespace(**options))
