"""What a run says and keeps of itself: its folder in logs/, the terminal, its last words and exit code."""

import json
import logging
import shlex
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from bids_app import __version__
from bids_app.bids.files import save_json, save_text
from bids_app.bids.validated import said_of_validation
from bids_app.runtime.failures import Failure
from bids_app.runtime.prov_files import close_run
from bids_app.settings.settings import GROUP, Settings
from bids_app.system.provenance import shareable
from bids_app.system.supervisor import log_when_terminated

logger = logging.getLogger("bids_app")


def call_of(settings: Settings, level: str) -> str:
    """Return the call of a level on the same folders, to be copied.

    Examples
    --------
    >>> call_of(Settings(Path("/data/my trial"), Path("/data/out"), "participant", Path("w")), "group")
    "trialgraph '/data/my trial' /data/out group"
    """
    return shlex.join(["trialgraph", str(settings.bids_dir), str(settings.output_dir), level])


def start_log(settings: Settings, call: Sequence[str] | None = None) -> Path:
    """Open this run's folder in logs/, keep the settings there, and log to it and to the terminal.

    The call is kept as the process was given it, or as it is told here where that must not be kept.
    """
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}_{settings.level}_{uuid.uuid4().hex[:8]}"
    log_dir = settings.output_dir / "logs" / stamp
    save_json(
        log_dir / "command.json", {"Command": shareable(call or sys.argv, settings.output_dir), "Version": __version__}
    )
    used = shareable(json.loads(settings.to_json()), settings.output_dir)
    save_text(log_dir / "settings.json", json.dumps(used, indent=2) + "\n")
    to_file = logging.FileHandler(log_dir / "trialgraph.log")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_file.setLevel(logging.DEBUG)
    logging.raiseExceptions = False  # a disk that is full is said once, not by every message
    log_to_terminal(settings.verbose)
    logger.addHandler(to_file)
    log_when_terminated(
        lambda text: to_file.handle(logger.makeRecord(logger.name, logging.ERROR, "", 0, text, (), None))
    )
    if said := said_of_validation(settings):
        logger.log(logging.INFO if settings.level == GROUP else logging.DEBUG, "%s", said)
    return log_dir


def log_to_terminal(verbose: int = 0) -> None:
    """Send messages to the terminal, and nowhere else."""
    to_terminal = logging.StreamHandler()
    to_terminal.setFormatter(logging.Formatter("%(message)s"))
    to_terminal.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.handlers[:] = [to_terminal]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def conclude(failures: Iterable[Failure], page: Path | None, log_dir: Path, next_call: str | None = None) -> int:
    """Say where to look and, where nothing failed, what comes next; return the exit code; the run ends."""
    close_run(log_dir)
    codes = {failure.exit_code for failure in failures}
    if page is not None and page.exists():
        logger.info("Look at %s.", page)
    logger.info("Messages and errors of this run: %s.", log_dir)
    if next_call and not codes:
        logger.info("Next: %s", next_call)
    return 0 if not codes else codes.pop() if len(codes) == 1 else 1
