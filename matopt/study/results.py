"""The results of a study: under which keys they are kept, and how a finished study is read."""

from __future__ import annotations

from typing import TypeVar

from matopt.damaged import DamagedError
from matopt.data.sources.base import SOURCES
from matopt.errors import FailureError
from matopt.physics.base import SIMULATORS, Physics, Simulator
from matopt.registry import content_key
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.ascent import DesignPlan
from matopt.stages.data import Dataset, prepare
from matopt.stages.dataset import SavedDataset
from matopt.stages.design import design_key
from matopt.stages.evaluation import EvaluationSettings, evaluation_key
from matopt.stages.keys import stage_key
from matopt.stages.models import ModelContext
from matopt.stages.records import DesignResult, Evaluation
from matopt.stages.trial import run_trial
from matopt.study.config.study import Study
from matopt.study.layout import Layout
from matopt.study.records import LaunchResult, TrialRecord, best
from matopt.study.search.ledger import read_records
from matopt.study.state import read_state
from matopt.study.study_copy import refresh

T = TypeVar("T")


def simulators_of(study: Study) -> tuple[Simulator, ...]:
    """Build the simulators of a study."""
    return tuple(SIMULATORS.build(simulator, study.folder) for simulator in study.simulators)


def data_key(study: Study) -> str:
    """Make the key of the dataset: of the study's data and physics, and of what the source's files hold."""
    source = SOURCES.build(study.source, study.folder)
    return stage_key("data", study.inputs("data"), source.fingerprint(), code=prepare.__module__, folder=study.folder)


def search_key(study: Study, dataset: Dataset) -> str:
    """Make the key of the search: of all that a trial's result follows from besides its point."""
    return stage_key(
        "search",
        study.inputs("search"),
        dataset.train,
        dataset.validation,
        code=run_trial.__module__,
        folder=study.folder,
    )


def search_settings_key(study: Study) -> str:
    """Make a key of what a study file says of its search, by which its search is found without its dataset."""
    return content_key(study.inputs("search"))


def physics_of(study: Study, dataset: Dataset) -> Physics:
    """Build the simulators of a study at the voxel size of its dataset."""
    return Physics(simulators_of(study), dataset.train.microstructures.voxel_size)


def evaluation_settings(study: Study, winner: TrialRecord) -> EvaluationSettings | None:
    """Gather the settings of the evaluation, of the best trial's models; None where the study asks for none."""
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
        study.metrics,
    )


def design_plan(study: Study, winner: TrialRecord) -> DesignPlan | None:
    """What is designed with the best trial's models; None where the study asks for none."""
    settings = study.design
    if settings is None or winner.outcome is None:
        return None
    return DesignPlan(
        settings,
        winner.outcome.generator_key,
        winner.outcome.predictor_key,
        study.with_parameters(winner.params).trial,
        tuple(study.simulators),
        study.config.seed,
    )


def finished_search(study: Study) -> tuple[Dataset, list[TrialRecord], TrialRecord]:
    """Read the dataset of a study whose search is finished, its trials and the best of them; nothing is computed.

    Raises:
        FailureError: the data or the search is not finished, for the study as it is now.
    """
    layout = Layout.of(study)
    refresh(layout)
    properties = tuple(simulator.property for simulator in simulators_of(study))
    dataset = _load(study, "data", data_key(study), SavedDataset).restored(properties)
    trials = read_records(layout.journal, search_key(study, dataset))
    winner = best(trials, study.objectives)
    if winner is None:
        raise FailureError(f"study {layout.name!r}, as it and the code are now, has no complete trial; launch it")
    return dataset, trials, winner


def finished(study: Study) -> LaunchResult:
    """Read what a finished study found from its storage folder; nothing is computed.

    Raises:
        FailureError: a stage is not finished, for the study as it is now.
    """
    layout = Layout.of(study)
    context = ModelContext(ArtifactStore(layout.artifacts), study.folder)
    dataset, trials, winner = finished_search(study)
    evaluation, design = evaluation_settings(study, winner), design_plan(study, winner)
    physics = physics_of(study, dataset)
    found = (
        _load(study, "evaluation", evaluation_key(evaluation, dataset, physics, context), Evaluation)
        if evaluation
        else None
    )
    return LaunchResult(
        study,
        physics.properties,
        trials,
        winner,
        found,
        _load(study, "design", design_key(design, dataset, context), DesignResult) if design else None,
        times=_times(layout),
    )


def _times(layout: Layout) -> dict[str, dict[str, float]]:
    try:
        return {stage: dict(seconds) for stage, seconds in read_state(layout).times.items()}
    except DamagedError:  # results do without; the status tells of it
        return {}


def _load(study: Study, stage: str, key: str, kind: type[T]) -> T:
    artifacts = ArtifactStore(Layout.of(study).artifacts)
    if key not in artifacts:
        name = study.config.name
        raise FailureError(f"study {name!r}: its {stage} is not finished as it is configured now; launch it")
    return artifacts.load(key, kind)
