"""How far a job is, for who waits for it."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress(names: Sequence[str], stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Show how far a job is: a bar on a terminal, a line every tenth of the way elsewhere.

    Parameters
    ----------
    names : list of str
        Full names of the steps to take; those that share all but the last part are one scan, or one comparison.
    stream : file, optional
        Standard error by default.

    Yields
    ------
    callable
        To be called with the name of each step that was taken.
    """
    stream = stream or sys.stderr
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("steps"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()),
    )
    count = _Count(names)
    if stream.isatty():
        with Progress(*columns, console=Console(file=stream)) as bar:
            task = bar.add_task(count.text, total=len(names))
            yield lambda name: bar.update(task, completed=count.add(name), description=count.text)
        return
    started, total = time.monotonic(), len(names)

    def advance(name: str) -> None:
        done = count.add(name)
        if done == total or done * 10 // total > (done - 1) * 10 // total:
            seconds = time.monotonic() - started
            print(f"step {done} of {total} ({count.text}) after {seconds:.0f} s", file=stream, flush=True)

    yield advance


class _Count:
    """Counts the steps that were taken, and the scans that are through."""

    def __init__(self, names: Iterable[str]) -> None:
        self.left, self.done = Counter(name.rpartition(".")[0] for name in names), 0
        self.total = len(self.left)

    def add(self, name: str) -> int:
        """Count a step; return how many there were."""
        self.done += 1
        self.left[name.rpartition(".")[0]] -= 1
        return self.done

    @property
    def text(self) -> str:
        """How many parts are through."""
        return f"{sum(count <= 0 for count in self.left.values())} of {self.total} parts"
