"""The command line: ``main``, which lends a work folder and turns errors into messages and exit codes."""

import atexit
import errno
import logging
import os
import shutil
import stat
import sys
import traceback
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from bids_app.config import check_settings
from bids_app.environment import write_only_in
from bids_app.errors import BusyError, OutputError, TrialgraphError
from bids_app.locks import alone_in
from bids_app.options import LEVELS, dashed, parse
from bids_app.parser import demo_parser
from bids_app.validation import check_dataset

NO_SPACE = os.strerror(errno.ENOSPC)


def main(argv=None):
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
        if argv[:1] == ["demo"] and argv[2:3] not in ([level] for level in LEVELS):  # not a dataset called demo
            return _demo(argv[1:])
        if argv[:1] == ["check"] and argv[2:3] not in ([level] for level in LEVELS):
            return _check(argv[1:])
        settings = parse(argv)
        return _preview(settings) if settings.dry_run else _run(settings)
    except TrialgraphError as error:
        logging.getLogger("bids_app").debug("%s", error)
        print(f"trialgraph: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("trialgraph: interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        if NO_SPACE in str(error):
            print(f"trialgraph: the disk of the output or work folder is full ({NO_SPACE}).", file=sys.stderr)
            return OutputError.exit_code
        kept = keep_traceback(traceback.format_exc(), argv[1:2])
        said = str(error).strip().partition("\n")[0]
        print(
            f"trialgraph: {type(error).__name__}: {said} (a fault of the app, not of your data; please report it with "
            f"{kept}).",
            file=sys.stderr,
        )
        return 1


def keep_traceback(text, output_dir):
    """Keep the traceback of a fault in the logs of the output folder, else in a temporary file; return where."""
    for find in (*(lambda path=path: Path(path).absolute() / "logs" for path in output_dir), gettempdir):
        with suppress(OSError):  # in a read-only container there is no temporary folder
            folder = Path(find())
            if folder.is_dir():
                path = folder / f"fault-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
                path.write_text(text, encoding="utf-8")
                return path
    return "what it said"


def _run(settings):
    check_settings(settings)
    with _working_in(settings.work_dir, settings.keep_work_dir) as conclude:
        if not settings.skip_validation:
            _validate(settings)
        return conclude(_step(settings)(settings))


def _step(settings):
    """Return what is to be run; its imports are heavy, so that they come once the call makes sense."""
    if settings.reports_only:
        from bids_app.remake import remake_pages as step
    elif settings.level == "group":
        from bids_app.grouplevel import group_level as step
    else:
        from bids_app.participantlevel import participant_level as step
    return step


def _check(argv):
    """Say what both levels would do with a dataset."""
    folders, options = argv[:2], argv[2:]
    return _preview(parse([*folders, "participant", *options, "--dry-run"]), with_trial=True)


def _preview(settings, *, with_trial=False):
    """Do all the reading of a run in a folder of its own, which goes at the end."""
    check_settings(settings)
    with _temporary_folder() as folder, _working_in(Path(folder), keep=True):
        from bids_app import preview

        if settings.level == "group":
            return preview.preview_group(settings)
        return preview.preview_participants(settings, with_trial=with_trial)


def _temporary_folder():
    """Return a folder that goes when it was used; a container that is read-only has room in memory alone."""
    try:
        return TemporaryDirectory()
    except FileNotFoundError:
        return TemporaryDirectory(dir="/dev/shm")


def _validate(settings):
    unchecked = check_dataset(settings.bids_dir, settings.selection.participants)
    if unchecked:
        print(f"trialgraph: {unchecked}", file=sys.stderr)


def _demo(argv):
    options = demo_parser().parse_args(argv)
    with _working_in(options.output_dir / "work", keep=False) as conclude:
        from bids_app.demo import run_demo

        return conclude(run_demo(options.output_dir, n_cpus=options.n_cpus, seed=options.random_seed))


@contextmanager
def _working_in(work_dir, keep):
    """Lend a work folder to this run alone, which goes when the process ends if all went well."""
    at_exit = ExitStack()
    atexit.register(at_exit.close)  # before the libraries register theirs, so that it runs after them
    _make_known(work_dir)

    def conclude(code):
        if code == 0 and not keep:
            at_exit.callback(_remove, work_dir)
        return code

    with alone_in(work_dir):
        write_only_in(work_dir)
        before = Path.cwd()
        os.chdir(work_dir)  # libraries look for their settings in the current folder, which may be anybody's
        try:
            yield conclude
        except TrialgraphError:
            conclude(0)  # the input was refused: nothing in there would be of use
            raise
        finally:
            with suppress(OSError):
                os.chdir(before)


def _make_known(work_dir):
    """Make the work folder, and warn if others can change what is taken from it."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The work folder {work_dir} cannot be created: {error.strerror or error}.") from error
    if work_dir.stat().st_mode & stat.S_IWOTH and not work_dir.stat().st_mode & stat.S_ISVTX:
        print(
            f"trialgraph: everybody can write to the work folder {work_dir}; what is kept there is trusted by later "
            "runs. Make it your own (chmod o-w).",
            file=sys.stderr,
        )


def _remove(work_dir):
    with suppress(OSError, BusyError), alone_in(work_dir):  # another run may work there by now
        shutil.rmtree(work_dir, ignore_errors=True)
    with suppress(OSError):  # another run works beside this one
        work_dir.parent.rmdir()
