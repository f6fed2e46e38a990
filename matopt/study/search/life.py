"""Signs of life: how a trial that hangs is told from one that takes its time.

A trial is alive while its trainings report, while it waits for simulators or for a model that another trial fits (waits
that have ends of their own), and while its process or one that it started uses a processor. A fit may thus be silent
for days. What neither reports nor computes hangs: a lock that nobody releases, a file that does not answer, a process
that was stopped. A loop without end looks like long work; against it there is a limit of the user's for a whole trial.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from matopt.buckets.copies import forget, is_copy, keep, modified
from matopt.errors import FailureError
from matopt.training.report import Report

_LEAST_LOAD = 0.05
"""Share of one processor: an idle process of Ray's takes about a hundredth."""

_FAR_SECONDS = 30.0
"""Seconds without a sign here after which a bucket is asked, where trials on other hosts put theirs."""


class LifeSigns:
    """Touches a file as long as there are signs of life in this process.

    Args:
        file: the file; it exists.
        silence: seconds without a sign after which somebody will end the process.
    """

    def __init__(self, file: Path, silence: float) -> None:
        self._file = file
        self._is_far = is_copy(file) and not file.exists()  # who runs the search makes it
        self._every = min(10.0, silence / 8)
        self._heard = threading.Event()
        self._ended = threading.Event()

    @contextmanager
    def given(self) -> Generator[None]:
        """Give signs while inside."""
        thread = threading.Thread(target=self._give, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def sign(self) -> None:
        """Give a sign of life."""
        self._heard.set()

    def of(self, report: Report) -> Report:
        """Make a report whose calls are signs of life."""

        def heard(step: int, /, **scalars: float) -> bool:
            self.sign()
            return report(step, **scalars) if scalars else False

        return heard

    def _give(self) -> None:
        load = _processor_seconds()
        while not self._ended.wait(self._every):
            before, load = load, _processor_seconds()
            if self._heard.is_set() or load - before > _LEAST_LOAD * self._every:
                self._heard.clear()
                with suppress(OSError, FailureError):  # a storage that is away for a while
                    os.utime(self._file)
                    if self._is_far:
                        keep(self._file)


class Vigil:
    """Watches the signs of life of the trials that run, from the process that runs the search.

    Args:
        folder: where the trials' files are.
        silence: seconds without a sign of life after which a trial is given up.
        limit: seconds that a trial may take in all; None for as long as it likes.
    """

    def __init__(self, folder: Path, silence: float, limit: float | None) -> None:
        self._folder = folder
        self._silence = silence
        self._limit = limit
        self._begun: dict[int, float] = {}
        self._signs: dict[int, tuple[tuple[int, float | None], float]] = {}

    def begin(self, number: int) -> None:
        """Hear that a trial runs."""
        file = vital_file(self._folder, number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        self._begun[number] = time.monotonic()
        self._signs[number] = (file.stat().st_mtime_ns, None), time.monotonic()

    def end(self, number: int) -> float:
        """Hear that a trial is over; returns the seconds it took, as far as it ran."""
        with suppress(FailureError):  # a bucket that is away keeps a file of a few bytes
            forget(vital_file(self._folder, number))
        self._signs.pop(number, None)
        return time.monotonic() - self._begun.pop(number, time.monotonic())

    def verdict(self, number: int) -> str:
        """Say why a trial is to be given up; empty while it is not."""
        now = time.monotonic()  # this clock alone: those of the nodes may differ
        if self._limit is not None and now - self._begun[number] > self._limit:
            return f"it took more than {self._limit:g} s, and resources.trial_timeout allows no more"
        file, (before, heard) = vital_file(self._folder, number), self._signs[number]
        try:
            sign = file.stat().st_mtime_ns, before[1]
            if is_copy(file) and now - heard > min(_FAR_SECONDS, self._silence / 4):
                sign = sign[0], modified(file)
        except (OSError, FailureError):
            return ""  # a storage that is away for a while is no sign of death
        if sign != before:
            self._signs[number] = sign, now
        if now - self._signs[number][1] > self._silence:
            return (
                f"it hung: for {self._silence:g} s it neither reported nor computed; if it waits for something that"
                " takes longer, raise resources.timeout"
            )
        return ""


def vital_file(folder: Path, number: int) -> Path:
    """The file that a trial touches while it lives, and that holds its process's last words."""
    return folder / f"trial-{number}"


def _processor_seconds() -> float:
    """Processor seconds of this process and of those that it started, as far as the system tells."""
    return time.process_time() + sum(map(_seconds_of_tree, _children(os.getpid())))


def _seconds_of_tree(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(map(_seconds_of_tree, _children(pid)))


def _children(pid: int) -> set[int]:
    found = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.update(map(int, file.read_text().split()))
        except OSError:
            continue
    return found
