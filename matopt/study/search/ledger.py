"""The ledger: every trial of a search, on disk, through crashes and extensions.

It is an Optuna study in a journal file. The driver is its only writer; anyone may read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from matopt.errors import FailureError
from matopt.stages.records import TrialResult
from matopt.study.records import TrialRecord
from matopt.study.search.attempts import (
    ERROR,
    KIND,
    REPEATS,
    STOPPED,
    Kind,
    failed_to_repeat,
    may_repeat,
    repeated_in,
)
from matopt.study.search.journal import JournalFile, mend_journal, open_journal, reading
from matopt.study.search.rungs import CURVE, PROGRESS, SAVED, Curve, Rungs
from matopt.study.search.tally import OUTCOME, Tally, point_of

_IDENTITY = "identity"


@dataclass(frozen=True)
class Identity:
    """What a trial's result follows from.

    Attributes:
        key: of its settings, data and code, but for metrics of the user's own.
        metrics: those, by name, with what they follow from.
    """

    key: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class EarlierTrial:
    """A complete trial of another search of the study.

    Attributes:
        params: its point.
        outcome: what it found.
        identity: what that follows from.
        curve: what its training foretold, if the search asked for that.
    """

    params: Mapping[str, Any]
    outcome: TrialResult
    identity: Identity
    curve: Curve


class Ledger:
    """The trials of one search, for the process that runs it.

    Args:
        journal: the journal file, of all searches of a study.
        key: the search's name; another space, dataset or code has another key, and trials of its own.
        objectives: metric -> "maximize" or "minimize".
        check: raises where this process may not write to the journal any more.

    Raises:
        FailureError: the journal cannot be read.
    """

    def __init__(
        self, journal: Path, key: str, objectives: Mapping[str, str], check: Callable[[], None] = lambda: None
    ) -> None:
        check()
        file = JournalFile(journal, check)
        file.pull()
        mend_journal(journal)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        directions: list[Any] = list(objectives.values())
        self.objectives = dict(objectives)
        self.key = key
        self.together = file.together
        self._tally = Tally()
        with reading(journal):
            self.storage = JournalStorage(file)
            self._study = optuna.create_study(
                storage=self.storage, study_name=key, directions=directions, load_if_exists=True
            )
            self.records()  # as a whole, before anything builds on it

    def recover(self, least: int = 1) -> int:
        """Queue again, with their points, the trials that a killed launch left running.

        Failed trials are queued too where fewer than ``least`` are complete: whoever launches such a search again hopes
        that what failed it is gone. To be called before a search starts, when no trial can be running. Returns how many
        were queued.
        """
        trials = self._study.get_trials(deepcopy=False)
        repeated, hopeful = repeated_in(trials), failed_to_repeat(trials, least)
        queued = 0
        for trial in trials:
            if trial.state is TrialState.RUNNING:  # the queueing before the rest: a crash in between loses no point
                self.storage.set_trial_user_attr(trial._trial_id, KIND, "stopped")
                queued += trial.number not in repeated and self.again(trial.number)
                self.fail(trial.number, STOPPED, "stopped")
            elif trial.number in hopeful:
                queued += self.again(trial.number)
        return queued

    def again(self, number: int) -> bool:
        """Queue a trial again, with its point, unless that was tried often enough; says whether it was queued."""
        trials = self._study.get_trials(deepcopy=False)
        if not may_repeat(trials, number):
            return False
        self._study.enqueue_trial(point_of(trials[number]), user_attrs={REPEATS: number})
        return True

    def records(self) -> list[TrialRecord]:
        """List the trials in order; of one that was run again, the last run."""
        return self._tallied().records

    def left(self, total: int, most: int) -> tuple[int, int]:
        """Count the trials that run, and those that may still begin, until ``total`` are complete or pruned.

        Args:
            total: how many are to be either in the end.
            most: at how many points, those of failed trials too.
        """
        tally = self._tallied()
        running, waiting = tally.open["running"], tally.open["waiting"]
        room = waiting + max(0, most - tally.n_started)
        return running, max(0, min(total - tally.n_done - running, room))

    def unfinished(self, total: int, most: int, least: int = 1) -> bool:
        """Whether a launch has trials to run: those that :meth:`left` counts, or that :meth:`recover` would queue."""
        if self._tallied().n_done >= total:
            return False
        if sum(self.left(total, most)):
            return True
        trials = self._study.get_trials(deepcopy=False)
        return any(may_repeat(trials, number) for number in failed_to_repeat(trials, least))

    @property
    def n_started(self) -> int:
        """How many points were ever chosen: trials without their repetitions."""
        return self._tallied().n_started

    @property
    def n_ended(self) -> int:
        """How many trials ended, with a result or without."""
        return self._tallied().n_ended

    def ask(self, sampler: Callable[[int], optuna.samplers.BaseSampler]) -> optuna.trial.Trial:
        """Begin the next trial: one that waits to be run again, at its point, else a fresh one.

        A fresh point follows from what is complete and from how many points were fresh before, not from how often the
        search was interrupted: one trial at a time, an interrupted search goes the way of an undisturbed one. (Optuna's
        grid and cmaes go by the trials' numbers as well: the first takes its points in another order, the other draws
        others.)

        Args:
            sampler: makes the sampler of a fresh point, given how many were chosen before it.
        """
        tally = self._tallied()
        filling_in = optuna.samplers.RandomSampler(0)  # what a crash kept from being chosen
        chosen_by = filling_in if tally.open["waiting"] else sampler(tally.n_started)
        # A study of its own, as samplers that have gone through a space would stop the one that trials are told to.
        return optuna.load_study(study_name=self.key, storage=self.storage, sampler=chosen_by).ask()

    def complete(self, number: int, outcome: TrialResult, curve: Curve | None = None) -> None:
        """Enter what a trial found, and what its training foretold.

        Raises:
            FailureError: an objective is missing, or not finite.
        """
        values = [outcome.metrics.get(name, math.nan) for name in self.objectives]
        for name, value in zip(self.objectives, values, strict=True):
            if not math.isfinite(value):
                raise FailureError(f"trial {number}: objective {name!r} is {value}, not a finite number")
        with self.together():
            if curve:
                self.storage.set_trial_user_attr(self._id(number), CURVE, curve)
            self.storage.set_trial_user_attr(self._id(number), OUTCOME, asdict(outcome))
            self._study.tell(number, values)

    def judge(self, number: int, curve: Curve, rungs: Rungs) -> str:
        """Enter what a trial's training foretells so far; says why the trial is to be pruned, empty where it goes on.

        Failed trials are no rivals: those that were interrupted are run again, and would count twice.
        """
        records = self._tallied().records
        before = next(rungs.passed(record.curve) for record in records if record.number == number)
        self.storage.set_trial_user_attr(self._id(number), CURVE, curve)
        rivals = (record.curve for record in records if record.number != number and record.state != "failed")
        return rungs.verdict(curve, before, rivals)

    def prune(self, number: int, reason: str, saved: float) -> None:
        """Enter that a trial was pruned, and why; samplers learn from it.

        Optuna keeps what was foretold as values of the trial where there is one objective, and allows of no such values
        where there are several.
        """
        trial_id = self._id(number)
        with self.together():
            if len(self.objectives) == 1:
                curve = self.storage.get_trial(trial_id).user_attrs[CURVE]
                for share, value in zip(curve[PROGRESS], curve[next(iter(self.objectives))], strict=True):
                    self.storage.set_trial_intermediate_value(trial_id, round(100 * share), value)
            for name, value in {ERROR: reason, SAVED: saved}.items():
                self.storage.set_trial_user_attr(trial_id, name, value)
            self._study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, error: str, kind: Kind = "failed") -> None:
        """Enter why a trial has no result."""
        with self.together():
            self.storage.set_trial_user_attr(self._id(number), ERROR, " ".join(error.split()))
            self.storage.set_trial_user_attr(self._id(number), KIND, kind)
            self._study.tell(number, state=TrialState.FAIL)

    def identify(self, number: int, identity: Identity) -> None:
        """Enter what a trial's result will follow from."""
        self.storage.set_trial_user_attr(self._id(number), _IDENTITY, asdict(identity))

    def elsewhere(self) -> Iterator[EarlierTrial]:
        """Go through the complete trials of the study's other searches, those of the latest first."""
        for study in reversed(self.storage.get_all_studies()):
            if study.study_name == self.key:
                continue
            for trial in self.storage.get_all_trials(study._study_id, deepcopy=False):
                if trial.state is TrialState.COMPLETE and {_IDENTITY, OUTCOME} <= trial.user_attrs.keys():
                    identity, outcome = Identity(**trial.user_attrs[_IDENTITY]), trial.user_attrs[OUTCOME]
                    curve = trial.user_attrs.get(CURVE, {})
                    yield EarlierTrial(trial.params, TrialResult(**outcome), identity, curve)

    def adopt(
        self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution], earlier: EarlierTrial
    ) -> bool:
        """Enter an earlier trial as a complete one of this search, if it has all objectives; says whether it has."""
        values = [earlier.outcome.metrics.get(name, math.nan) for name in self.objectives]
        if not all(map(math.isfinite, values)):
            return False
        attributes = {OUTCOME: asdict(earlier.outcome), _IDENTITY: asdict(earlier.identity), CURVE: earlier.curve}
        self._study.add_trial(
            optuna.create_trial(
                params=dict(params), distributions=dict(distributions), values=values, user_attrs=attributes
            )
        )
        return True

    def _tallied(self) -> Tally:
        return self._tally.follow(self._study.get_trials(deepcopy=False))

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
        return Tally().follow(optuna.load_study(storage=storage, study_name=key).get_trials(deepcopy=False)).records
