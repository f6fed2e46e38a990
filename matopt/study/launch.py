"""A launch: the stages of a study, one after the other, each only as far as it was not done before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from matopt.data.base import SOURCES
from matopt.data.labels import LabelStore
from matopt.physics.base import SIMULATORS, Physics
from matopt.properties import Property
from matopt.stages.artifacts import ArtifactStore, stage_key
from matopt.stages.data import Dataset, prepare
from matopt.stages.design import DesignSettings, design, design_key
from matopt.stages.evaluation import EvaluationSettings, evaluate, evaluation_key
from matopt.stages.models import Workshop
from matopt.study.cluster import Cluster
from matopt.study.config import Study
from matopt.study.dataset import dataset_payload, read_dataset
from matopt.study.differences import differences
from matopt.study.layout import Layout, launch_lock, read_json, write_json
from matopt.study.ledger import Ledger, TrialRecord, best
from matopt.study.state import LaunchState, Progress, unheard
from matopt.study.tracking import Tracker, Undelivered
from matopt.study.tracks import Tracks
from matopt.study.workers import RayWorkers


@dataclass(frozen=True)
class LaunchResult:
    """What a study found.

    Attributes:
        study: the study.
        properties: the columns of every table of values.
        trials: every trial of the search.
        best: the trial that evaluation and design took over.
        evaluation: of :func:`matopt.stages.evaluation.evaluate`; None where the study asks for none.
        design: of :func:`matopt.stages.design.design`; None where the study asks for none.
        report: the files of the report, its page first.
        undelivered: what MLflow does not have yet.
        page: MLflow's page that compares the trials; None where MLflow did not answer.
        times: stage -> seconds of ``wall``, ``computing``, ``waiting`` and ``overhead``, over all launches.
    """

    study: Study
    properties: tuple[Property, ...]
    trials: list[TrialRecord]
    best: TrialRecord
    evaluation: dict[str, Any] | None
    design: dict[str, Any] | None
    report: list[Path] = field(default_factory=list)
    undelivered: Undelivered | None = None
    page: str | None = None
    times: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """Where the study rests on disk."""
        return layout_of(self.study)


@dataclass(frozen=True)
class Session:
    """What the stages of one launch share.

    Attributes:
        study: the study.
        layout: where it rests on disk.
        state: what it says of itself.
        workshop: where models are made, here.
        workers: do the work.
        physics: the simulators.
        tracks: the launch's runs in MLflow.
    """

    study: Study
    layout: Layout
    state: LaunchState
    workshop: Workshop
    workers: RayWorkers
    physics: tuple[Any, ...]
    tracks: Tracks

    def kept(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The artifact of ``key``, made where there is none."""
        return self.workshop.artifacts.get(key, make)


def layout_of(study: Study) -> Layout:
    """Where a study rests on disk."""
    return Layout(study.storage, study.config.name)


def changes(study: Study) -> list[str]:
    """What is different from the study's last launch, a line each; nothing where it was never launched."""
    before = read_json(layout_of(study).config)
    return differences(before, study.as_json) if before is not None else []


def launch(
    study: Study,
    address: str | None = None,
    make_report: Callable[[LaunchResult], list[Path]] | None = None,
    progress: Progress = unheard,
) -> LaunchResult:
    """Run a study: data, search, evaluation, design and report. What an earlier launch finished is not done again.

    Args:
        study: the study.
        address: ``host:port`` of a Ray cluster to run on; None starts one here.
        make_report: writes the report's files and returns them, the page first.
        progress: hears how far each stage is.

    Raises:
        InputError: the study's images cannot fill its splits, or the address is none.
        FailureError: the work cannot be done; what was finished is kept, and the next launch goes on from there.
    """
    layout = layout_of(study)
    layout.make()
    with launch_lock(layout):
        state = LaunchState(layout, progress)
        write_json(layout.config, study.as_json)
        tracker = Tracker(layout.storage, layout.name, study.config.tracking.uri)
        tracks = Tracks(tracker, study)
        workshop = Workshop(ArtifactStore(layout.artifacts), study.folder, _device_here(study.config.resources.device))
        there = replace(workshop, device=study.config.resources.device)
        store = LabelStore(layout.labels)
        cluster = Cluster(address, layout.storage)
        workers = RayWorkers(cluster, study.config.resources, there, store, study.simulators, state)
        physics = tuple(SIMULATORS.build(simulator, study.folder) for simulator in study.simulators)
        session = Session(study, layout, state, workshop, workers, physics, tracks)
        try:
            result = _run(session, make_report)
            tracks.end("FINISHED")
        except BaseException as error:
            tracks.end("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        finally:
            workers.close()
            with state.overhead():
                undelivered = tracker.close()
        state.note(stage="", report=[str(path) for path in result.report])
        objective, direction = next(iter(study.objectives.items()))
        page = tracker.page(objective, ascending=direction == "minimize")
        return replace(result, undelivered=undelivered, page=page, times=state.notes["times"])


def _run(session: Session, make_report: Callable[[LaunchResult], list[Path]] | None) -> LaunchResult:
    state, study = session.state, session.study
    with state.stage("data"):
        dataset = _data(session)
    with state.stage("search"):
        trials = _search(session, dataset)
        winner = best(trials, study.objectives)
        assert winner is not None and winner.outcome is not None  # a search without a complete trial has raised
        state.note(best=winner.number)
        session.tracks.register(winner, session.workshop.artifacts)
    evaluation = designs = None
    if study.config.evaluation is not None:
        with state.stage("evaluation"):
            evaluation = _evaluation(session, dataset, winner)
    if study.config.design is not None:
        with state.stage("design"):
            designs = _design(session, dataset, winner)
    properties = tuple(simulator.property for simulator in session.physics)
    result = LaunchResult(study, properties, trials, winner, evaluation, designs)
    with state.stage("report"):
        with state.overhead():
            session.workers.close()
        if make_report is not None:
            result = replace(result, report=make_report(result))
            session.tracks.report(session.layout.report)
    return result


def _data(session: Session) -> Dataset:
    study = session.study
    source = SOURCES.build(study.source, study.folder)
    key = stage_key("data", study.inputs("data"), source.fingerprint())

    def make() -> dict[str, Any]:
        dataset = prepare(source, study.window, study.split, study.config.seed, session.workers.label)
        return dataset_payload(dataset)

    return read_dataset(session.kept(key, make), [simulator.property for simulator in session.physics])


def _search(session: Session, dataset: Dataset) -> list[TrialRecord]:
    study, layout, total = session.study, session.layout, session.study.config.search.trials
    key = stage_key("search", study.inputs("search"), dataset.train.key, dataset.validation.key)
    # In one order whatever the file's: the key does not know of it.
    ledger = Ledger(layout.journal, key, dict(sorted(study.config.search.objectives.items())))
    session.state.note(search=key, trials=total, objectives=study.objectives)
    if ledger.missing(total):
        # Imported here because it takes seconds, and most of what a finished study is launched for needs none of it.
        with session.state.overhead():
            from matopt.study.searching import run_search
        run_search(session, dataset, ledger)
    return ledger.records()


def _evaluation(session: Session, dataset: Dataset, winner: TrialRecord) -> dict[str, Any]:
    assert winner.outcome is not None and session.study.config.evaluation is not None
    section = session.study.config.evaluation
    chosen = session.study.with_parameters(winner.params)
    settings = EvaluationSettings(
        chosen.baselines,
        chosen.predictor,
        chosen.traits,
        tuple(section.sizes),
        section.draws,
        winner.outcome.predictor_key,
        session.study.config.seed,
    )
    physics = Physics(session.physics, dataset.train.microstructures.voxel_size)

    def make() -> dict[str, Any]:
        with session.tracks.stage("evaluation", winner) as run:
            found = evaluate(settings, dataset, physics, session.workers, session.workshop)
            session.tracks.evaluation(run, found)
        return found

    return session.kept(evaluation_key(settings, dataset, physics, session.workshop), make)


def _design(session: Session, dataset: Dataset, winner: TrialRecord) -> dict[str, Any]:
    assert winner.outcome is not None and session.study.config.design is not None
    section = session.study.config.design
    settings = DesignSettings(
        section.property,
        tuple(section.spaces),
        section.seeds,
        winner.outcome.generator_key,
        winner.outcome.predictor_key,
        section.options,
        session.study.config.seed,
    )

    def make() -> dict[str, Any]:
        with session.tracks.stage("design", winner) as run:
            found = design(settings, dataset, session.workers)
            session.tracks.design(run, found)
        return found

    return session.kept(design_key(settings, dataset), make)


def _device_here(device: str) -> str:
    """The device of this process: a cluster's head may have none of those that its nodes have."""
    import torch

    return device if device == "cpu" or torch.cuda.is_available() else "cpu"
