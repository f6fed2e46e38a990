"""A launch: the stages of a study, one after the other, each only as far as it was not done before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from matopt.buckets.bucket import patient
from matopt.buckets.copies import is_copy, keep
from matopt.damaged import DamagedError
from matopt.data.labels.store import LabelStore
from matopt.data.sources.base import SOURCES
from matopt.devices import device_named
from matopt.errors import FailureError, InputError, warn
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.data import Dataset, prepare
from matopt.stages.dataset import SavedDataset
from matopt.stages.design import design, design_key
from matopt.stages.evaluation import evaluate, evaluation_key
from matopt.stages.models import ModelContext
from matopt.stages.records import DesignResult, Evaluation
from matopt.study.cluster.ray_cluster import Cluster
from matopt.study.cluster.workers import RayWorkers
from matopt.study.config.differences import differences
from matopt.study.config.study import Study
from matopt.study.config.study_file import Problem
from matopt.study.layout import Layout, read_json, write_json
from matopt.study.lease import Lease, hold_lease
from matopt.study.records import LaunchResult, TrialRecord, best, check_complete
from matopt.study.results import (
    data_key,
    design_plan,
    evaluation_settings,
    physics_of,
    search_key,
    search_settings_key,
    simulators_of,
)
from matopt.study.search.ledger import Ledger
from matopt.study.session import Session
from matopt.study.state import LaunchState, Progress, no_progress
from matopt.study.storage_trouble import storage_trouble
from matopt.study.study_copy import launched_copy, refresh
from matopt.study.tracking.launch_runs import LaunchRuns
from matopt.study.tracking.tracker import Tracker

MakeReport = Callable[[LaunchResult], list[Path]]
"""Writes the report's files and returns them, the page first."""


CLOSING_SECONDS, INTERRUPTED_SECONDS = 30.0, 8.0
"""Seconds for MLflow to take what is left at the end, and where somebody wants the process gone."""


def changes(study: Study) -> list[str]:
    """List what is different from the study's last launch, a line each; nothing where it was never launched."""
    refresh(Layout.of(study))
    try:
        before = read_json(Layout.of(study).config)
    except DamagedError as error:
        warn(f"{error}; it is written anew, and what changed since the last launch is not known")
        return []
    return differences(before, study.as_json) if before is not None else []


def launch(
    study: Study,
    address: str | None = None,
    make_report: MakeReport | None = None,
    progress: Progress = no_progress,
) -> LaunchResult:
    """Run a study: data, search, evaluation, design and report. What an earlier launch finished is not done again.

    Args:
        study: the study.
        address: ``host:port`` of a Ray cluster to run on; None starts one here.
        make_report: writes the report.
        progress: hears how far each stage is.

    Raises:
        InputError: the study's images cannot fill its splits, this machine lacks its device, or the address is none.
        FailureError: the work cannot be done; what was finished is kept, and the next launch goes on from there.
    """
    if address is None:
        _check_device(study)
    _check_source(study)
    layout = Layout.of(study)
    layout.make()
    trouble, patience = storage_trouble(layout.storage), patient(study.config.resources.timeout)
    with hold_lease(layout) as lease, trouble, patience, launched_copy(layout):
        return _launch(study, address, make_report, LaunchState(layout, progress, lease.check), lease)


def _launch(
    study: Study, address: str | None, make_report: MakeReport | None, state: LaunchState, lease: Lease
) -> LaunchResult:
    layout = Layout.of(study)
    write_json(layout.config, study.as_json)
    if is_copy(layout.database) and study.config.tracking.uri is None:
        warn(f"MLflow's database stays on this host, in {layout.database}; name a server in tracking.uri to outlive it")
    shutil.rmtree(layout.scratch, ignore_errors=True)  # of launches that were killed
    tracker = Tracker(layout, study.config.tracking.uri, lease.check)
    session = _session(study, address, lease, state, LaunchRuns(tracker, study), tracker)
    patience = CLOSING_SECONDS
    try:
        result = _run(session, make_report)
        session.runs.end("FINISHED")
    except BaseException as error:
        patience = CLOSING_SECONDS if isinstance(error, Exception) else INTERRUPTED_SECONDS
        with suppress(FailureError):  # the disk that this very error may be about
            session.runs.end("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    finally:
        with state.overhead():
            session.workers.close()
            if lease.lost is None:
                shutil.rmtree(layout.scratch, ignore_errors=True)
            undelivered = tracker.close(patience)
    # Relative to the study's folder, which may be moved.
    state.note(stage="", report=[os.path.relpath(path, layout.folder) for path in result.report])
    objective, direction = next(iter(study.objectives.items()))
    page = tracker.page(objective, ascending=direction == "minimize")
    return replace(result, undelivered=undelivered, page=page, times=state.times)


def _check_device(study: Study) -> None:
    """Refuse a device that this machine does not have, though all that the study asks for may be computed already."""
    try:
        device_named(study.config.resources.device)
    except InputError as error:
        raise study.text.error([Problem(("resources", "device"), str(error))]) from None


def _check_source(study: Study) -> None:
    """Read what a source reads before anything is started; what is wrong with it is told by its line in the study."""
    try:
        SOURCES.build(study.source, study.folder).check()
    except InputError as error:
        raise study.text.error([Problem(("data", "source"), str(error))]) from error


def _session(
    study: Study, address: str | None, lease: Lease, state: LaunchState, runs: LaunchRuns, tracker: Tracker
) -> Session:
    layout, resources = Layout.of(study), study.config.resources
    there = ModelContext(ArtifactStore(layout.artifacts, layout.name), study.folder, resources.device)
    # A cluster's head may have none of the GPUs that its nodes have.
    here = (
        there if not resources.device.startswith("cuda") or torch.cuda.is_available() else replace(there, device="cpu")
    )

    def end_runs() -> None:
        runs.end("FAILED")
        tracker.close(INTERRUPTED_SECONDS)

    cluster = Cluster(address, layout.storage, before_end=end_runs)
    words = lease.scratch / "words"
    labels, most = LabelStore(layout.labels), study.most_trials_at_once
    workers = RayWorkers(cluster, resources, there, labels, study.simulators, state, words, most)
    return Session(study, layout, lease, state, here, workers, runs)


def _run(session: Session, make_report: MakeReport | None) -> LaunchResult:
    state, study = session.state, session.study
    with state.stage("data"):
        dataset = _data(session)
    with state.stage("search"):
        trials = _search(session, dataset)
        winner = best(trials, study.objectives)
        assert winner is not None  # a search without a complete trial has raised
        state.note(best=winner.number)
        session.runs.register(winner, session.context.artifacts)
    evaluation = designs = None
    if study.config.evaluation is not None:
        with state.stage("evaluation"):
            evaluation = _evaluation(session, dataset, winner)
    if study.config.design is not None:
        with state.stage("design"):
            designs = _design(session, dataset, winner)
    properties = tuple(simulator.property for simulator in simulators_of(study))
    result = LaunchResult(study, properties, trials, winner, evaluation, designs)
    with state.stage("report"):
        with state.overhead():
            session.workers.close()  # what is left needs none
        if make_report is not None:
            state.progress(0, 1)
            result = replace(result, report=make_report(result))
            for file in result.report:
                keep(file)
            session.runs.report(result.report)
            state.progress(1, 1)
    return result


def _data(session: Session) -> Dataset:
    study = session.study

    def make() -> SavedDataset:
        source = SOURCES.build(study.source, study.folder)
        return SavedDataset.of(prepare(source, study.window, study.split, study.config.seed, session.workers.label))

    saved = session.context.artifacts.get(data_key(study), SavedDataset, make)
    return saved.restored([simulator.property for simulator in simulators_of(study)])


def _search(session: Session, dataset: Dataset) -> list[TrialRecord]:
    study, total = session.study, session.study.config.search.trials
    key = search_key(study, dataset)
    # In one order whatever the file's: the key does not know of it.
    objectives = dict(sorted(study.config.search.objectives.items()))
    ledger = Ledger(session.layout.journal, key, objectives, session.lease.check)
    searches = {**session.state.notes.get("searches", {}), search_settings_key(study): key}
    session.state.note(search=key, searches=searches, trials=total, objectives=study.objectives)
    if not ledger.records():
        with session.state.overhead():
            from matopt.study.search.carrying_over import carry_over

            if carried := carry_over(study, dataset, ledger):
                session.state.message(f"{carried} trials of earlier searches are points of this one, and are kept")
    if ledger.unfinished(total, study.most_points, study.config.search.min_complete):
        with session.state.overhead():  # seconds, which a finished study need not spend
            from matopt.study.search.study_search import run_search
        return run_search(session, dataset, ledger)
    records = ledger.records()
    check_complete(records, study.config.search.min_complete)
    return records


def _evaluation(session: Session, dataset: Dataset, winner: TrialRecord) -> Evaluation:
    settings = evaluation_settings(session.study, winner)
    assert settings is not None
    physics = physics_of(session.study, dataset)

    def make() -> Evaluation:
        with session.runs.stage("evaluation", winner) as run:
            found = evaluate(settings, dataset, physics, session.workers, session.context)
            session.runs.evaluation(run, found)
        return found

    key = evaluation_key(settings, dataset, physics, session.context)
    return session.context.artifacts.get(key, Evaluation, make)


def _design(session: Session, dataset: Dataset, winner: TrialRecord) -> DesignResult:
    plan = design_plan(session.study, winner)
    assert plan is not None

    def make() -> DesignResult:
        with session.runs.stage("design", winner) as run:
            found = design(plan, dataset, session.workers, session.context)
            session.runs.design(run, found)
        return found

    key = design_key(plan, dataset, session.context)
    return session.context.artifacts.get(key, DesignResult, make)
