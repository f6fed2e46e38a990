"""The scheduler of Ray Tune that stops a trial where the ledger says so."""

from __future__ import annotations

import json
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from matopt.study.search.ledger import Ledger
from matopt.study.search.rungs import CURVE, SAVED, Rungs


class PruningScheduler(FIFOScheduler):
    """Has Ray Tune stop trials between two reports of their trainings; their processes go on to other trials.

    Args:
        ledger: of the search, which has the curves of all trials.
        rungs: where trials are judged.

    Attributes:
        reasons: number of a trial that was pruned -> why.
    """

    def __init__(self, ledger: Ledger, rungs: Rungs) -> None:
        super().__init__()
        self.reasons: dict[int, str] = {}
        self._ledger, self._rungs = ledger, rungs

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Judge a trial that tells its curve, at a rung."""
        if SAVED not in result:  # its end
            return TrialScheduler.CONTINUE
        number = trial.config["number"]
        reason = self._ledger.judge(number, json.loads(result[CURVE]), self._rungs)
        if not reason:
            return TrialScheduler.CONTINUE
        self.reasons[number] = reason
        return TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        return {}  # the ledger is on disk
