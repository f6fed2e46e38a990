"""Attempts at a point of a search: which trials are repetitions, how each ended, and when a point is given up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from optuna.trial import FrozenTrial, TrialState

REPEATS, KIND, ERROR = "repeats", "kind", "error"
"""What a trial of the journal says of itself: which one it repeats, how it ended without a result, and why."""

STOPPED = "the launch that ran it was stopped"

Kind = Literal["failed", "lost", "stopped"]
"""How an attempt at a point ended without a result: by an error of its own, with its process, or with the launch."""

_ATTEMPTS: dict[Kind, int] = {"failed": 3, "lost": 3, "stopped": 10}
"""So many ends of a kind, over all launches, give up a point: one that takes all with it would end every launch."""


def repeated_in(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the trials that were run, or queued, again."""
    return {trial.user_attrs[REPEATS] for trial in trials if REPEATS in trial.user_attrs}


def failed_to_repeat(trials: Sequence[FrozenTrial], least: int) -> set[int]:
    """The numbers of the failed trials that a launch repeats: where fewer than ``least`` are complete, of any kind."""
    repeated = repeated_in(trials)
    is_short = sum(trial.state is TrialState.COMPLETE for trial in trials) < least
    failed = (trial for trial in trials if trial.state is TrialState.FAIL and trial.number not in repeated)
    return {trial.number for trial in failed if is_short or _kind(trial) != "failed"}


def may_repeat(trials: Sequence[FrozenTrial], number: int) -> bool:
    """Whether the point of a trial was not yet tried often enough."""
    kind = _kind(trials[number])
    return sum(_kind(attempt) == kind for attempt in _attempts(trials, number)) < _ATTEMPTS[kind]


def _kind(trial: FrozenTrial) -> Kind:
    """How an attempt ended; journals of earlier versions have the reason alone."""
    return trial.user_attrs.get(KIND, "stopped" if trial.user_attrs.get(ERROR) == STOPPED else "failed")


def _attempts(trials: Sequence[FrozenTrial], number: int) -> Iterator[FrozenTrial]:
    """Go through the attempts at the point of a trial, the last one first."""
    before: int | None = number
    while before is not None:
        yield trials[before]
        before = trials[before].user_attrs.get(REPEATS)
