"""The workers of a stage: this process, or the actors of a cluster."""

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
    """Labels, fits and ascends for the stages, in the order asked, in parallel where it can."""

    def label(self, microstructures: Microstructures) -> PropertyTable:
        """Look up or compute the properties of microstructures."""
        ...

    def fit_generators(self, tasks: Sequence[GeneratorTask]) -> list[str]:
        """Fit generators, each unless it was; returns their keys."""
        ...

    def fit_predictors(self, tasks: Sequence[PredictorTask]) -> list[str]:
        """Fit predictors, each unless it was; returns their keys."""
        ...

    def ascend(self, task: AscentTask) -> Designs:
        """The trajectories of a batch of designs."""
        ...


class LocalWorkers:
    """Does the work in this process, one task after the other: in a notebook, or on a machine without Ray.

    Args:
        label: computes or looks up properties.
        context: where models are made.
    """

    def __init__(self, label: LabelFunction, context: ModelContext) -> None:
        self.label = label
        self._context = context

    def fit_generators(self, tasks: Sequence[GeneratorTask]) -> list[str]:
        """Fit generators, each unless it was; returns their keys."""
        return [fit_generator(task, self._context) for task in tasks]

    def fit_predictors(self, tasks: Sequence[PredictorTask]) -> list[str]:
        """Fit predictors, each unless it was; returns their keys."""
        return [fit_predictor(task, self._context) for task in tasks]

    def ascend(self, task: AscentTask) -> Designs:
        """The trajectories of a batch of designs."""
        return run_ascent(task, self._context)
