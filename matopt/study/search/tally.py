"""The tally of a search: how its trials stand, kept as they change, at a cost that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from matopt.stages.records import TrialResult
from matopt.study.records import State, TrialRecord
from matopt.study.search.attempts import ERROR, REPEATS
from matopt.study.search.rungs import CURVE, SAVED

OUTCOME = "outcome"
"""What a complete trial of the journal found."""

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
"""The states of trials that count as tried: nothing is run in their place."""

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
_RESULT = TypeAdapter(TrialResult)


class Tally:
    """Follows the trials of a search; what has ended is looked at once.

    Attributes:
        n_started: how many points were ever chosen: trials without their repetitions.
        n_ended: how many trials ended, with a result or without.
        n_done: how many of those are complete, or were pruned.
    """

    def __init__(self) -> None:
        self.n_started = self.n_ended = self.n_done = 0
        self._records: list[TrialRecord] = []
        self._repeated: set[int] = set()
        self._open: list[int] = []

    def follow(self, trials: Sequence[FrozenTrial]) -> Tally:
        """Take the trials as they are now, by number; returns itself."""
        begun = range(len(self._records), len(trials))
        repeats = [trials[number].user_attrs.get(REPEATS) for number in begun]
        self.n_started += repeats.count(None)
        self._repeated.update(number for number in repeats if number is not None)
        still_open = []
        for number in [*self._open, *begun]:
            trial = trials[number]
            self._records[number : number + 1] = [_record(trial)]
            self.n_ended += trial.state.is_finished()
            self.n_done += trial.state in DONE
            if not trial.state.is_finished():
                still_open.append(number)
        self._open = still_open
        return self

    @property
    def records(self) -> list[TrialRecord]:
        """The trials in order; of one that was run again, the last run."""
        return [record for record in self._records if record.number not in self._repeated]

    @property
    def open(self) -> Counter[State]:
        """How many trials run, and how many wait."""
        return Counter(self._records[number].state for number in self._open if number not in self._repeated)


def point_of(trial: FrozenTrial) -> dict[str, Any]:
    """The point of a trial, as far as it is chosen, or is to be chosen again."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _record(trial: FrozenTrial) -> TrialRecord:
    outcome = trial.user_attrs.get(OUTCOME) if trial.state is TrialState.COMPLETE else None
    return TrialRecord(
        trial.number,
        _STATES[trial.state],
        point_of(trial),
        None if outcome is None else _RESULT.validate_python(outcome),
        str(trial.user_attrs.get(ERROR, "")),
        trial.user_attrs.get(CURVE, {}),
        float(trial.user_attrs.get(SAVED, 0.0)),
    )
