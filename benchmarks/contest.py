"""Two codes that solve the same problem to the same error, timed in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

GOAL = 1e-3
"""Largest relative error of a value against the tight reference."""


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

    def loosest(self) -> tuple[float, float, float]:
        """The loosest tolerance that reaches the goal, its error and its seconds; else those of the tightest."""
        error = float("inf")
        for tolerance in self.tolerances:
            values, seconds = self.timed(tolerance)
            error = float(np.max(np.abs(np.asarray(values) / self.reference - 1)))
            if error <= GOAL:
                break
        return tolerance, error, seconds

    def timed(self, tolerance: float) -> tuple[np.ndarray, float]:
        """The values, and the seconds of processor time that they took."""
        start = time.process_time()
        values = self.solve(tolerance)
        return values, time.process_time() - start


def duel(case: str, ours: Contender, peer: Contender, repeats: int = 5, peer_repeats: int | None = None) -> dict:
    """Medians of processor time, in turns so that what else the machine does meets both alike.

    Args:
        case: what is solved.
        ours: our solver.
        peer: the other code.
        repeats: how many times each is timed.
        peer_repeats: how many times the peer is, where it takes minutes; 0 counts the run that found its tolerance.
    """
    peer_repeats = repeats if peer_repeats is None else peer_repeats
    my_tolerance, my_error, _ = ours.loosest()
    tolerance, error, chosen = peer.loosest()
    mine, theirs = [], []
    for turn in range(repeats):
        mine.append(ours.timed(my_tolerance)[1])
        if turn < peer_repeats:
            theirs.append(peer.timed(tolerance)[1])
    theirs = theirs or [chosen]
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
