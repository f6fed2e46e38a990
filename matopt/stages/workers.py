"""Who does the work of a stage: this process, or the actors of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from matopt.design.ascent import Designs
from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable
from matopt.stages.ascent import AscentTask, run_ascent
from matopt.stages.data import LabelFunction
from matopt.stages.models import GeneratorTask, ModelContext, PredictorTask, fit_generator, fit_predictor


class Workers(Protocol):
    """Does the heavy work that the stages ask for, in the order asked, as parallel as it can."""

    def label(self, microstructures: Microstructures) -> PropertyTable:
        """The properties of microstructures, from the label store or the simulators."""
        ...

    def fit_generators(self, tasks: Sequence[GeneratorTask]) -> list[str]:
        """The keys of the fitted generators."""
        ...

    def fit_predictors(self, tasks: Sequence[PredictorTask]) -> list[str]:
        """The keys of the fitted predictors."""
        ...

    def ascend(self, task: AscentTask) -> Designs:
        """The trajectories of a batch of designs."""
        ...


class LocalWorkers:
    """This process, one task after the other.

    Args:
        label: computes or looks up properties.
        context: where models are made.
    """

    def __init__(self, label: LabelFunction, context: ModelContext) -> None:
        self.label = label
        self._context = context

    def fit_generators(self, tasks: Sequence[GeneratorTask]) -> list[str]:
        """The keys of the fitted generators."""
        return [fit_generator(task, self._context) for task in tasks]

    def fit_predictors(self, tasks: Sequence[PredictorTask]) -> list[str]:
        """The keys of the fitted predictors."""
        return [fit_predictor(task, self._context) for task in tasks]

    def ascend(self, task: AscentTask) -> Designs:
        """The trajectories of a batch of designs."""
        return run_ascent(task, self._context)
