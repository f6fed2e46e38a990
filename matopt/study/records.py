"""The records of a study: of its trials, of what MLflow lacks, of a launch. Search, tracking and report share them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from matopt.errors import FailureError
from matopt.properties import Property
from matopt.stages.records import DesignResult, Evaluation, TrialResult
from matopt.study.config.study import Study
from matopt.study.layout import Layout

State = Literal["complete", "pruned", "failed", "running", "waiting"]


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a search.

    Attributes:
        number: counts from 0.
        state: "complete", "pruned" (stopped early), "failed", "running", or "waiting" to be run again.
        params: the point of the search space, dotted name -> value.
        outcome: of a complete trial.
        error: one line that says why a trial failed, or was pruned.
        curve: what its training foretold: "progress", the share of it that was over, and objective -> value there;
            empty where the search prunes no trials.
        saved: seconds that pruning it saved, at least.
    """

    number: int
    state: State
    params: dict[str, Any] = field(default_factory=dict)
    outcome: TrialResult | None = None
    error: str = ""
    curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    saved: float = 0.0


@dataclass(frozen=True)
class Undelivered:
    """What MLflow does not have.

    Attributes:
        folder: the spool of the study.
        waiting: events that the next launch sends.
        refused: events that MLflow will not take; ``refused/events.jsonl`` has them with the reasons.
        trouble: what went wrong last, if the server did not answer.
    """

    folder: Path
    waiting: int
    refused: int
    trouble: str | None = None

    def __bool__(self) -> bool:
        return bool(self.waiting or self.refused)

    def __str__(self) -> str:
        if not self:
            return "MLflow has everything"
        parts = []
        if self.waiting:
            why = f" ({self.trouble})" if self.trouble else ""
            parts.append(f"{self.waiting} events wait in {self.folder}{why}; the next launch of the study sends them")
        if self.refused:
            parts.append(f"MLflow refused {self.refused} events; see {self.folder / 'refused' / 'events.jsonl'}")
        return ". ".join(parts)


@dataclass(frozen=True)
class LaunchResult:
    """What a launch of a study found, or what a finished study had found.

    Attributes:
        study: the study.
        properties: the columns of every table of values.
        trials: every trial of the search.
        best: the trial that evaluation and design took over.
        evaluation: None where the study asks for none.
        design: None where the study asks for none.
        report: the files of the report, its page first.
        undelivered: what MLflow does not have yet.
        page: MLflow's page that compares the trials; None where MLflow did not answer.
        times: stage -> seconds of ``wall``, ``computing``, ``waiting`` and ``overhead``, over all launches.
    """

    study: Study
    properties: tuple[Property, ...]
    trials: list[TrialRecord]
    best: TrialRecord
    evaluation: Evaluation | None
    design: DesignResult | None
    report: list[Path] = field(default_factory=list)
    undelivered: Undelivered | None = None
    page: str | None = None
    times: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """Where the study rests on disk."""
        return Layout.of(self.study)


def failures(records: Sequence[TrialRecord]) -> str:
    """Say how many trials failed, and why, the commonest reason first; empty where none did."""
    reasons = Counter(record.error for record in records if record.state == "failed")
    if not reasons:
        return ""
    why = "; ".join(f"{count} times: {reason}" if count > 1 else reason for reason, count in reasons.most_common(3))
    more = f"; and {len(reasons) - 3} other reasons" if len(reasons) > 3 else ""
    return f"{reasons.total()} of {len(records)} trials failed ({why}{more})"


def prunings(records: Sequence[TrialRecord]) -> str:
    """Say how many trials were pruned, and the time that it saved; empty where none was."""
    pruned = [record for record in records if record.state == "pruned"]
    if not pruned:
        return ""
    saved = sum(record.saved for record in pruned)
    return f"{len(pruned)} of {len(records)} trials were pruned, which saved {saved:.0f} s of training"


def check_complete(records: Sequence[TrialRecord], least: int) -> None:
    """Check that enough trials of a search that is over are complete.

    Raises:
        FailureError: fewer than ``least`` are.
    """
    complete = sum(record.state == "complete" for record in records)
    if complete < least:
        raise FailureError(
            f"{failures(records)}; search.min_complete asks for {least} complete ones, and there are {complete}; mend"
            " what fails them, or raise search.replacements for other points, and launch again"
        )


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
