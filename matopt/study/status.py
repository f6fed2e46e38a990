"""The status of studies, read from their folders: without Ray, while they run or after a crash."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matopt.errors import InputError
from matopt.study.config.differences import differences
from matopt.study.config.study import Study
from matopt.study.layout import Layout, read_json, studies
from matopt.study.lock import lock_owner
from matopt.study.records import TrialRecord, best
from matopt.study.results import search_settings_key
from matopt.study.search.ledger import read_records
from matopt.study.tracking.tracker import undelivered


@dataclass(frozen=True)
class StudyStatus:
    """The status of one study.

    Attributes:
        name: the study's.
        folder: its own folder.
        is_running: a process on this host launches it now.
        stage: where it is, or where it was stopped; empty once it is finished, and before it began.
        done, total, message: how far the stage is.
        error: why the last launch was stopped, if it said so.
        launches: how many there were.
        updated: when it last said something, seconds since 1970; 0 where it never did.
        trials: how many of the search's trials are "complete", "failed", "running" and "waiting".
        trials_asked: how many are to be complete in the end.
        failures: number and error of the failed trials.
        objectives: metric -> direction; the first one picks the best trial.
        best: the best trial so far.
        times: stage -> seconds of ``wall``, ``computing``, ``waiting`` and ``overhead``, over all launches.
        undelivered: tracking events that MLflow does not have, as a sentence; empty where it has all.
        report: the report's page, once there is one.
        changed: what a study file says other than the last launch, a line each.
    """

    name: str
    folder: Path
    is_running: bool
    stage: str
    done: int
    total: int
    message: str
    error: str
    launches: int
    updated: float
    trials: dict[str, int]
    trials_asked: int
    failures: dict[int, str]
    objectives: dict[str, str]
    best: TrialRecord | None
    times: dict[str, dict[str, float]]
    undelivered: str
    report: Path | None
    changed: Sequence[str] = ()

    @property
    def is_finished(self) -> bool:
        """The last launch came to its end."""
        return self.launches > 0 and not self.stage and not self.is_running


@dataclass(frozen=True)
class ComparisonRow:
    """One study in a comparison.

    Attributes:
        status: how it stands.
        metrics: of its best trial.
        differences: what its configuration has other than the first study's, a line each.
    """

    status: StudyStatus
    metrics: dict[str, float]
    differences: list[str]


def status_of(study: Study) -> StudyStatus:
    """Read the status of a study as its file is now: the trials are those of its own search.

    Another file may have the same name and have been launched since; what differs is listed.

    Raises:
        InputError: nothing of this name was launched.
    """
    layout = Layout.of(study)
    state = _state_of(layout)
    search = state.get("searches", {}).get(search_settings_key(study))
    status = _status(layout, state, search, study.objectives, study.config.search.trials)
    return replace(
        status,
        changed=differences(read_json(layout.config), study.as_json),
        report=status.report if search == state.get("search") else None,
    )


def study_status(storage: Path, name: str) -> StudyStatus:
    """Read the status of the study ``name`` of a storage folder, as it was launched last.

    Raises:
        InputError: there is no such study.
    """
    layout = Layout(storage.resolve(), name)
    state = _state_of(layout)
    return _status(layout, state, state.get("search"), state.get("objectives", {}), state.get("trials", 0))


def list_studies(storage: Path) -> list[StudyStatus]:
    """Read the status of all studies of a storage folder, by name."""
    return [study_status(storage, name) for name in _names(storage)]


def compare(storage: Path, names: Sequence[str]) -> list[ComparisonRow]:
    """Put studies side by side: what their best trials reached, and in what their configurations differ.

    Raises:
        InputError: there is no such study.
    """
    statuses = [study_status(storage, name) for name in names]
    configs: list[dict[str, Any]] = [read_json(Layout(storage.resolve(), name).config) for name in names]
    return [
        ComparisonRow(
            status,
            status.best.outcome.metrics if status.best is not None and status.best.outcome is not None else {},
            [line for line in differences(configs[0], config) if not line.startswith(("name:", "storage:"))],
        )
        for status, config in zip(statuses, configs, strict=True)
    ]


def _state_of(layout: Layout) -> dict[str, Any]:
    if not layout.config.is_file():
        known = ", ".join(_names(layout.storage)) or "none"
        raise InputError(f"no study {layout.name!r} was launched in {layout.storage}; there are: {known}")
    return read_json(layout.state) or {}


def _status(
    layout: Layout, state: dict[str, Any], search: str | None, objectives: dict[str, str], trials_asked: int
) -> StudyStatus:
    """Put together the status of a study with the trials of ``search``, of which there are none before it began."""
    is_running = lock_owner(layout) is not None
    records = read_records(layout.journal, search) if search is not None else []
    left = [str(spool) for spool in undelivered(layout)]
    report = layout.folder / state["report"][0] if state.get("report") else None
    return StudyStatus(
        name=layout.name,
        folder=layout.folder,
        is_running=is_running,
        stage=state.get("stage", ""),
        done=state.get("done", 0),
        total=state.get("total", 0),
        message=state.get("message", ""),
        error=state.get("error", ""),
        launches=state.get("launches", 0),
        updated=state.get("updated", 0.0),
        trials=_counts(records, is_running),
        trials_asked=trials_asked,
        failures=_failures(records),
        objectives=objectives,
        best=best(records, objectives) if objectives else None,
        times=_times(state, is_running),
        undelivered=". ".join(left),
        report=report if report is not None and report.is_file() else None,
    )


def _counts(records: Sequence[TrialRecord], is_running: bool) -> dict[str, int]:
    counts = Counter(record.state for record in records)
    if not is_running:  # nobody runs them; the next launch begins them anew
        counts["waiting"] += counts.pop("running", 0)
    return {kind: counts[kind] for kind in ("complete", "failed", "running", "waiting")}


def _failures(records: Sequence[TrialRecord]) -> dict[int, str]:
    return {record.number: record.error for record in records if record.state == "failed"}


def _names(storage: Path) -> list[str]:
    return [layout.name for layout in studies(storage) if layout.config.is_file()]


def _times(state: dict[str, Any], is_running: bool) -> dict[str, dict[str, float]]:
    times = {stage: dict(seconds) for stage, seconds in state.get("times", {}).items()}
    if is_running and state.get("stage") in times:
        times[state["stage"]]["wall"] += time.time() - state["updated"]  # since the launch last said something
    return times
