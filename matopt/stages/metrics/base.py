"""What a metric of a trial is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import torch

from matopt.predictors.base import Predictor
from matopt.registry import Registry
from matopt.stages.audit import AuditRow
from matopt.stages.data import LabelledSet
from matopt.stages.r2 import r2
from matopt.stages.responses.skill import ResponseSkill


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples of a generator beside M authentic microstructures that it has not seen.

    Attributes:
        raw: ``(N, 1, *S)`` densities as the generator drew them.
        binary: ``(N, 1, *S)`` the same, binarised.
        authentic: ``(M, 1, *S)`` held-out microstructures.
        train: ``(L, 1, *S)`` the microstructures that the generator was fitted to.
    """

    raw: torch.Tensor
    binary: torch.Tensor
    authentic: torch.Tensor
    train: torch.Tensor


@dataclass(frozen=True, eq=False)
class Predictions:
    """A predictor beside labelled microstructures that it has not seen.

    Attributes:
        predictor: the fitted predictor.
        held_out: the microstructures and their simulated properties.
        audit: its violations of traits beside those of the physics; empty where the study has none.
        skills: how well it foretells what moves of these microstructures do, by kind of move and property.
    """

    predictor: Predictor
    held_out: LabelledSet
    audit: Sequence[AuditRow]
    skills: Sequence[ResponseSkill]

    @cached_property
    def r2(self) -> dict[str, float]:
        """R2 of each property, see :func:`matopt.stages.r2.r2`."""
        return r2(self.predictor, self.held_out.microstructures, self.held_out.labels)


class Metric(ABC):
    """A number that says how good the models of a trial are: an objective of the search, a column of the report.

    Every metric of the registry is computed for every trial; one of a user's own where it is an objective
    (``objectives: {mine.py:Name: minimize}``). A metric derives from :class:`SampleMetric` or
    :class:`PredictorMetric`.
    """

    name: str
    """The registered name."""

    direction: ClassVar[Literal["maximize", "minimize"]]
    """Which way is better."""

    label: ClassVar[str] = ""
    """How it is written in tables and on axes; the words of its name where empty."""


class SampleMetric(Metric):
    """A metric of what a generator draws."""

    @abstractmethod
    def value(self, samples: Samples) -> float:
        """Compare the samples with authentic microstructures."""


class PredictorMetric(Metric):
    """A metric of what a predictor says."""

    needs_traits: ClassVar[bool] = False
    """Whether it is computed only where the study names traits."""

    is_by_property: ClassVar[bool] = False
    """Whether :meth:`by_property` gives values, which are objectives of their own: ``<name>/<property>``."""

    parts: ClassVar[tuple[str, ...]] = ()
    """What else :meth:`by_part` gives values of, which are objectives too: ``<name>/<part>``."""

    @abstractmethod
    def value(self, predictions: Predictions) -> float:
        """Compare the predictor with the physics."""

    def by_property(self, predictions: Predictions) -> Mapping[str, float]:
        """Give the value of each property, where there are such."""
        return {}

    def by_part(self, predictions: Predictions) -> Mapping[str, float]:
        """Give the values of :attr:`parts`, as far as there are such."""
        return {}


METRICS: Registry[Metric] = Registry("metrics", "matopt.stages.metrics")


def split_objective(objective: str) -> tuple[str, str]:
    """Split the name of an objective into a metric's and that of a property or part, empty where it is of all."""
    path, colon, name = objective.rpartition(":")
    metric, _, part = name.partition("/")
    return path + colon + metric, part
