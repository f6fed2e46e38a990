"""Two codes that solve the same problem to the same error, timed in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

GOAL = 1e-3
"""Largest relative error of a value against the tight reference."""

REPEATS = 5
"""How many times each is timed."""


@dataclass(frozen=True)
class Contender:
    """A code with its settings.

    Attributes:
        name: with its version.
        solve: takes a tolerance, gives the values.
        tolerances: to choose from, loosest first.
        reference: the values that it tends to.
    """

    name: str
    solve: Callable[[float], np.ndarray]
    tolerances: Sequence[float]
    reference: np.ndarray

    def loosest(self) -> tuple[float, float]:
        """The loosest tolerance that reaches the goal, and its error; else the tightest there is, and its error."""
        error = float("inf")
        for tolerance in self.tolerances:
            error = float(np.max(np.abs(np.asarray(self.solve(tolerance)) / self.reference - 1)))
            if error <= GOAL:
                break
        return tolerance, error

    def seconds(self, tolerance: float) -> float:
        """Of processor time that a solve takes."""
        start = time.process_time()
        self.solve(tolerance)
        return time.process_time() - start


def duel(case: str, ours: Contender, peer: Contender, peer_repeats: int = REPEATS) -> dict:
    """Medians of processor time, in turns so that what else the machine does meets both alike.

    Args:
        case: what is solved.
        ours: our solver.
        peer: the other code.
        peer_repeats: how many times the peer is timed; fewer where it takes long.
    """
    my_tolerance, my_error = ours.loosest()
    tolerance, error = peer.loosest()
    mine, theirs = [], []
    for turn in range(REPEATS):
        mine.append(ours.seconds(my_tolerance))
        if turn < peer_repeats:
            theirs.append(peer.seconds(tolerance))
    seconds, peer_seconds = statistics.median(mine), statistics.median(theirs)
    return {
        "case": case,
        "peer": peer.name,
        "ours [s]": seconds,
        "peer [s]": peer_seconds,
        "our error": my_error,
        "peer's error": error,
        "our tolerance": my_tolerance,
        "peer's tolerance": tolerance,
        "times as fast": peer_seconds / seconds,
        "runs, ours / peer's": f"{len(mine)} / {len(theirs)}",
    }
