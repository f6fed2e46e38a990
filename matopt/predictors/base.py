"""The interface of all predictors, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Self

import torch

from matopt.given import densities, require_alike, require_labelled
from matopt.microstructures import Microstructures
from matopt.properties import Property, PropertyTable
from matopt.registry import Registry
from matopt.torch_modes import keep_modes
from matopt.training.report import Report, no_report
from matopt.traits.base import Trait


class Predictor(ABC):
    """A learned map from microstructures to properties. Settings are keyword arguments; :meth:`fit` learns the rest.

    Methods run in the modes of :func:`matopt.torch_modes.plain`, whatever the caller's are. What is no microstructures,
    labels or densities is refused before a subclass's :meth:`fit` or :meth:`predict` sees it; :meth:`predict` may be
    given microstructures, which reach it as densities.
    """

    properties: tuple[Property, ...]
    """The columns of :meth:`predict`; set by :meth:`fit`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        keep_modes(cls, learn=("fit",), compute=("predict",))
        for method, checked in (("fit", _of_labelled), ("predict", _of_densities)):
            if method in vars(cls):
                setattr(cls, method, checked(vars(cls)[method]))

    @abstractmethod
    def fit(
        self,
        train: Microstructures,
        labels: PropertyTable,
        validation: tuple[Microstructures, PropertyTable] | None = None,
        traits: Sequence[Trait] = (),
        report: Report = no_report,
        seed: int = 0,
    ) -> Self:
        """Learn to predict ``labels`` from ``train`` and to satisfy the ``traits``.

        The same data, settings and seed give the same predictor on one machine.

        Args:
            train: N microstructures.
            labels: their N rows of properties. Values whose status is not ``ok`` are not learnt from.
            validation: others and their labels; with them the state that does best on them is kept.
            traits: each adds its residual to the loss, by its weight.
            report: hears of the progress; True ends the training early.
            seed: of all randomness; the caller's random state is left as it is.

        Returns:
            itself.

        Raises:
            InputError: microstructures and labels do not belong together, or too few labels are usable.
        """

    @abstractmethod
    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """Predict ``(N, P)`` values in SI units of densities ``(N, 1, *S)``; twice differentiable.

        Raises:
            InputError: not fitted, or densities of another shape than it was fitted to.
        """

    @property
    def foretold(self) -> tuple[str, ...]:
        """Metrics of the validation set that its training reports as it goes on; none, where a subclass says no other.

        The value of ``r2``, say, as "validation_r2", and of one property as "validation_r2/<name>", each beside
        "progress", the share of the training that is over. By them a search may stop a trial early.
        """
        return ()

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """Move to ``device``; returns itself."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Give all that was learnt, as tensors and plain values: ``torch.load(..., weights_only=True)`` reads it."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what another predictor learnt, from its :meth:`state_dict`."""


def _of_labelled(fit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(fit)
    def called(self: Predictor, train: Any, labels: Any, validation: Any = None, *rest: Any, **named: Any) -> Any:
        for pair in [(train, labels)] + ([validation] if validation is not None else []):
            require_labelled(type(self).__name__, *pair)
        if validation is not None:
            require_alike(type(self).__name__, (train, labels), validation)
        return fit(self, train, labels, validation, *rest, **named)

    return called


def _of_densities(predict: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    @wraps(predict)
    def called(self: Predictor, density: torch.Tensor | Microstructures) -> torch.Tensor:
        return predict(self, densities(type(self).__name__, density))

    return called


PREDICTORS: Registry[Predictor] = Registry("predictors", "matopt.predictors")
