"""The command line: ``main``, which lends a work folder and turns errors into messages and exit codes."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from bids_app.bids.datasets import raw_dataset
from bids_app.cli.raw_reading import reading_of
from bids_app.cli.settings_of import parse, parse_for_power
from bids_app.cli.validate import check_dataset
from bids_app.cli.version_check import check_version, file_to_check
from bids_app.errors import OutputError, TrialgraphError, UsageError, full_disk
from bids_app.settings.checks import check_settings
from bids_app.settings.everyday import USAGES, is_command
from bids_app.settings.execution_names import as_placed, dashed
from bids_app.settings.import_options import read_import
from bids_app.settings.parser import demo_parser, plan_parser, verify_parser
from bids_app.settings.power_options import read_power
from bids_app.settings.settings import Settings
from bids_app.system.provenance import digest_of_code
from bids_app.system.work_folder import private_folder, working_in


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    argv = dashed(sys.argv[1:] if argv is None else argv)
    try:
        if not argv:
            raise UsageError(f"nothing to do.\nusage: {USAGES}\nSee trialgraph --help")
        if file := file_to_check(argv):
            return check_version(file)
        if is_command(argv, COMMANDS):
            return COMMANDS[argv[0]](argv[1:])
        argv = as_placed(argv)
        settings = _of_raw_data(parse(argv))
        return _preview(settings) if settings.dry_run else _run(settings)
    except TrialgraphError as error:
        logging.getLogger("bids_app").debug("%s", error)
        print(f"trialgraph: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("trialgraph: interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        if full := full_disk(str(error)):
            print(f"trialgraph: the output or work folder cannot take more ({full}).", file=sys.stderr)
            return OutputError.exit_code
        blind = any(word.partition("=")[0] == "--blind" for word in argv)
        text = traceback.format_exc()  # who reads the output, where the temporary folder is too, may not know the arms
        kept = "what --verbose says" if blind else keep_traceback(text, argv[1:2])
        if blind and {"-v", "--verbose"} & {*argv}:
            print(text, file=sys.stderr)
        said = str(error).strip().partition("\n")[0]
        print(
            f"trialgraph: {type(error).__name__}: {said} (a fault of the app, not of your data; please report it with "
            f"{kept}).",
            file=sys.stderr,
        )
        return 1


def keep_traceback(text: str, output_dir: Sequence[str]) -> Path | str:
    """Keep the traceback of a fault in the logs of the output folder, else in a temporary file; return where."""
    for given in (*output_dir, None):
        with suppress(OSError):  # in a read-only container there is no temporary folder
            folder = Path(gettempdir()) if given is None else Path(given).absolute() / "logs"
            if folder.is_dir():
                path = folder / f"fault-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
                path.write_text(text, encoding="utf-8")
                return path
    return "what it said"


def _of_raw_data(settings: Settings) -> Settings:
    """Take the raw dataset of a study in its place, and say so."""
    raw = raw_dataset(settings.bids_dir)
    if raw != settings.bids_dir:
        print(f"trialgraph: {settings.bids_dir} is a study; its raw dataset is read: {raw}.", file=sys.stderr)
    return replace(settings, bids_dir=raw)


def _run(settings: Settings) -> int:
    check_settings(settings)
    work_dir = private_folder(settings.work_dir)
    settings = replace(settings, work_dir=work_dir / f"code-{digest_of_code()}")  # no other version's results
    with working_in(work_dir, settings.keep_work_dir) as conclude:
        settings.work_dir.mkdir(exist_ok=True)
        if settings.level == "participant" and not settings.skip_validation:  # the group level reads tables alone
            _validate(settings, keep=True)
        return conclude(_step(settings)(settings))


def _step(settings: Settings) -> Callable[[Settings], int]:
    """Return what is to be run; its imports are heavy, so that they come once the call makes sense."""
    if settings.reports_only:
        from bids_app.report.rebuild import remake_pages as step
    elif settings.level == "group":
        from bids_app.group.level import group_level as step
    else:
        from bids_app.participant.level import participant_level as step
    return step


def _unblind(argv: Sequence[str]) -> int:
    """Say in the record who unblinds a trial, and compare the arms by name."""
    from bids_app.cli.unblind import unblind

    again, folder = unblind(argv)
    with chdir(folder):
        return main(again)


def _power(argv: Sequence[str]) -> int:
    """Plan the size of a trial from what the participant level left."""
    settings, options = parse_for_power(*read_power(argv))
    work_dir = private_folder(settings.output_dir / "work" / "power")
    with working_in(work_dir, keep=False) as conclude:
        from bids_app.power.level import power_level

        return conclude(power_level(settings, options))


def _check(argv: Sequence[str]) -> int:
    """Say what both levels would do with a dataset."""
    settings = _of_raw_data(parse(argv, check=True))
    code = _preview(settings, with_trial=True)
    if not settings.skip_validation:
        _validate(settings)
    return code


def _preview(settings: Settings, *, with_trial: bool = False) -> int:
    """Do all the reading of a run in a folder of its own, which goes at the end."""
    check_settings(settings)
    with _temporary_folder() as folder, working_in(Path(folder), keep=True):
        from bids_app.cli import check

        if settings.level == "group":
            return check.preview_group(settings)
        return check.preview_participants(settings, with_trial=with_trial)


def _temporary_folder() -> TemporaryDirectory[str]:
    """Return a folder that goes when it was used; a container that is read-only has room in memory alone."""
    try:
        return TemporaryDirectory()
    except FileNotFoundError:
        return TemporaryDirectory(dir="/dev/shm")


def _validate(settings: Settings, *, keep: bool = False) -> None:
    said = check_dataset(settings.bids_dir, reading_of(settings), settings.output_dir, keep=keep)
    if said:
        print(f"trialgraph: {said}", file=sys.stderr)


def _plan(argv: Sequence[str]) -> int:
    """Write, check or tell a plan; its imports are heavy, so that they come once the call makes sense."""
    options = plan_parser().parse_args(argv)
    from bids_app.cli.planning import check_plan, init_plan, write_sap

    if options.task == "init":
        return init_plan(raw_dataset(options.bids_dir), options.output)
    if options.task == "check":
        return check_plan(options.plan, options.bids_dir and raw_dataset(options.bids_dir))
    return write_sap(options.plan, options.output)


def _demo(argv: Sequence[str]) -> int:
    options = demo_parser().parse_args(argv)
    work_dir = private_folder(options.output_dir / "work" / "demo")
    with working_in(work_dir, keep=False) as conclude:
        from bids_app.cli.demo import run_demo

        how = {"design": options.design, "n_cpus": options.n_cpus, "seed": options.random_seed}
        return conclude(run_demo(options.output_dir, work_dir, **how))


def _verify(argv: Sequence[str]) -> int:
    """Hold what this installation computes against what the release computed."""
    options = verify_parser().parse_args(argv)
    if options.keep and options.keep.exists() and any(options.keep.iterdir()):
        raise UsageError(f"--keep {options.keep}: it holds something already; give an empty folder.")
    with _temporary_folder() as temporary:
        folder = options.keep or Path(temporary)
        with working_in(private_folder(folder / "work"), keep=options.keep is None) as conclude:
            from bids_app.cli.verify import verify

            return conclude(verify(folder, n_cpus=options.n_cpus, as_json=options.json))


def _import(argv: Sequence[str]) -> int:
    """Bring series or matrices of other tools into a BIDS derivative."""
    options = read_import(argv)
    from bids_app.importing import import_tables
    from bids_app.runtime.logs import log_to_terminal

    log_to_terminal()
    return import_tables(options)


def _docker(argv: Sequence[str]) -> int:
    from bids_app.cli.engines import run_in_container

    return run_in_container("docker", argv)


def _apptainer(argv: Sequence[str]) -> int:
    from bids_app.cli.engines import run_in_container

    return run_in_container("apptainer", argv)


COMMANDS = {
    "apptainer": _apptainer,
    "check": _check,
    "demo": _demo,
    "docker": _docker,
    "import": _import,
    "plan": _plan,
    "power": _power,
    "unblind": _unblind,
    "verify": _verify,
}
