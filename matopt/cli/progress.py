"""Progress for people: bars with the time that is left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

LINE_EVERY = 15.0
"""Seconds between plain lines about the same work."""


@contextmanager
def bar(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Show a bar for ``total`` pieces of work; call what it gives with the number of pieces just done."""
    with Stages() as stages:
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            stages(what, done, total, "")

        stages(what, 0, total, "")
        yield advance


class Stages:
    """Shows how far each stage is: a bar each in a terminal; else a line when it begins, ends, and now and then."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._steps: dict[str, int] = {}
        self._progress = (
            Progress(
                SpinnerColumn(finished_text="[green]✓[/green]"),
                TextColumn("{task.description:12}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TimeRemainingColumn(elapsed_when_finished=True),
                TextColumn("[dim]{task.fields[message]}"),
                console=self._console,
            )
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Stages:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, stage: str, done: int, total: int, message: str) -> None:
        """Show that ``done`` of ``total`` pieces of ``stage`` are finished."""
        if self._progress is None:
            self._line(stage, done, total, message)
            return
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=total or None, message=message)
        self._progress.update(self._bars[stage], completed=done, total=total or None, message=message)

    def _line(self, stage: str, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if total == 0:  # nothing to count
            if message:
                print(f"{stage}: {message}", file=sys.stderr, flush=True)
            return
        is_step = self._steps.get(stage) != done and done in (0, total)  # a piece of work begins or ends
        if is_step or now - self._said.get(stage, 0.0) >= LINE_EVERY:
            self._said[stage], self._steps[stage] = now, done
            text = f"{stage}: {done} of {total}" + (f", {message}" if message else "")
            print(text, file=sys.stderr, flush=True)
