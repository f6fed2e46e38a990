"""The engine of a search: Ray Tune, told by the ledger which trials are left, and watched for those that hang.

Tune hands on what a trial reports, and that its process died. It ends itself, with all its trials, by anything else: by
Ray's `OutOfMemoryError`, of all things, when the memory monitor kills a trial. So an engine may end at any time; what
its trials were doing is entered, and another engine runs what is left.
"""

from __future__ import annotations

import json
import logging
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import cloudpickle, tune
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from matopt.errors import FailureError, InputError
from matopt.stages.records import TrialResult
from matopt.study.cluster.deaths import killed_for_memory, read_last_words, reason_of
from matopt.study.search.attempts import Kind
from matopt.study.search.ledger import Ledger
from matopt.study.search.life import Vigil, vital_file
from matopt.study.search.plan import SearchCallback, SearchPlan
from matopt.study.search.pruning import PruningScheduler
from matopt.study.search.rungs import CURVE, SAVED
from matopt.study.search.slots import Slots
from matopt.study.search.trials import ERROR, OUTCOME, SECONDS, WAITING, TrialContext, trial
from matopt.training.report import no_report

_LOOK_SECONDS = 1.0
_LEAST_START_SECONDS = 300.0  # a busy machine imports for a minute


class Engine:
    """Runs the trials that a ledger lacks.

    Args:
        plan: of the search.
        ledger: of the search.
        context: what the trials share.
        callback: hears of the trials.
    """

    def __init__(self, plan: SearchPlan, ledger: Ledger, context: TrialContext, callback: SearchCallback) -> None:
        self._plan = plan
        self._context = context
        self._search = _LedgerSearch(plan, ledger, callback)
        self._scheduler = None if context.rungs is None else PruningScheduler(ledger, context.rungs)
        self._log = _Log(plan, ledger, context, callback, self._scheduler.reasons if self._scheduler else {})

    def run(self) -> None:
        """Run until no trial is left, or the engine ends for another reason.

        Raises:
            FailureError: Ray itself is gone, or no node has room for a trial.
        """
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what happens to trials is told by the callback
        shutil.rmtree(self._plan.scratch, ignore_errors=True)
        try:
            tune.Tuner(
                tune.with_resources(tune.with_parameters(trial, context=self._context), self._plan.resources),
                tune_config=tune.TuneConfig(
                    search_alg=self._search,
                    scheduler=self._scheduler,
                    num_samples=-1,  # as many as the search says
                    max_concurrent_trials=self._plan.concurrent,  # more would be chosen blindly, long before they run
                    reuse_actors=True,
                ),
                run_config=tune.RunConfig(
                    name="trials", storage_path=str(self._plan.scratch), callbacks=[self._log], verbose=0
                ),
            ).fit()
        except _Ended as end:
            raise FailureError(str(end)) from None
        except Exception as error:
            try:
                self._log.engine_ended(error)
            except OSError as trouble:  # the ledger's, which ended the engine too, most likely
                raise FailureError(f"the trials cannot be entered: {trouble}") from error
        finally:
            self._log.close()
            shutil.rmtree(self._plan.scratch, ignore_errors=True)


class _Ended(BaseException):
    """The search cannot go on; no `Exception`, for which Tune would ask actors to stop that may be out of reach."""


class _LedgerSearch(OptunaSearch):
    """OptunaSearch whose trials are the ledger's; what came of them is entered by :class:`_Log`."""

    def __init__(self, plan: SearchPlan, ledger: Ledger, callback: SearchCallback) -> None:
        modes = {"maximize": "max", "minimize": "min"}
        super().__init__(
            space=lambda trial: {},  # not asked: :meth:`suggest` is
            metric=list(ledger.objectives),
            mode=[modes[direction] for direction in ledger.objectives.values()],
            study_name=ledger.key,
            storage=ledger.storage,
        )
        self._plan = plan
        self._ledger = ledger
        self._callback = callback

    def suggest(self, trial_id: str) -> Any:
        running, left = self._ledger.left(self._plan.total, self._plan.most)
        if not left:
            return None if running else Searcher.FINISHED  # one that runs may yet fail, and be replaced
        with warnings.catch_warnings(), self._ledger.together():
            # That an interface may change, which its user cannot act on.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            chosen = self._ledger.ask(self._plan.sampler)
            try:
                point = self._plan.point(chosen)
            except InputError as error:  # settings that exclude each other: this trial fails, the search goes on
                return {"number": chosen.number, "settings": error, "report": no_report}
            if point.identity is not None:
                self._ledger.identify(chosen.number, point.identity)
        report = self._callback.begin(chosen.number, point.params)
        return {"number": chosen.number, "settings": point.settings, "report": report}

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        pass

    def save(self, checkpoint_path: str) -> None:
        pass  # the ledger is on disk

    def __getstate__(self) -> dict[str, Any]:
        return {}  # nor does what Tune writes to restore from need it


class _Log(tune.Callback):
    """Enters what came of the trials, ends those that hang, and keeps this process's answer to SIGUSR1."""

    def __init__(
        self,
        plan: SearchPlan,
        ledger: Ledger,
        context: TrialContext,
        callback: SearchCallback,
        pruned: Mapping[int, str],
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._callback = callback
        self._pruned = pruned
        self._folder = context.vital
        self._vigil = Vigil(context.vital, context.silence, plan.trial_seconds)
        self._silence = context.silence
        self._slots = Slots(plan.concurrent)
        self._running: dict[int, Any] = {}
        self._given_up: dict[int, str] = {}
        self._looked = self._busy = time.monotonic()
        self._warned = signal.getsignal(signal.SIGUSR1)

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def setup(self, *arguments: Any, **info: Any) -> None:
        # Tune has just set its own, which ends Tune alone: another engine would begin, and the time be up.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGUSR1, self._warned)

    def on_trial_start(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        number = trial.config["number"]
        self._slots.begin(number)
        self._running[number] = trial.temporary_state.ray_actor
        self._vigil.begin(number)

    def on_trial_complete(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        number, result = trial.config["number"], trial.last_result
        seconds = self._end(number)
        if OUTCOME in result:
            outcome = TrialResult(**result[OUTCOME])
            self._callback.overhead(self._slots.end(number, outcome.seconds))
            try:
                self._ledger.complete(number, outcome, json.loads(result.get(CURVE, "{}")))
            except FailureError as error:
                self._fail(number, str(error), "failed", outcome.seconds, outcome.waiting)
            else:
                self._callback.complete(number, outcome)
        elif number in self._pruned:
            self._callback.overhead(self._slots.end(number, result[SECONDS]))
            self._ledger.prune(number, self._pruned[number], result[SAVED])
            self._callback.prune(number, self._pruned[number], result[SECONDS], result[WAITING])
        else:
            error, seconds = result.get(ERROR, "it ended without a result"), result.get(SECONDS, seconds)
            self._callback.overhead(self._slots.end(number, seconds))
            self._fail(number, error, "failed", seconds, result.get(WAITING, 0.0))

    def on_trial_error(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        self._lose(trial.config["number"], _error_of(trial))

    def on_step_end(self, iteration: int, trials: Sequence[Any], **info: Any) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        try:
            self._plan.check()
        except FailureError as error:
            raise _Ended(str(error)) from error
        for number in self._running.keys() - self._given_up.keys():
            if reason := self._vigil.verdict(number):
                self._given_up[number] = reason
                ray.kill(self._running[number])
        if self._running:
            self._busy = now
        elif now - self._busy > (patience := max(self._silence, _LEAST_START_SECONDS)):
            needs = " and ".join(f"{amount:g} {what.upper()}s" for what, amount in self._plan.resources.items())
            raise _Ended(
                f"no trial could begin for {patience:g} s: each asks for {needs}, and no node of the cluster has them"
                " to give; raise resources.timeout, or see whether the nodes still run"
            )

    def close(self) -> None:
        """Hear that the engine has ended."""
        self._callback.overhead(self._slots.close())

    def engine_ended(self, error: Exception) -> None:
        """Enter what became of the trials that ran when the engine ended, and end their processes."""
        killed = killed_for_memory(error)
        for number, actor in list(self._running.items()):
            if killed is None or actor is None or actor._actor_id.hex() in killed:
                self._lose(number, error)
            else:
                self._end(number)
                self._fail(
                    number, "Ray Tune ended with it when another trial was killed for memory", "stopped", again=True
                )
            if actor is not None:
                ray.kill(actor)
        for record in self._ledger.records():
            if record.state == "running":  # chosen, and not begun
                self._fail(record.number, "Ray Tune ended before it began", "stopped", again=True)

    def _lose(self, number: int, error: BaseException) -> None:
        words = read_last_words(vital_file(self._folder, number))
        actor = self._running.get(number)
        name = "" if actor is None else actor._actor_id.hex()
        reason = self._given_up.pop(number, "") or reason_of(error, words, name)
        seconds = self._end(number)
        self._callback.overhead(self._slots.end(number, seconds))
        self._fail(number, reason, "lost", seconds, again=True)

    def _end(self, number: int) -> float:
        self._running.pop(number, None)
        self._busy = time.monotonic()
        return self._vigil.end(number)

    def _fail(
        self, number: int, error: str, kind: Kind, seconds: float = 0.0, waiting: float = 0.0, again: bool = False
    ) -> None:
        self._ledger.fail(number, error, kind)
        if again:
            self._ledger.again(number)
        self._callback.fail(number, error, seconds, waiting)


def _error_of(trial: Any) -> BaseException:
    """What ended a trial, from where Tune keeps it first: a copy is where its own look-up reads some time later."""
    try:
        return cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    except Exception:  # no file, or what does not come back from one
        return RuntimeError("its process is gone")
