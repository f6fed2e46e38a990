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

    def error(self, tolerance: float) -> float:
        """The largest relative error at this tolerance."""
        return float(np.max(np.abs(np.asarray(self.solve(tolerance)) / self.reference - 1)))

    def loosest(self) -> tuple[float, float]:
        """The loosest tolerance that reaches the goal, and its error; else the tightest there is, and its error."""
        error = float("inf")
        for tolerance in self.tolerances:
            error = self.error(tolerance)
            if error <= GOAL:
                break
        return tolerance, error


def duel(case: str, ours: Contender, peer: Contender, target: float, repeats: int = 5) -> dict:
    """Medians of processor time, in turns so that what else the machine does meets both alike."""
    chosen = {c.name: c.loosest() for c in (ours, peer)}
    seconds: dict[str, list[float]] = {ours.name: [], peer.name: []}
    for _ in range(repeats):
        for contender in (ours, peer):
            start = time.process_time()
            contender.solve(chosen[contender.name][0])
            seconds[contender.name].append(time.process_time() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "case": case,
        "peer": peer.name,
        "ours [s]": medians[ours.name],
        "peer [s]": medians[peer.name],
        "our error": chosen[ours.name][1],
        "peer's error": chosen[peer.name][1],
        "times as fast": medians[peer.name] / medians[ours.name],
        "target": target,
        "runs": repeats,
    }


def table(rows: Sequence[dict]) -> str:
    """Rows as a Markdown table."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_text(row[c]) for c in columns) + " |" for row in rows]
    return "\n".join(lines)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-2 or abs(value) >= 1e5 else f"{value:.3g}"
    return str(value)
