"""The state of a launch while it runs: the stage, how far it is, where the time goes. Anyone may read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from matopt.damaged import DamagedError, set_aside
from matopt.errors import FailureError, warn
from matopt.study.layout import Layout, read_json, write_json

_EVERY = 1.0
_KINDS = ("wall", "computing", "waiting", "overhead")

Count = Annotated[int, Field(ge=0, le=2**63)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


class SavedState(BaseModel):
    """What the file of a launch's state holds; all of it may be missing, of a study that has just begun.

    Attributes:
        stage, done, total, message: how far the launch is.
        error: why it was stopped, if it said so.
        launches: how many there were.
        updated: when it last said something, seconds since 1970.
        times: stage -> seconds of each kind.
        search: the key of the last launch's search.
        searches: the keys of all searches, by what the study file said of them.
        trials, objectives: what that search was asked for.
        report: the report's files, relative to the study's folder, its page first.
    """

    model_config = ConfigDict(strict=True, extra="allow")  # what others note is kept

    stage: str = ""
    done: Count = 0
    total: Count = 0
    message: str = ""
    error: str = ""
    launches: Count = 0
    updated: Annotated[float, Field(ge=0, le=1e11)] = 0.0
    times: dict[str, dict[Literal["wall", "computing", "waiting", "overhead"], Seconds]] = Field(default_factory=dict)
    search: str | None = None
    searches: dict[str, str] = Field(default_factory=dict)
    trials: Count = 0
    objectives: dict[str, Literal["maximize", "minimize"]] = Field(default_factory=dict)
    report: list[str] = Field(default_factory=list)


def read_state(layout: Layout) -> SavedState:
    """Read what a launch last said of itself; the empty state where none did.

    Raises:
        DamagedError: the file is damaged.
        FailureError: it cannot be read.
    """
    found = read_json(layout.state)
    try:
        state = SavedState.model_validate(found or {})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise DamagedError(f"{layout.state} is damaged: its {where!r} is no such thing") from error
    if any(set(seconds) != set(_KINDS) for seconds in state.times.values()):
        raise DamagedError(f"{layout.state} is damaged: its 'times' are incomplete")
    return state


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
    that were ``computing`` (simulators, trainings, and this process where it waits for no other), ``waiting`` (trials,
    for simulators that others kept busy, and for others to fit their models) and ``overhead`` (imports, the start of
    Ray and of trials, the end of tracking).

    Args:
        layout: of the study.
        progress: hears of it too.
        check: raises where this process may not write the state any more.
    """

    def __init__(
        self, layout: Layout, progress: Progress = no_progress, check: Callable[[], None] = lambda: None
    ) -> None:
        self._layout = layout
        self._progress = progress
        self._check = check
        self._entries: dict[str, Any] = self._before()
        self._times: dict[str, dict[str, float]] = self._entries["times"]
        self._written = 0.0
        self._begun = time.time()
        self._doing: str | None = None  # what this process's own time goes to

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Count everything inside as part of a stage."""
        self._entries.update(stage=name, done=0, total=0, message="")
        self._times.setdefault(name, dict.fromkeys(_KINDS, 0.0))
        self._begun, self._doing = time.time(), "computing"
        self._write()
        try:
            yield
        except BaseException as error:
            self._entries["error"] = str(error) or type(error).__name__
            self._count_wall()
            self._doing = None
            with suppress(FailureError):  # the disk that this very error may be about
                self._write()
            raise
        self._count_wall()
        self._doing = None
        self._write()

    @contextmanager
    def overhead(self) -> Generator[None]:
        """Count the time inside as overhead, which serves no result; after the last stage as that one's."""
        with self._own_time("overhead"):
            yield

    @contextmanager
    def elsewhere(self) -> Generator[None]:
        """Count the time inside as nothing of this process's: others compute, and say themselves what they spend."""
        with self._own_time(None):
            yield

    @contextmanager
    def _own_time(self, kind: str | None) -> Generator[None]:
        self._count_wall()
        before, self._doing = self._doing, kind
        try:
            yield
        finally:
            self._count_wall()
            self._doing = before

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

    def _before(self) -> dict[str, Any]:
        """Begin with what earlier launches counted; a file that is damaged is set aside, and counting begins anew."""
        try:
            before = read_state(self._layout)
        except DamagedError as error:
            self._check()
            aside = set_aside(self._layout.state)
            warn(f"{error}; it is {aside.name} now, and times and launches are counted anew: no result is lost")
            before = SavedState()
        kept = before.model_dump(exclude={"stage", "done", "total", "message", "error", "updated"}, exclude_unset=True)
        started = {"stage": "", "done": 0, "total": 0, "message": "", "error": "", "launches": before.launches + 1}
        return {"times": {}, **kept, **started}

    def _count_wall(self) -> None:
        now = time.time()
        times = self._times[self._entries["stage"]]
        times["wall"] += now - self._begun
        if self._doing is not None:
            times[self._doing] += now - self._begun
        self._begun = now

    def _write(self) -> None:
        self._written = time.monotonic()
        self._check()
        write_json(self._layout.state, {**self._entries, "updated": time.time()})
