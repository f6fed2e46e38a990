"""What a study's stages result in, and under which keys the results are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from matopt.data.sources.base import SOURCES
from matopt.errors import FailureError
from matopt.physics.base import SIMULATORS, Physics, Simulator
from matopt.properties import Property
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.ascent import DesignPlan
from matopt.stages.data import Dataset
from matopt.stages.dataset import SavedDataset
from matopt.stages.design import design_key
from matopt.stages.evaluation import EvaluationSettings, evaluation_key
from matopt.stages.keys import stage_key
from matopt.stages.models import ModelContext
from matopt.stages.records import DesignResult, Evaluation
from matopt.study.config.study import Study
from matopt.study.layout import Layout, read_json
from matopt.study.records import TrialRecord, best
from matopt.study.search.ledger import read_records
from matopt.study.tracking.tracker import Undelivered

T = TypeVar("T")


@dataclass(frozen=True)
class LaunchResult:
    """What a study found.

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
        return layout_of(self.study)


def layout_of(study: Study) -> Layout:
    """Where a study rests on disk."""
    return Layout(study.storage, study.config.name)


def simulators_of(study: Study) -> tuple[Simulator, ...]:
    """The simulators themselves."""
    return tuple(SIMULATORS.build(simulator, study.folder) for simulator in study.simulators)


def data_key(study: Study) -> str:
    """The key of the dataset: of the study's data and physics, and of what the source's files hold."""
    source = SOURCES.build(study.source, study.folder)
    return stage_key("data", study.inputs("data"), source.fingerprint(), folder=study.folder)


def search_key(study: Study, dataset: Dataset) -> str:
    """The key of the search: of all that a trial's result follows from besides its point."""
    return stage_key("search", study.inputs("search"), dataset.train, dataset.validation, folder=study.folder)


def physics_of(study: Study, dataset: Dataset) -> Physics:
    """The simulators at the voxel size of the dataset."""
    return Physics(simulators_of(study), dataset.train.microstructures.voxel_size)


def evaluation_settings(study: Study, winner: TrialRecord) -> EvaluationSettings | None:
    """What the evaluation of the best trial compares; None where the study asks for none."""
    section = study.config.evaluation
    if section is None or winner.outcome is None:
        return None
    chosen = study.with_parameters(winner.params)
    return EvaluationSettings(
        chosen.baselines,
        chosen.predictor,
        chosen.traits,
        section.sizes,
        section.draws,
        winner.outcome.predictor_key,
        study.config.seed,
    )


def design_plan(study: Study, winner: TrialRecord) -> DesignPlan | None:
    """What is designed with the best trial's models; None where the study asks for none."""
    settings = study.design
    if settings is None or winner.outcome is None:
        return None
    return DesignPlan(settings, winner.outcome.generator_key, winner.outcome.predictor_key, study.config.seed)


def finished(study: Study) -> LaunchResult:
    """What a finished study found, read from its storage folder; nothing is computed.

    Raises:
        FailureError: a stage is not finished, for the study as it is now.
    """
    layout = layout_of(study)
    context = ModelContext(ArtifactStore(layout.artifacts), study.folder)

    def load(stage: str, key: str, kind: type[T]) -> T:
        if key not in context.artifacts:
            raise FailureError(f"study {layout.name!r}: its {stage} is not finished as it is configured now; launch it")
        return context.artifacts.load(key, kind)

    properties = tuple(simulator.property for simulator in simulators_of(study))
    dataset = load("data", data_key(study), SavedDataset).restored(properties)
    trials = read_records(layout.journal, search_key(study, dataset))
    winner = best(trials, study.objectives)
    if winner is None:
        raise FailureError(f"study {layout.name!r}: no trial of its search is complete; launch it")
    evaluation, design = evaluation_settings(study, winner), design_plan(study, winner)
    physics = physics_of(study, dataset)
    return LaunchResult(
        study,
        properties,
        trials,
        winner,
        load("evaluation", evaluation_key(evaluation, dataset, physics, context), Evaluation) if evaluation else None,
        load("design", design_key(design, dataset, context), DesignResult) if design else None,
        times=(read_json(layout.state) or {}).get("times", {}),
    )
