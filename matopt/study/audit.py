"""The audit of a finished study's best model, or of a model of a user's own, on the study's test split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from matopt.data.labels.store import LabelStore
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.predictors.base import PREDICTORS
from matopt.properties import Property, PropertyTable
from matopt.stages.artifacts import ArtifactStore
from matopt.stages.audit import AuditRow
from matopt.stages.models import ModelContext, load_predictor
from matopt.stages.responses.reference import responses
from matopt.stages.responses.skill import ResponseSkill, response_skill
from matopt.stages.scores import predictor_audit
from matopt.stages.simulate import simulate
from matopt.study.config.study import Study
from matopt.study.layout import Layout
from matopt.study.results import finished_search, physics_of
from matopt.traits.base import PropertyModel


@dataclass(frozen=True)
class StudyAudit:
    """What the audit of a model found.

    Attributes:
        model: whose it is.
        skills: by kind of move, number of them and property.
        violations: trait by trait; empty where the study has none.
    """

    model: str
    skills: tuple[ResponseSkill, ...]
    violations: tuple[AuditRow, ...]


@dataclass(frozen=True)
class OwnModel:
    """A user's own function or torch module as a model of a study's properties.

    Attributes:
        properties: of the study.
        function: takes densities ``(N, 1, *S)``, gives SI values ``(N, P)``.
    """

    properties: tuple[Property, ...]
    function: Callable[[torch.Tensor], torch.Tensor]

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Call it.

        Raises:
            InputError: it gives something else than ``(N, P)`` numbers.
        """
        values = self.function(density)
        expected = (len(density), len(self.properties))
        if not isinstance(values, torch.Tensor) or values.shape != expected:
            shape = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            names = ", ".join(p.name for p in self.properties)
            raise InputError(
                f"the model must give a tensor of shape {expected}, a column each for {names}; got {shape}"
            )
        return values


def audit_study(study: Study, model: str | None = None) -> StudyAudit:
    """Audit a model on the test split of a study whose search is finished.

    Moved samples are solved where the study's label store does not know them.

    Args:
        study: whose data, physics and traits count.
        model: ``FILE.py:CLASS`` of a user's own, relative to the working directory; None takes the best trial's.

    Raises:
        FailureError: the search is not finished, for the study as it is now.
        InputError: there is no such class, or it cannot be made or called as a model.
    """
    layout = Layout.of(study)
    dataset, _, winner = finished_search(study)
    assert winner.outcome is not None  # or it were not the best
    physics = physics_of(study, dataset)
    store = LabelStore(layout.labels)
    context = ModelContext(ArtifactStore(layout.artifacts), study.folder)

    def label(microstructures: Microstructures) -> PropertyTable:
        return simulate(microstructures, physics.simulators, store)

    if model is None:
        name = f"trial {winner.number}"
        audited: PropertyModel = load_predictor(winner.outcome.predictor_key, context)
    else:
        name, audited = model, _own(model, physics.properties)
    skills = response_skill(audited, responses(dataset.test, label))
    traits = study.with_parameters(winner.params).traits
    return StudyAudit(name, skills, tuple(predictor_audit(audited, dataset.test, physics, traits, context)))


def _own(name: str, properties: tuple[Property, ...]) -> OwnModel:
    made = PREDICTORS.find(name, Path.cwd())
    try:
        function = made()
    except Exception as error:
        raise InputError(f"{name} cannot be made without arguments: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise InputError(
            f"{name} is not called like a function; give it a method __call__, or derive from torch.nn.Module"
        )
    return OwnModel(properties, cast(Callable[[torch.Tensor], torch.Tensor], function))
