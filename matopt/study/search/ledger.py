"""The ledger: every trial of a search, on disk, through crashes and extensions.

It is an Optuna study in a journal file. The driver is its only writer; anyone may read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from matopt.errors import FailureError
from matopt.stages.records import TrialResult
from matopt.study.records import State, TrialRecord
from matopt.study.search.journal import mend_journal, open_journal, reading

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
_REPEATS = "repeats"
_OUTCOME = "outcome"
_ERROR = "error"
_RESULT = TypeAdapter(TrialResult)


class Ledger:
    """The trials of one search, for the process that runs it.

    Args:
        journal: the journal file, of all searches of a study.
        key: the search's name; another space, dataset or code has another key, and starts anew.
        objectives: metric -> "maximize" or "minimize".
        check: raises where this process may not write to the journal any more.

    Raises:
        FailureError: the journal cannot be read.
    """

    def __init__(
        self, journal: Path, key: str, objectives: Mapping[str, str], check: Callable[[], None] = lambda: None
    ) -> None:
        check()
        mend_journal(journal)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        directions: list[Any] = list(objectives.values())
        self.objectives = dict(objectives)
        self.key = key
        with reading(journal):
            self.storage = open_journal(journal, check)
            self._study = optuna.create_study(
                storage=self.storage, study_name=key, directions=directions, load_if_exists=True
            )
            self.records()  # as a whole, before anything builds on it

    def recover(self) -> int:
        """Queue again, with their points, the trials that a killed launch left running and those that failed.

        To be called before a search starts, when no trial can be running. Returns how many were queued.
        """
        trials = self._study.get_trials(deepcopy=False)
        repeated = _repeated(trials)
        queued = 0
        for trial in trials:
            if trial.state in (TrialState.RUNNING, TrialState.FAIL) and trial.number not in repeated:
                self.enqueue_again(trial.number)
                queued += 1
            if trial.state is TrialState.RUNNING:  # after the queueing: a crash in between loses no point
                self.fail(trial.number, "the launch that ran it was stopped")
        return queued

    def enqueue_again(self, number: int) -> None:
        """Queue a trial again, with its point."""
        params = self.storage.get_trial(self._id(number)).params
        self._study.enqueue_trial(params, user_attrs={_REPEATS: number})

    def records(self) -> list[TrialRecord]:
        """List the trials in order; of one that was run again, the last run."""
        return _records(self._study.get_trials(deepcopy=False))

    def missing(self, total: int) -> int:
        """Count the trials that are to be run for ``total`` of them to be complete."""
        return max(0, total - sum(record.state == "complete" for record in self.records()))

    @property
    def n_started(self) -> int:
        """How many points were ever chosen: trials without their repetitions."""
        return sum(_REPEATS not in trial.user_attrs for trial in self._study.get_trials(deepcopy=False))

    def ask(self, sampler: Callable[[int], optuna.samplers.BaseSampler]) -> optuna.trial.Trial:
        """Begin the next trial: one that waits to be run again, at its point, else a fresh one.

        A fresh point follows from what is complete and from how many points were fresh before, not from how often the
        search was interrupted: one trial at a time, an interrupted search goes the way of an undisturbed one. (Optuna's
        grid and cmaes go by the trials' numbers as well: the first takes its points in another order, the other draws
        others.)

        Args:
            sampler: makes the sampler of a fresh point, given how many were chosen before it.
        """
        trials = self._study.get_trials(deepcopy=False)
        if any(trial.state is TrialState.WAITING for trial in trials):
            chosen_by = optuna.samplers.RandomSampler(0)  # fills in what a crash kept from being chosen
        else:
            chosen_by = sampler(self.n_started)
        # A study of its own, as samplers that have gone through a space would stop the one that trials are told to.
        return optuna.load_study(study_name=self.key, storage=self.storage, sampler=chosen_by).ask()

    def complete(self, number: int, outcome: TrialResult) -> None:
        """Enter what a trial found.

        Raises:
            FailureError: an objective is missing, or not finite.
        """
        values = [outcome.metrics.get(name, math.nan) for name in self.objectives]
        for name, value in zip(self.objectives, values, strict=True):
            if not math.isfinite(value):
                raise FailureError(f"trial {number}: objective {name!r} is {value}, not a finite number")
        self.storage.set_trial_user_attr(self._id(number), _OUTCOME, asdict(outcome))
        self._study.tell(number, values)

    def fail(self, number: int, error: str) -> None:
        """Enter why a trial failed."""
        self.storage.set_trial_user_attr(self._id(number), _ERROR, " ".join(error.split()))
        self._study.tell(number, state=TrialState.FAIL)

    def _id(self, number: int) -> int:
        study_id = self.storage.get_study_id_from_name(self.key)
        return self.storage.get_trial_id_from_study_id_trial_number(study_id, number)


def read_records(journal: Path, key: str) -> list[TrialRecord]:
    """Read the trials of a search, from beside the process that runs it; none where it has not begun."""
    if not journal.is_file():
        return []
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with reading(journal):
        storage = open_journal(journal)
        if key not in {study.study_name for study in storage.get_all_studies()}:
            return []
        return _records(optuna.load_study(storage=storage, study_name=key).get_trials(deepcopy=False))


def _records(trials: Sequence[FrozenTrial]) -> list[TrialRecord]:
    repeated = _repeated(trials)
    return [_record(trial) for trial in trials if trial.number not in repeated]


def _record(trial: FrozenTrial) -> TrialRecord:
    outcome = trial.user_attrs.get(_OUTCOME) if trial.state is TrialState.COMPLETE else None
    params = trial.params or trial.system_attrs.get("fixed_params", {})
    return TrialRecord(
        trial.number,
        _STATES[trial.state],
        dict(params),
        None if outcome is None else _RESULT.validate_python(outcome),
        str(trial.user_attrs.get(_ERROR, "")),
    )


def _repeated(trials: Sequence[FrozenTrial]) -> set[int]:
    return {trial.user_attrs[_REPEATS] for trial in trials if _REPEATS in trial.user_attrs}
