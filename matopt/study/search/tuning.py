"""The search: Ray Tune runs the trials, Optuna chooses their points, the ledger keeps them."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from matopt.errors import FailureError, InputError
from matopt.stages.records import TrialResult
from matopt.stages.trial import TrialSettings
from matopt.study.records import TrialRecord, failures
from matopt.study.search.ledger import Ledger
from matopt.study.search.trials import ERROR, OUTCOME, TrialContext, trial
from matopt.training.report import Report, no_report

_REPEATS = 2


@dataclass(frozen=True)
class TrialPoint:
    """A point of the search: what Optuna chose, and the settings that follow."""

    params: dict[str, Any]
    settings: TrialSettings


@dataclass(frozen=True)
class SearchPlan:
    """How many trials a search runs, where it looks, and with what.

    Attributes:
        total: how many trials are to be complete in the end.
        point: chooses a point with the sampler of an Optuna trial.
        sampler: makes the sampler of a fresh point, given how many were chosen before it.
        concurrent: how many trials run at once.
        resources: what each trial asks of Ray: "cpu" and "gpu".
        scratch: where the engine may write; deleted afterwards.
        least: with fewer complete trials in the end the search has failed.
    """

    total: int
    point: Callable[[optuna.trial.BaseTrial], TrialPoint]
    sampler: Callable[[int], optuna.samplers.BaseSampler]
    concurrent: int
    resources: dict[str, float]
    scratch: Path
    least: int = 1


class SearchCallback:
    """Hears of a search's trials; a launch derives its own."""

    def begin(self, number: int, params: dict[str, Any]) -> Report:
        """Hear that a trial begins; returns what is to hear of its trainings, in the trial's own process."""
        return no_report

    def complete(self, number: int, outcome: TrialResult) -> None:
        """Hear that a trial is complete."""

    def fail(self, number: int, error: str) -> None:
        """Hear that a trial failed."""


def search(plan: SearchPlan, ledger: Ledger, context: TrialContext, callback: SearchCallback) -> list[TrialRecord]:
    """Run the trials that are missing; returns all trials of the ledger.

    A trial that raises is entered as failed, and the search goes on. A trial whose process dies is run again.

    Raises:
        FailureError: fewer trials than the plan's least are complete in the end.
    """
    ledger.recover()
    lost = _run(plan, ledger.missing(plan.total), ledger, context, callback)
    for _ in range(_REPEATS):
        for number in lost:
            ledger.enqueue_again(number)
        lost = _run(plan, len(lost), ledger, context, callback)
    records = ledger.records()
    if (complete := sum(record.state == "complete" for record in records)) < plan.least:
        if not complete:
            raise FailureError(f"all {len(records)} trials failed; the last: {records[-1].error}")
        raise FailureError(f"{failures(records)}; search.min_complete asks for {plan.least} complete ones")
    return records


def _run(plan: SearchPlan, count: int, ledger: Ledger, context: TrialContext, callback: SearchCallback) -> list[int]:
    """Run ``count`` trials; returns those whose processes died."""
    if not count:
        return []
    log = _Log(ledger, callback)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what ends a search is raised, in one line
    shutil.rmtree(plan.scratch, ignore_errors=True)
    try:
        tune.Tuner(
            tune.with_resources(tune.with_parameters(trial, context=context), plan.resources),
            tune_config=tune.TuneConfig(
                search_alg=_LedgerSearch(plan.point, ledger, plan.sampler, callback),
                num_samples=count,
                max_concurrent_trials=plan.concurrent,  # more would be chosen blindly, long before they run
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(name="trials", storage_path=str(plan.scratch), callbacks=[log], verbose=0),
        ).fit()
    finally:
        shutil.rmtree(plan.scratch, ignore_errors=True)
    return log.lost


class _LedgerSearch(OptunaSearch):
    """OptunaSearch whose trials are the ledger's; what came of them is entered by :class:`_Log`."""

    def __init__(
        self,
        point: Callable[[Any], TrialPoint],
        ledger: Ledger,
        sampler: Callable[[int], optuna.samplers.BaseSampler],
        callback: SearchCallback,
    ) -> None:
        modes = {"maximize": "max", "minimize": "min"}
        super().__init__(
            space=lambda trial: point(trial).params,
            metric=list(ledger.objectives),
            mode=[modes[direction] for direction in ledger.objectives.values()],
            study_name=ledger.key,
            storage=ledger.storage,
        )
        self._point = point
        self._ledger = ledger
        self._choose = sampler
        self._callback = callback

    def suggest(self, trial_id: str) -> dict[str, Any]:
        with warnings.catch_warnings():  # that an interface may change, which its user cannot act on
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            chosen = self._ledger.ask(self._choose)
        try:
            point = self._point(chosen)
        except InputError as error:  # settings that exclude each other: this trial fails, the search goes on
            return {"number": chosen.number, "settings": error, "report": no_report}
        report = self._callback.begin(chosen.number, point.params)
        return {"number": chosen.number, "settings": point.settings, "report": report}

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        pass

    def save(self, checkpoint_path: str) -> None:
        pass  # the ledger is on disk

    def __getstate__(self) -> dict[str, Any]:
        return {}  # nor does what Tune writes to restore from need it


class _Log(tune.Callback):
    """Enters what came of the trials."""

    def __init__(self, ledger: Ledger, callback: SearchCallback) -> None:
        self._ledger = ledger
        self._callback = callback
        self.lost: list[int] = []

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_complete(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        number, result = trial.config["number"], trial.last_result
        if OUTCOME in result:
            outcome = TrialResult(**result[OUTCOME])
            try:
                self._ledger.complete(number, outcome)
            except FailureError as error:
                self._fail(number, str(error))
            else:
                self._callback.complete(number, outcome)
        else:
            self._fail(number, result.get(ERROR, "it ended without a result"))

    def on_trial_error(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        self.lost.append(trial.config["number"])
        self._fail(trial.config["number"], "its process died (out of memory?)")

    def _fail(self, number: int, error: str) -> None:
        self._ledger.fail(number, error)
        self._callback.fail(number, error)
