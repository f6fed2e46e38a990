"""The state of a launch while it runs: the stage, how far it is, where the time goes. Anyone may read it."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from matopt.study.layout import Layout, read_json, write_json

_EVERY = 1.0


class Progress(Protocol):
    """Hears how far a launch is."""

    def __call__(self, stage: str, done: int, total: int, message: str) -> None:
        """Hear that ``done`` of ``total`` pieces of ``stage`` are finished."""
        ...


def no_progress(stage: str, done: int, total: int, message: str) -> None:
    """Ignore progress."""


class LaunchState:
    """The state of a launch, kept in the study's folder as the launch goes on.

    For each stage it counts, over all launches of the study, the ``wall`` seconds, and the seconds of all processes
    that were ``computing`` (simulators, trainings), ``waiting`` (trials, for simulators that others kept busy) and
    ``overhead`` (imports, the start of Ray, the end of tracking).

    Args:
        layout: of the study.
        progress: hears of it too.
    """

    def __init__(self, layout: Layout, progress: Progress = no_progress) -> None:
        self._layout = layout
        self._progress = progress
        before = read_json(layout.state) or {}
        self._entries: dict[str, Any] = {**before, "stage": "", "done": 0, "total": 0, "message": "", "error": ""}
        self._entries["launches"] = before.get("launches", 0) + 1
        self._times: dict[str, dict[str, float]] = self._entries.setdefault("times", {})
        self._written = 0.0
        self._begun = time.time()

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Count everything inside as part of a stage."""
        self._entries.update(stage=name, done=0, total=0, message="")
        self._times.setdefault(name, {"wall": 0.0, "computing": 0.0, "waiting": 0.0, "overhead": 0.0})
        self._begun = time.time()
        self._write()
        try:
            yield
        except BaseException as error:
            self._entries["error"] = str(error) or type(error).__name__
            raise
        finally:
            self._count_wall()
            self._write()

    @contextmanager
    def overhead(self) -> Generator[None]:
        """Count the time inside as overhead, which serves no result."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent(overhead=time.perf_counter() - start)

    def spent(self, **seconds: float) -> None:
        """Add ``computing``, ``waiting`` or ``overhead`` seconds to the stage."""
        times = self._times[self._entries["stage"]]
        for kind, amount in seconds.items():
            times[kind] += amount

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Say that ``done`` of ``total`` pieces of the stage are finished."""
        self._entries.update(done=done, total=total, message=message)
        self._progress(self._entries["stage"], done, total, message)
        if done == total or time.monotonic() - self._written > _EVERY:
            self._count_wall()
            self._write()

    def message(self, text: str) -> None:
        """Say what is being done, where it is no counted piece."""
        self.progress(self._entries["done"], self._entries["total"], text)

    def note(self, **entries: Any) -> None:
        """Keep further JSON values for whoever reads the state."""
        self._entries.update(entries)
        self._write()

    @property
    def times(self) -> dict[str, dict[str, float]]:
        """The seconds spent, by stage and kind."""
        return self._times

    @property
    def notes(self) -> Mapping[str, Any]:
        """All that is kept, of earlier launches too."""
        return self._entries

    def _count_wall(self) -> None:
        now = time.time()
        self._times[self._entries["stage"]]["wall"] += now - self._begun
        self._begun = now

    def _write(self) -> None:
        self._written = time.monotonic()
        write_json(self._layout.state, {**self._entries, "updated": time.time()})
