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
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress(names: Sequence[str], stream: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Show how many scans, or comparisons, are through: a bar on a terminal, a line every tenth of them elsewhere.

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
        *(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()),
        *(TextColumn("left"), TimeRemainingColumn()),
    )
    count = _Count(names)
    if stream.isatty():
        with Progress(*columns, console=Console(file=stream)) as bar:
            task = bar.add_task(count.text, total=len(names))
            yield lambda name: bar.update(task, completed=count.add(name), description=count.text)
        return
    started = time.monotonic()

    def advance(name: str) -> None:
        before, total = count.through, count.total
        count.add(name)
        if count.through * 10 // total > before * 10 // total:
            print(f"{count.text} after {time.monotonic() - started:.0f} s", file=stream, flush=True)

    yield advance


class _Count:
    """Counts the steps that were taken, and the scans or comparisons that are through."""

    def __init__(self, names: Iterable[str]) -> None:
        self.left, self.done = Counter(name.rpartition(".")[0] for name in names), 0
        self.total, self.through, self.last = len(self.left), 0, ""

    def add(self, name: str) -> int:
        """Count a step; return how many there were."""
        self.done += 1
        part = name.rpartition(".")[0]
        self.left[part] -= 1
        if self.left[part] == 0:
            self.through, self.last = self.through + 1, part.rpartition(".")[2].removesuffix("_wf")
        return self.done

    @property
    def text(self) -> str:
        """How many are through, and which was the last."""
        return f"{self.through} of {self.total} done{f', last {self.last}' if self.last else ''}"
