"""What a search is told: how many trials, where to look, with what; and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from matopt.stages.records import TrialResult
from matopt.stages.trial import TrialSettings
from matopt.study.cluster.pool import no_poll
from matopt.study.search.ledger import Identity
from matopt.training.report import Report, no_report


@dataclass(frozen=True)
class TrialPoint:
    """A point of the search: what Optuna chose, the settings that follow, and what its result will follow from."""

    params: dict[str, Any]
    settings: TrialSettings
    identity: Identity | None = None


@dataclass(frozen=True)
class SearchPlan:
    """How many trials a search runs, where it looks, and with what.

    Attributes:
        total: how many trials are to be complete in the end.
        most: at how many points trials may be tried for that, over all launches.
        point: chooses a point with the sampler of an Optuna trial.
        sampler: makes the sampler of a fresh point, given how many were chosen before it.
        concurrent: how many trials run at once.
        resources: what each trial asks of Ray: "cpu" and "gpu".
        scratch: where the engine may write; deleted afterwards.
        least: with fewer complete trials in the end the search has failed.
        trial_seconds: what a trial may take; None for as long as it shows signs of life.
        check: is called every second or so; it may end the search by a `FailureError`.
    """

    total: int
    most: int
    point: Callable[[optuna.trial.BaseTrial], TrialPoint]
    sampler: Callable[[int], optuna.samplers.BaseSampler]
    concurrent: int
    resources: dict[str, float]
    scratch: Path
    least: int = 1
    trial_seconds: float | None = None
    check: Callable[[], None] = no_poll


class SearchCallback:
    """Hears of a search's trials; a launch derives its own."""

    def begin(self, number: int, params: dict[str, Any]) -> Report:
        """Hear that a trial begins; returns what is to hear of its trainings, in the trial's own process."""
        return no_report

    def complete(self, number: int, outcome: TrialResult) -> None:
        """Hear that a trial is complete."""

    def prune(self, number: int, reason: str, seconds: float, waiting: float) -> None:
        """Hear that a trial was pruned, after how many seconds, and how many of them it waited."""

    def overhead(self, seconds: float) -> None:
        """Hear that a place for a trial stood idle for so many seconds, while its process started, or Tune ended."""

    def fail(self, number: int, error: str, seconds: float, waiting: float) -> None:
        """Hear that a trial ended without a result, after how many seconds, and how many of them it waited."""
