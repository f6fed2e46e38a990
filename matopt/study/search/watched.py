"""The watch over a trial's trainings, in its own process: what they foretell, told at the rungs to who may stop it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ray import tune

from matopt.study.search.rungs import CURVE, PROGRESS, SAVED, Rungs
from matopt.training.report import Report

_TRAINING = "predictor/"


class Watched:
    """A report that tells Ray Tune the curve of a trial at each rung, and waits there for its word.

    Args:
        report: hears of the trainings too.
        rungs: where Tune is told; None for nowhere.
        spent: what it is told besides.

    Attributes:
        is_pruned: whether Ray Tune stopped the trial.
    """

    def __init__(self, report: Report, rungs: Rungs | None, spent: Callable[[], dict[str, float]]) -> None:
        self.is_pruned = False
        self._report, self._rungs, self._spent = report, rungs, spent
        self._curve: dict[str, list[float]] = {name: [] for name in (PROGRESS, *(rungs.objectives if rungs else ()))}
        self._times: list[float] = []

    def __call__(self, step: int, /, **scalars: float) -> bool:
        """Report a step; True where the trial is to stop."""
        if self._report(step, **scalars):
            return True
        if self._rungs is not None and not self.is_pruned:
            self._watch(self._rungs, scalars)
        return self.is_pruned

    @property
    def curve(self) -> dict[str, Any]:
        """The curve so far, as Tune is told it."""
        return {CURVE: json.dumps(self._curve)} if self._rungs is not None else {}

    def _watch(self, rungs: Rungs, scalars: dict[str, float]) -> None:
        names = {PROGRESS: PROGRESS, **{name: f"validation_{name}" for name in rungs.objectives}}
        found = {name: scalars[_TRAINING + told] for name, told in names.items() if _TRAINING + told in scalars}
        if len(found) < len(names) or found[PROGRESS] <= max(self._curve[PROGRESS], default=0.0):
            return  # another training, or one of an ensemble's further members
        before = rungs.passed(self._curve)
        for name, value in found.items():
            self._curve[name].append(float(value))
        self._times.append(time.perf_counter())
        if rungs.passed(self._curve) == before:
            return
        try:
            tune.report({**self.curve, SAVED: self._left(), **self._spent()})
        except SystemExit:  # Tune's way to say so
            self.is_pruned = True

    def _left(self) -> float:
        """Seconds that the rest of the training would take, at its pace so far; 0 where that is not known yet."""
        shares = self._curve[PROGRESS]
        if len(shares) < 2:
            return 0.0
        return (1 - shares[-1]) * (self._times[-1] - self._times[0]) / (shares[-1] - shares[0])
