"""The status of studies, read from their folders: without Ray, while they run or after a crash."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matopt.buckets.address import shown
from matopt.errors import FailureError, InputError
from matopt.study.config.differences import differences
from matopt.study.config.study import Study
from matopt.study.layout import Layout, read_json, studies
from matopt.study.lease_file import LeaseStatus, lease_status
from matopt.study.records import State, TrialRecord, best
from matopt.study.results import search_settings_key
from matopt.study.search.ledger import read_records
from matopt.study.state import SavedState, read_state
from matopt.study.study_copy import refresh
from matopt.study.tracking.tracker import undelivered


@dataclass(frozen=True)
class StudyStatus:
    """The status of one study.

    Attributes:
        name: the study's.
        folder: its own folder.
        lease: who launches it now, or did when it was last heard of; None where nobody does.
        stage: where it is, or where it was stopped; empty once it is finished, and before it began.
        done, total, message: how far the stage is.
        error: why the last launch was stopped, if it said so.
        launches: how many there were.
        updated: when it last said something, seconds since 1970; 0 where it never did.
        trials: how many of the search's trials are "complete", "pruned", "failed", "running" and "waiting".
        trials_asked: how many are to be complete in the end.
        failures: number and error of the failed trials.
        pruned: number of the pruned trials, and why they were.
        objectives: metric -> direction; the first one picks the best trial.
        best: the best trial so far.
        times: stage -> seconds of ``wall``, ``computing``, ``waiting`` and ``overhead``, over all launches.
        undelivered: tracking events that MLflow does not have, as a sentence; empty where it has all.
        report: the report's page, once there is one.
        damaged: which of its files are damaged, and what follows, a line each.
        changed: what a study file says other than the last launch, a line each.
    """

    name: str
    folder: Path
    lease: LeaseStatus | None
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
    pruned: dict[int, str]
    objectives: dict[str, str]
    best: TrialRecord | None
    times: dict[str, dict[str, float]]
    undelivered: str
    report: Path | None
    damaged: Sequence[str] = ()
    changed: Sequence[str] = ()

    @property
    def is_running(self) -> bool:
        """A process launches it now, here or on another host."""
        return self.lease is not None and self.lease.is_held

    @property
    def is_finished(self) -> bool:
        """The last launch came to its end."""
        return self.launches > 0 and not self.stage and not self.is_running and not self.damaged


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
    damaged: list[str] = []
    _check_known(layout)
    state = _state(layout, damaged)
    search = state.searches.get(search_settings_key(study))
    before = _config(layout, damaged)
    status = _status(layout, state, search, study.objectives, study.config.search.trials, damaged)
    return replace(
        status,
        changed=differences(before, study.as_json) if before is not None else (),
        report=status.report if search == state.search else None,
    )


def study_status(storage: Path, name: str) -> StudyStatus:
    """Read the status of the study ``name`` of a storage folder, as it was launched last.

    Raises:
        InputError: there is no such study.
    """
    layout = Layout(storage.resolve(), name)
    damaged: list[str] = []
    _check_known(layout)
    state = _state(layout, damaged)
    _config(layout, damaged)
    return _status(layout, state, state.search, state.objectives, state.trials, damaged)


def list_studies(storage: Path) -> list[StudyStatus]:
    """Read the status of all studies of a storage folder, by name."""
    return [study_status(storage, name) for name in _names(storage)]


def compare(storage: Path, names: Sequence[str]) -> list[ComparisonRow]:
    """Put studies side by side: what their best trials reached, and in what their configurations differ.

    Raises:
        InputError: there is no such study.
        FailureError: what it was launched with is damaged.
    """
    statuses = [study_status(storage, name) for name in names]
    configs = [read_json(Layout(storage.resolve(), name).config) or {} for name in names]
    return [
        ComparisonRow(
            status,
            status.best.outcome.metrics if status.best is not None and status.best.outcome is not None else {},
            [line for line in differences(configs[0], config) if not line.startswith(("name:", "storage:"))],
        )
        for status, config in zip(statuses, configs, strict=True)
    ]


def _check_known(layout: Layout) -> None:
    refresh(layout)
    if not _was_launched(layout):
        known = ", ".join(_names(layout.storage)) or "none"
        raise InputError(f"no study {layout.name!r} was launched in {shown(layout.storage)}; there are: {known}")


def _state(layout: Layout, damaged: list[str]) -> SavedState:
    """Read the state of a study; an empty one where it cannot be read, which is entered as damage."""
    try:
        return read_state(layout)
    except FailureError as error:
        damaged.append(f"{error}; the next launch sets it aside, and no result is lost")
        return SavedState()


def _config(layout: Layout, damaged: list[str]) -> dict[str, Any] | None:
    """Read what a study was launched with last; None where it cannot be read, which is entered as damage."""
    try:
        config = read_json(layout.config)
        if config is None:
            damaged.append(f"{layout.config} is missing; the next launch writes it anew")
        return config
    except FailureError as error:
        damaged.append(f"{error}; the next launch writes it anew")
        return None


def _records(
    layout: Layout, search: str | None, objectives: Mapping[str, str], damaged: list[str]
) -> list[TrialRecord]:
    """Read the trials of a search; none where they cannot be read, which is entered as damage."""
    if search is None:
        return []
    try:
        records = read_records(layout.journal, search)
    except FailureError as error:
        damaged.append(str(error))
        return []
    for record in records:
        if record.outcome is not None and (lacking := set(objectives) - set(record.outcome.metrics)):
            damaged.append(
                f"{layout.journal} or {layout.state} is damaged: trial {record.number} has no {min(lacking)!r}; move"
                " both away to start the search anew"
            )
            return []
    return records


def _lease(layout: Layout, damaged: list[str]) -> LeaseStatus | None:
    try:
        return lease_status(layout)
    except FailureError as error:
        damaged.append(str(error))
        return None


def _undelivered(layout: Layout, damaged: list[str]) -> str:
    try:
        return ". ".join(str(spool) for spool in undelivered(layout))
    except FailureError as error:
        damaged.append(str(error))
        return ""


def _report(layout: Layout, state: SavedState) -> Path | None:
    try:
        page = layout.folder / state.report[0]
        return page if page.is_file() else None
    except (IndexError, OSError):  # none yet; a name that no disk takes
        return None


def _status(
    layout: Layout,
    state: SavedState,
    search: str | None,
    objectives: Mapping[str, str],
    trials_asked: int,
    damaged: list[str],
) -> StudyStatus:
    """Put together the status of a study with the trials of ``search``, of which there are none before it began."""
    lease = _lease(layout, damaged)
    is_running = lease is not None and lease.is_held
    records = _records(layout, search, objectives, damaged)
    return StudyStatus(
        name=layout.name,
        folder=layout.folder,
        lease=lease,
        stage=state.stage,
        done=state.done,
        total=state.total,
        message=state.message,
        error=state.error,
        launches=state.launches,
        updated=state.updated,
        trials=_counts(records, is_running),
        trials_asked=trials_asked,
        failures=_reasons(records, "failed"),
        pruned=_reasons(records, "pruned"),
        objectives=dict(objectives),
        best=best(records, objectives) if objectives else None,
        times=_times(state, lease),
        undelivered=_undelivered(layout, damaged),
        report=_report(layout, state),
        damaged=tuple(damaged),
    )


def _counts(records: Sequence[TrialRecord], is_running: bool) -> dict[str, int]:
    counts = Counter(record.state for record in records)
    if not is_running:  # nobody runs them; the next launch begins them anew
        counts["waiting"] += counts.pop("running", 0)
    return {kind: counts[kind] for kind in ("complete", "pruned", "failed", "running", "waiting")}


def _reasons(records: Sequence[TrialRecord], state: State) -> dict[int, str]:
    return {record.number: record.error for record in records if record.state == state}


def _names(storage: Path) -> list[str]:
    return [layout.name for layout in studies(storage) if _was_launched(layout)]


def _was_launched(layout: Layout) -> bool:
    """A launch wrote something here, though what it wrote first may be lost."""
    try:
        return any(path.exists() for path in (layout.config, layout.state, layout.journal))
    except (OSError, ValueError):  # a name that no disk takes; a folder that is another user's
        return False


def _times(state: SavedState, lease: LeaseStatus | None) -> dict[str, dict[str, float]]:
    times: dict[str, dict[str, float]] = {stage: dict(seconds) for stage, seconds in state.times.items()}
    if lease is not None and lease.is_held and state.stage in times:
        # Since the launch last said something; here alone, as another host's clock may be hours from this one's.
        here = lease.holder is not None and lease.holder.is_here
        times[state.stage]["wall"] += time.time() - state.updated if here else 0.0
    return times
