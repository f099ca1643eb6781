"""What failed in a run, in words for the user."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from bids_app import errors


@dataclass(frozen=True)
class Failure:
    """A node that failed, and why.

    Attributes
    ----------
    node : str
        The node's full name, workflows joined by dots.
    message : str
        One sentence for the user.
    exit_code : int
    crash_file : Path
        The traceback.
    """

    node: str
    message: str
    exit_code: int
    crash_file: Path


def read_failures(log_dir: Path) -> list[Failure]:
    """Read the crash files of a run."""
    return [_failure(path) for path in sorted(log_dir.glob("crash-*.txt"))]


def _failure(path: Path) -> Failure:
    text = path.read_text()
    named = re.match(r"Node: (\S+)", text)  # a disk that is full, or a kill, leaves the file empty or cut
    node = named[1] if named else path.stem
    known = re.findall(rf"^\s*{re.escape(errors.__name__)}\.(\w+): (.+)$", text, flags=re.MULTILINE)
    if known:
        kind, message = known[-1]
        return Failure(node, message.strip(), getattr(errors, kind).exit_code, path)
    full = re.search(r"OSError: \[Errno \d+\] (.+)$", text, flags=re.MULTILINE)
    if full and errors.full_disk(full[1]):
        message = f"The work or output folder cannot take more: {full[1].strip()}."
        return Failure(node, message, errors.OutputError.exit_code, path)
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "what failed was not kept")
    return Failure(node, f"{last} (an error of the app, not of your data: see {path.name})", 1, path)


def unfinished(
    names: Iterable[str], finished: Collection[str], failures: Iterable[Failure], log_dir: Path
) -> list[Failure]:
    """List the first part of each scan that has no result and no failure before it to explain that."""
    explained = {failure.node.rpartition(".")[0] for failure in failures}
    message = "It has no result: its job or process was killed (time, memory), cancelled, or never began."
    found = []
    for name in names:
        scan = name.rpartition(".")[0]
        if name not in finished and scan not in explained:
            explained.add(scan)
            found.append(Failure(name, message, errors.KilledError.exit_code, log_dir / "trialgraph.log"))
    return found
