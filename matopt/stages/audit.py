"""The audit: by how much, and how often, a model breaks what the physics is known to obey, beside the physics itself.

A table of violations, and no score: whoever says nothing breaks little. A constant is between its bounds, monotone,
symmetric and blind to scale; that it is no model of anything is what the response skill says
(:mod:`matopt.stages.responses.skill`). The physics' own residuals stand beside the model's, since some traits hold for
it only so far: a window that is layered may be beyond the bounds of isotropic materials, and a finer grid gives other
values.

Residuals are dimensionless, with 1 the natural unit of each: all of a gradient wrong, a bound exceeded by its own
value, twice the value where it should be the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from matopt.errors import InputError
from matopt.properties import Property
from matopt.training.probes import with_probes
from matopt.traits.base import PropertyModel, Trait

VIOLATED = 1e-3
"""A residual above this counts as a violation: the tolerance to which the physics is solved."""


@dataclass(frozen=True)
class AuditRow:
    """One trait of a model, beside the same trait of the physics.

    Attributes:
        trait: its name.
        model_residual, physics_residual: means over the densities.
        model_violation_rate, physics_violation_rate: shares of the densities with a residual above :data:`VIOLATED`.
    """

    trait: str
    model_residual: float
    physics_residual: float
    model_violation_rate: float
    physics_violation_rate: float


def audit(
    model: PropertyModel, physics: PropertyModel, density: torch.Tensor, traits: Sequence[Trait], batch_size: int = 32
) -> list[AuditRow]:
    """Put the violations of a model beside those of the physics, at ``density`` and at its probes.

    Where many models are held against the same physics, :func:`residuals` of the physics can be kept and given to
    :func:`compare`.

    Args:
        model: a fitted predictor.
        physics: the simulators; its properties must be those of the model, in order.
        density: ``(N, 1, *S)`` held-out samples; their probes (:func:`matopt.training.probes.probes`) are added.
        traits: what is audited, whatever its weight.
        batch_size: densities at once.

    Raises:
        InputError: the properties differ.
    """
    names = [[p.name for p in m.properties] for m in (model, physics)]
    if names[0] != names[1]:
        raise InputError(f"audit: the model has {names[0]}, the physics {names[1]}; give the same in the same order")
    return compare(
        residuals(model, density, traits, batch_size, physics.properties),
        residuals(physics, density, traits, batch_size),
    )


def residuals(
    model: PropertyModel,
    density: torch.Tensor,
    traits: Sequence[Trait],
    batch_size: int = 32,
    properties: tuple[Property, ...] | None = None,
) -> dict[str, np.ndarray]:
    """The residuals of each trait at ``density`` ``(N, 1, *S)`` and its probes, six for each sample; float64.

    Args:
        model: a predictor, or the physics.
        density: ``(N, 1, *S)``.
        traits: what is measured.
        batch_size: densities at once.
        properties: the columns of the model as the simulators state them, since bounds are not saved with a model; None
            takes the model's own.
    """
    parts: dict[str, list[np.ndarray]] = {trait.name: [] for trait in traits}
    for part in with_probes(density).split(batch_size):
        # All traits share one solution: the physics is slow.
        once = _Once(model, model.properties if properties is None else properties)
        part = part.detach().requires_grad_(True)
        with torch.no_grad():
            for trait in traits:
                parts[trait.name].append(trait.residual(once, part).double().cpu().numpy())
    return {name: np.concatenate(values) for name, values in parts.items()}


def compare(model: Mapping[str, np.ndarray], physics: Mapping[str, np.ndarray]) -> list[AuditRow]:
    """Put :func:`residuals` of a model beside those of the physics at the same densities, trait by trait.

    Raises:
        InputError: other traits, or other densities.
    """
    if {n: len(r) for n, r in model.items()} != {n: len(r) for n, r in physics.items()}:
        raise InputError("audit: the residuals of model and physics are of other traits or densities")
    return [
        AuditRow(
            trait=name,
            model_residual=float(ours.mean()),
            physics_residual=float(physics[name].mean()),
            model_violation_rate=float((ours > VIOLATED).mean()),
            physics_violation_rate=float((physics[name] > VIOLATED).mean()),
        )
        for name, ours in model.items()
    ]


class _Once:
    """A property model that answers the last question again without solving."""

    def __init__(self, model: PropertyModel, properties: tuple[Property, ...]) -> None:
        self._model = model
        self.properties = properties
        self._last: tuple[torch.Tensor, torch.Tensor] | None = None

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        if self._last is None or self._last[0] is not density:
            with torch.enable_grad():
                self._last = density, self._model.predict(density)
        return self._last[1]
