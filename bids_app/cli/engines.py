"""``trialgraph docker`` and ``trialgraph apptainer``: a call in a container that sees what the call names, no more.

Imports nothing heavy: the app itself need not run here.
"""

import os
import shlex
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bids_app.cli.call_again import call_again
from bids_app.cli.mounts import Mount, is_shown, missing_folders, mounts_of
from bids_app.errors import MissingInputError, OutputError, UsageError
from bids_app.settings import parser as parsers
from bids_app.settings.boutiques import IMAGE, leaving_words
from bids_app.settings.everyday import is_command
from bids_app.settings.execution_names import as_placed
from bids_app.settings.import_options import import_parser
from bids_app.settings.named_paths import Named, Understood, named_paths
from bids_app.settings.power_options import power_parser
from bids_app.trial.blinding_key import read_key

PARSERS: dict[str, Callable[[], ArgumentParser]] = {
    "check": parsers.check_parser,
    "demo": parsers.demo_parser,
    "import": import_parser,
    "plan": parsers.plan_parser,
    "power": power_parser,
    "unblind": parsers.unblind_parser,
    "verify": parsers.verify_parser,
}
CACHES = ("TEMPLATEFLOW_HOME", "NILEARN_DATA")  # of atlases and templates: handed in where they are set


def run_in_container(engine: str, argv: Sequence[str]) -> int:
    """Run a call in a container; where it is begun, this process becomes the engine's.

    Parameters
    ----------
    engine : {"docker", "apptainer"}
    argv : list of str
        The words after it: options of the container among those of the call.

    Returns
    -------
    int
        0, if the command was to be printed alone.

    Raises
    ------
    UsageError, MissingInputError, OutputError
    """
    options, call = parsers.engine_parser(engine).parse_known_args(list(argv))
    if not call:
        raise UsageError(f"trialgraph {engine}: what is to be run? As in trialgraph {engine} BIDS OUT participant.")
    call = call if is_command(call, PARSERS) else as_placed(call)
    environment = _environment()
    mounts = _mounts(call, environment)
    image = options.image or (IMAGE if engine == "docker" else f"docker://{IMAGE}")
    command = COMMANDS[engine](mounts, environment, options.network, image) + call
    missing = missing_folders(mounts)
    if options.print:
        print(shlex.join(command))
        if missing:
            print(f"Make these folders first: {shlex.join(map(str, missing))}", file=sys.stderr)
        return 0
    if shutil.which(engine) is None:
        raise MissingInputError(f"There is no program {engine} on this machine.")
    for folder in missing:  # by the user: an engine would make them as root, or refuse
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{folder} cannot be made: {error.strerror or error}.") from error
    sys.stdout.flush()
    return os.execvp(engine, command)


def _mounts(call: Sequence[str], caches: Mapping[str, str]) -> list[Mount]:
    named = [Named(Path(folder)) for folder in caches.values()]
    if {word.partition("=")[0] for word in call} & leaving_words(parsers.app_parser()):  # it prints and leaves
        return mounts_of(named)
    parts = _parts(call)
    named += [one for part in parts for one in part.named]
    return mounts_of(named, writes=call[0] != "check" and not parts[-1].options.dry_run)


def _parts(call: Sequence[str]) -> list[Understood]:
    """Read a call; what goes on with options of the group level, as that level does too."""
    if not is_command(call, PARSERS):
        return [_whole(parsers.app_parser(), call)]
    command, *words = call
    if command not in ("power", "unblind"):
        return [_whole(PARSERS[command](), words)]
    own = named_paths(PARSERS[command](), words)
    folder = str(own.options.output_dir)
    again = [folder, folder, "group"] if command == "power" else _unblinded(own.options)
    return [own, _whole(parsers.app_parser(), [*again, *own.more])]


def _unblinded(options: Namespace) -> list[str]:
    key = read_key(options.key)
    if key.folder not in ("", str(Path.cwd())):
        raise UsageError(f"The blinded call was made in {key.folder}: unblind there, where its paths are seen from.")
    return call_again(key, options.output_dir, options.plan, options.bids_dir)


def _whole(parser: ArgumentParser, words: Sequence[str]) -> Understood:
    """Read words, all of which the parser must know."""
    found = named_paths(parser, words)
    if found.more:
        parser.parse_args(list(words))  # which says what may be meant
    return found


def _environment() -> dict[str, str]:
    """Return the caches that are set, by the name of the variable."""
    told = {name: Path(os.environ.get(name) or os.devnull).absolute() for name in CACHES}
    return {name: str(folder) for name, folder in told.items() if folder.is_dir()}


def _docker(mounts: Sequence[Mount], environment: dict[str, str], network: bool, image: str) -> list[str]:
    """Return the words before a call: as the user, into an image that is read only."""
    groups = [group for group in os.getgroups() if group != os.getgid()]
    return [
        *("docker", "run", "--rm", "--read-only", f"--user={os.getuid()}:{os.getgid()}"),
        *(f"--group-add={group}" for group in groups),
        *([] if network else ["--network=none"]),
        *(f"--env={name}={folder}" for name, folder in environment.items()),
        *(f"--mount={mount}" for mount in mounts),
        f"--workdir={Path.cwd()}",  # which it makes where nothing is seen there
        image,
    ]


def _apptainer(mounts: Sequence[Mount], environment: dict[str, str], network: bool, image: str) -> list[str]:
    """Return the words before a call: nothing of the host but what is named."""
    return [
        *("apptainer", "run", "--containall", "--cleanenv"),
        *([] if network else ["--net", "--network=none"]),
        *(f"--env={name}={folder}" for name, folder in environment.items()),
        *(word for mount in mounts for word in ("--mount", str(mount))),
        *([f"--pwd={Path.cwd()}"] if is_shown(Path.cwd(), mounts) else []),
        image,
    ]


COMMANDS = {"docker": _docker, "apptainer": _apptainer}
