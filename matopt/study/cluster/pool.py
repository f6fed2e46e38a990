"""Pools of actors: many calls, handed to whoever is free, with an end to every wait."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from matopt.errors import FailureError, InputError
from matopt.study.cluster.deaths import is_death, read_last_words, reason_of

_DEATHS = 4
"""A call under which so many processes died is given up: it kills them, more likely than not."""
_SILENCES = 2
"""As many as a call may cost of the time that the user allows without an answer."""
_POLL = 1.0
_LONGEST_PAUSE = 10.0


def no_poll() -> None:
    """Do nothing while a pool works."""


@dataclass(frozen=True)
class Pool:
    """Actors of one kind that share a list of calls; any process that has the handles may use them.

    An actor whose process or node dies is started anew, elsewhere if need be; whoever is free takes its call. One that
    cannot be reached is asked again, after pauses that grow, until it answers or the timeout is over.

    Attributes:
        name: what they are, in messages.
        actors: their handles.
        timeout: seconds in which a call must be answered.
        words: the folder of what actors say when a signal ends them; None where they say nothing.
    """

    name: str
    actors: tuple[Any, ...]
    timeout: float
    words: Path | None = None

    @staticmethod
    def of(
        kind: type,
        count: int,
        timeout: float,
        arguments: tuple,
        cpus: float = 0,
        gpus: float = 0,
        words: Path | None = None,
    ) -> Pool:
        """Start ``count`` actors of a class, wherever there is room."""
        return Pool.at([(arguments, {"num_cpus": cpus, "num_gpus": gpus})] * count, kind, timeout, words)

    @staticmethod
    def at(
        places: Sequence[tuple[tuple, Mapping[str, Any]]], kind: type, timeout: float, words: Path | None = None
    ) -> Pool:
        """Start an actor of a class for each of ``places``: its arguments, and what Ray is to do with it.

        They are started anew when they or their nodes die.
        """
        # No retries of Ray's own: it spends them within seconds, while an actor is on its way back.
        remote = ray.remote(max_restarts=-1, max_task_retries=0)(kind)
        actors = tuple(remote.options(**options).remote(*arguments) for arguments, options in places)
        return Pool(kind.__name__, actors, timeout, words)

    def map(
        self,
        method: str,
        calls: Sequence[tuple],
        done: Callable[[int], None] = lambda n: None,
        poll: Callable[[], None] = no_poll,
    ) -> list[tuple[int, Any]]:
        """Call ``method`` with each of ``calls``; an actor that is done takes the next one.

        Args:
            method: the actors' method.
            calls: the arguments of each call.
            done: hears how many calls are answered.
            poll: is called every second or so; it may end the wait by an error.

        Returns:
            Of each call, in order, the number of the actor that answered, and the answer.

        Raises:
            FailureError: an actor failed, none could be reached or none answered within the timeout, or a call was the
                death of several.
            InputError: a call was refused as such.
        """
        answers: dict[int, tuple[int, Any]] = {}
        work = _Work(self, method, calls)
        while len(answers) < len(calls):
            work.give()
            answer = work.wait()
            poll()
            if answer is not None:
                index, actor, value = answer
                answers[index] = actor, value
                done(len(answers))
        return [answers[index] for index in range(len(calls))]

    def wait(self, poll: Callable[[], None] = no_poll) -> None:
        """Wait until all actors are up.

        Raises:
            FailureError: they are not within the timeout, or cannot be.
        """
        self.map("__ray_ready__", [()] * len(self.actors), poll=poll)

    def kill(self) -> None:
        """End the actors."""
        for actor in self.actors:
            ray.kill(actor)

    def last_words(self) -> dict[Path, str]:
        """What those of the actors said that a signal ended, by the file of each process."""
        if self.words is None:
            return {}
        files = [file for actor in self.actors for file in self.words.glob(f"{actor._actor_id.hex()}-*")]
        return {file: words for file in files if (words := read_last_words(file))}


@dataclass
class _Given:
    """A call that an actor has."""

    actor: int
    index: int
    since: float


@dataclass
class _Work:
    """The calls of one ``map``: who has which, what became of them, and who is away.

    An actor that failed is away until it has answered a probe, which costs no call: it may have no place to start anew.
    """

    pool: Pool
    method: str
    calls: Sequence[tuple]
    running: dict[Any, _Given] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._left = deque(range(len(self.calls)))
        self._deaths: dict[int, int] = defaultdict(int)
        self._silences: dict[int, int] = defaultdict(int)
        self._pauses: dict[int, float] = defaultdict(float)  # of each actor, how long it was left alone the last time
        self._away: dict[int, float] = {}  # when each is to be probed
        self._probes: dict[Any, int] = {}
        self._lost_since: float | None = None
        self._trouble = ""
        self._heard = set(self.pool.last_words())

    def give(self) -> None:
        """Give calls to those who are free, and probe those who are away."""
        now = time.monotonic()
        busy = {given.actor for given in self.running.values()}
        for actor, handle in enumerate(self.pool.actors):
            if actor in self._away:
                if self._away[actor] <= now and actor not in self._probes.values():
                    self._probes[handle.__ray_ready__.remote()] = actor
            elif self._left and actor not in busy:
                index = self._left.popleft()
                self.running[getattr(handle, self.method).remote(*self.calls[index])] = _Given(actor, index, now)

    def wait(self) -> tuple[int, int, Any] | None:
        """Wait for a second at most: the index of a call, the actor and the answer; None where there is none yet.

        Raises:
            FailureError: an actor failed, or the time is up.
        """
        awaited = [*self.running, *self._probes]
        if not awaited:
            time.sleep(_POLL / 4)
        ready, _ = ray.wait(awaited, num_returns=1, timeout=_POLL) if awaited else ([], [])
        if not ready:
            self._check()
        elif ready[0] in self._probes:
            self._hear(ready[0])
        else:
            return self._take(ready[0])
        return None

    def _hear(self, probe: Any) -> None:
        actor = self._probes.pop(probe)
        try:
            ray.get(probe, timeout=self.pool.timeout)
        except RayError as error:
            self._trouble = f"{self.pool.name} {actor}: {reason_of(error)}"
            self._pause(actor)
        else:
            del self._away[actor]

    def _take(self, reference: Any) -> tuple[int, int, Any] | None:
        given = self.running.pop(reference)
        name = f"{self.pool.name} {given.actor}"
        try:
            value = ray.get(reference, timeout=self.pool.timeout)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, InputError):
                raise cause from None
            raise FailureError(f"{name} failed in '{self.method}': {type(cause).__name__}: {cause}") from error
        except RayError as error:
            self._failed(given, error, name)
            return None
        self._pauses.pop(given.actor, None)
        self._lost_since = None
        return given.index, given.actor, value

    def _check(self) -> None:
        """Look after those who have not answered, nor can be reached."""
        now = time.monotonic()
        for reference, given in list(self.running.items()):
            if now - given.since > self.pool.timeout:
                del self.running[reference]
                self._silences[given.index] += 1
                if self._silences[given.index] == _SILENCES:
                    raise FailureError(
                        f"{self.pool.name} {given.actor}: no answer to '{self.method}' for {self.pool.timeout:g} s, nor"
                        " when it was asked anew; raise resources.timeout, or see whether the nodes still run"
                    )
                ray.kill(self.pool.actors[given.actor], no_restart=False)  # it hangs, or does work that nobody awaits
                self._rest(given)
        if not self.running and self._lost_since is not None and now - self._lost_since > self.pool.timeout:
            raise FailureError(
                f"{self.pool.name}: none can be reached for '{self.method}' since {self.pool.timeout:g} s"
                f" ({self._trouble}); raise resources.timeout, or see whether the nodes still run"
            )

    def _failed(self, given: _Given, error: RayError, name: str) -> None:
        said = self.pool.last_words()
        words = next((said[file] for file in said.keys() - self._heard), "")
        self._heard |= said.keys()
        reason = reason_of(error, words)
        self._trouble = f"{name}: {reason}"
        if isinstance(error, RayActorError) and error.actor_init_failed:
            raise FailureError(self._trouble) from error
        if is_death(error):
            self._deaths[given.index] += 1
            if self._deaths[given.index] == _DEATHS:
                raise FailureError(
                    f"{name}: {reason}; before it '{self.method}' was the death of {_DEATHS - 1} others"
                ) from error
        self._rest(given)

    def _rest(self, given: _Given) -> None:
        """Leave the call of an actor to whoever is free first, and the actor alone for a while."""
        self._left.appendleft(given.index)
        if self._lost_since is None:
            self._lost_since = time.monotonic()
        self._pause(given.actor)

    def _pause(self, actor: int) -> None:
        pause = self._pauses[actor] = min(_LONGEST_PAUSE, max(0.5, 2 * self._pauses[actor]))  # longer each time
        self._away[actor] = time.monotonic() + pause
