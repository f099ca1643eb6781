"""``python -m bids_app``, and the entry point of the command."""

import os
import sys

from bids_app.system.supervisor import supervised


def run() -> None:
    """Run the app with the arguments of the process, and end the process with its exit code."""
    if sys.getfilesystemencoding().lower() not in ("utf-8", "utf8") and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"  # of the processes that are started later
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    sys.exit(supervised(_main))


def _complete() -> None:
    """Answer the shell that asks how a word may go on, and leave; ``register-python-argcomplete`` makes it ask."""
    import argcomplete

    from bids_app.settings.everyday import LEVELS
    from bids_app.settings.parser import app_parser

    parser = app_parser()
    for action in parser._actions:
        if action.dest == "level":
            vars(action)["completer"] = argcomplete.ChoicesCompleter(dict.fromkeys(LEVELS, ""))
    argcomplete.autocomplete(parser)


def _main() -> int:
    from bids_app.cli.main import main  # after the fork: it is the run that imports

    return main()


if __name__ == "__main__":
    run()
