"""What every predictor is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from matopt.microstructures import Microstructures
from matopt.properties import Property, PropertyTable
from matopt.registry import Registry
from matopt.training.report import Report, no_report
from matopt.traits.base import Trait


class Predictor(ABC):
    """A learned surrogate of the simulators. Settings are keyword arguments; :meth:`fit` learns the rest."""

    properties: tuple[Property, ...]
    """What the columns of :meth:`predict` are; set by :meth:`fit`."""

    @abstractmethod
    def fit(
        self,
        train: Microstructures,
        labels: PropertyTable,
        validation: tuple[Microstructures, PropertyTable] | None = None,
        traits: Sequence[Trait] = (),
        report: Report = no_report,
        seed: int = 0,
    ) -> Predictor:
        """Learn ``labels`` from ``train``, and to satisfy the ``traits``, each by its weight. Returns itself.

        Values whose status is not ``ok`` are left out of the loss. With ``validation`` the best state on it is kept.
        """

    @abstractmethod
    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, P)`` values in SI units of densities ``(N, 1, *S)``; twice differentiable."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Predictor:
        """Move to ``device``; returns itself."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that was learnt: tensors and plain values, so that ``torch.load(..., weights_only=True)`` reads it."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the predictor whose :meth:`state_dict` this is."""


PREDICTORS: Registry[Predictor] = Registry("predictors", "matopt.predictors")
