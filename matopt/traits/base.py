"""What a trait is: a constraint that the physics is known to satisfy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch

from matopt.errors import InputError
from matopt.properties import Property
from matopt.registry import Registry


class PropertyModel(Protocol):
    """Whatever maps densities to properties: a predictor, or the physics itself."""

    @property
    def properties(self) -> tuple[Property, ...]:
        """The columns of :meth:`predict`."""
        ...

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, P)`` SI values of densities ``(N, 1, *S)``, differentiable with respect to them."""
        ...


class Trait(ABC):
    """A quantifiable constraint of the map from microstructure to property.

    One method makes the training loss, the violation rate, the audit's row and the plot. Given the physics in place
    of a predictor the same method gives what the model's violations stand beside.

    Args:
        weight: of the trait in the predictor's training loss; 0 audits without training for it.

    Raises:
        InputError: a weight that is negative, or not finite.
    """

    name: str
    """The key of its metrics; the registered name."""

    def __init__(self, weight: float = 0.0) -> None:
        if not 0 <= weight < math.inf:
            raise InputError(f"weight must be at least 0, and finite; got {weight}")
        self.weight = weight

    def applies_to(self, properties: Sequence[Property]) -> bool:
        """Whether the trait says anything about a model of these properties. Any model, unless a trait says so."""
        return True

    @abstractmethod
    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` dimensionless violations of densities ``(N, 1, *S)``: 0 where the trait holds, else positive.

        Differentiable, with respect to the model's parameters too.

        Raises:
            InputError: the trait does not apply to the model's properties.
        """


T = TypeVar("T")


def known_columns(
    trait: Trait, properties: Sequence[Property], known: Callable[[Property], T | None], said: str
) -> list[tuple[int, T]]:
    """List the columns of a model of which something is known, each with it.

    Args:
        trait: that asks.
        properties: of the model.
        known: what is known of a property; None where nothing is.
        said: in words, for the error: "has bounds".

    Raises:
        InputError: nothing is known of any.
    """
    found = [(i, value) for i, p in enumerate(properties) if (value := known(p)) is not None]
    if not found:
        names = ", ".join(p.name for p in properties)
        raise InputError(f"{trait.name}: no property of the model {said}; it has {names}")
    return found


TRAITS: Registry[Trait] = Registry("traits", "matopt.traits")
