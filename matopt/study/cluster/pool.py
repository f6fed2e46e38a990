"""Pools of actors: many calls, handed to whoever is free, with an end to every wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from matopt.errors import FailureError, InputError

_RETRIES = 3


@dataclass(frozen=True)
class Pool:
    """Actors of one kind that share a list of calls; any process that has the handles may use them.

    Attributes:
        name: what they are, in messages.
        actors: their handles.
        timeout: seconds in which at least one of the calls must be answered.
    """

    name: str
    actors: tuple[Any, ...]
    timeout: float

    @staticmethod
    def of(
        kind: type, count: int, timeout: float, arguments: tuple, cpus: float = 0, gpus: float = 0, spread: bool = False
    ) -> Pool:
        """Start ``count`` actors of a class; they are started anew when they or their nodes die."""
        remote = ray.remote(kind).options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_restarts=-1,
            max_task_retries=_RETRIES,
            scheduling_strategy="SPREAD" if spread else "DEFAULT",
        )
        return Pool(kind.__name__, tuple(remote.remote(*arguments) for _ in range(count)), timeout)

    def map(
        self, method: str, calls: Sequence[tuple], done: Callable[[int], None] = lambda n: None
    ) -> list[tuple[int, Any]]:
        """Call ``method`` with each of ``calls``; an actor that is done takes the next one.

        Args:
            method: the actors' method.
            calls: the arguments of each call.
            done: hears how many calls are answered.

        Returns:
            Of each call, in order, the number of the actor that answered, and the answer.

        Raises:
            FailureError: an actor failed, or none answered within the timeout.
            InputError: a call was refused as such.
        """
        answers: dict[int, tuple[int, Any]] = {}
        running: dict[Any, tuple[int, int]] = {}
        queue = iter(enumerate(calls))

        def give(actor: int) -> None:
            if (following := next(queue, None)) is not None:
                index, arguments = following
                running[getattr(self.actors[actor], method).remote(*arguments)] = (actor, index)

        for actor in range(len(self.actors)):
            give(actor)
        while running:
            ready, _ = ray.wait(list(running), num_returns=1, timeout=self.timeout)
            if not ready:
                busy = ", ".join(str(actor) for actor, _ in running.values())
                raise FailureError(
                    f"{self.name} {busy}: no answer to '{method}' for {self.timeout:g} s; raise resources.timeout,"
                    " or see whether the nodes still run"
                )
            actor, index = running.pop(ready[0])
            answers[index] = actor, self._answer(ready[0], actor, method)
            done(len(answers))
            give(actor)
        return [answers[index] for index in range(len(calls))]

    def wait(self) -> None:
        """Wait until all actors are up.

        Raises:
            FailureError: they are not within the timeout, or cannot be.
        """
        self.map("__ray_ready__", [()] * len(self.actors))

    def kill(self) -> None:
        """End the actors."""
        for actor in self.actors:
            ray.kill(actor)

    def _answer(self, reference: Any, actor: int, method: str) -> Any:
        try:
            return ray.get(reference, timeout=self.timeout)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, InputError):
                raise cause from None
            raise FailureError(f"{self.name} {actor} failed in '{method}': {type(cause).__name__}: {cause}") from error
        except RayActorError as error:
            raise FailureError(
                f"{self.name} {actor} died {_RETRIES + 1} times in '{method}' (out of memory?): {error}".split("\n")[0]
            ) from error
