"""The records of a study's trials: what the search writes, and tracking, status and report read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from matopt.stages.records import TrialResult

State = Literal["complete", "failed", "running", "waiting"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a search.

    Attributes:
        number: counts from 0.
        state: "complete", "failed", "running", or "waiting" to be run again.
        params: the point of the search space, dotted name -> value.
        outcome: of a complete trial.
        error: one line that says why a trial failed.
    """

    number: int
    state: State
    params: dict[str, Any] = field(default_factory=dict)
    outcome: TrialResult | None = None
    error: str = ""


def best(records: Sequence[TrialRecord], objectives: Mapping[str, str]) -> TrialRecord | None:
    """Pick the complete trial with the best first objective, of equals the earliest; None where none is complete.

    Args:
        records: the trials.
        objectives: metric -> "maximize" or "minimize".
    """
    name, direction = next(iter(objectives.items()))
    sign = 1 if direction == "maximize" else -1
    scored = [(sign * r.outcome.metrics[name], -r.number, r) for r in records if r.outcome is not None]
    return max(scored)[2] if scored else None
