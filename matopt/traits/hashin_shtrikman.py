"""Effective properties lie between the bounds of Hashin and Shtrikman."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from matopt.properties import Property
from matopt.traits.base import TRAITS, PropertyModel, Trait, known_columns


@TRAITS.register("hashin_shtrikman")
class HashinShtrikman(Trait):
    """How far properties are beyond the bounds that their simulators state, relative to the upper bound.

    The residual is ``relu(value - upper) / upper + relu(lower - value) / upper``, the mean over the properties of the
    model that have bounds (:attr:`matopt.properties.Property.bounds`). An upper bound below a thousandth of the stiffer
    (more conductive) phase counts as that.

    Bounds are taken voxel by voxel, so that they hold for grey densities too: a voxel of density d is a phase with d
    times the grain's stiffness, or with ``d`` of the grain's diffusivity and ``1 - d`` of the pore's, as the simulators
    have it. For zeros and ones they are those of two phases.

    They are bounds of isotropic materials; a single window that happens to be layered along x may pass them, in the
    physics as well. The audit therefore compares with the physics, sample by sample, instead of with 0.

    Source: Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127 and J. Appl. Phys. 33 (1962) 3125; for many phases
    Walpole, J. Mech. Phys. Solids 14 (1966) 151.
    """

    def applies_to(self, properties: Sequence[Property]) -> bool:
        """Whether any of the properties has bounds."""
        return any(p.bounds is not None for p in properties)

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` relative violations, see the class.

        Raises:
            InputError: no property of the model has bounds, or they were lost when the model was saved.
        """
        columns = known_columns(self, model.properties, lambda p: p.bounds, "has bounds")
        values = model.predict(density)
        violations = []
        for column, bounds in columns:
            lower, upper = bounds(density)
            value = values[:, column]
            beyond = torch.relu(value - upper) + torch.relu(lower - value)
            floor = 1e-3 * float(bounds(_extremes(density))[1].max())
            violations.append(beyond / upper.clamp_min(floor))
        return torch.stack(violations).mean(0)


def _extremes(density: torch.Tensor) -> torch.Tensor:
    """A sample of one pore voxel and a sample of one grain voxel, with as many axes as ``density``."""
    ends = torch.tensor([0.0, 1.0], dtype=density.dtype, device=density.device)
    return ends.view(2, *[1] * (density.ndim - 1))
