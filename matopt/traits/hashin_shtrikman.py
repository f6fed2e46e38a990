"""Effective moduli and diffusivities lie between the bounds of Hashin and Shtrikman."""

from __future__ import annotations

from collections.abc import Callable

import torch

from matopt.errors import InputError
from matopt.properties import Property
from matopt.traits.base import TRAITS, PropertyModel, Trait

Bounds = tuple[torch.Tensor, torch.Tensor]


@TRAITS.register("hashin_shtrikman")
class HashinShtrikman(Trait):
    """How far Young's modulus and the diffusivity are beyond their bounds, relative to the upper bound.

    The residual is ``relu(value - upper) / upper + relu(lower - value) / upper``, the mean over the properties of the
    model that have bounds. An upper bound below a thousandth of the stiffer (more conductive) phase counts as that.

    Bounds are taken voxel by voxel, so that they hold for grey densities too: a voxel of density d is a phase with d
    times the grain's stiffness, or with ``d`` of the grain's diffusivity and ``1 - d`` of the pore's, as the simulators
    have it. For zeros and ones they are those of two phases (:mod:`matopt.physics.bounds`).

    They are bounds of isotropic materials; a single window that happens to be layered along x may pass them, in the
    physics as well. The audit therefore compares with the physics, sample by sample, instead of with 0.

    Source: Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127 and J. Appl. Phys. 33 (1962) 3125; for many phases
    Walpole, J. Mech. Phys. Solids 14 (1966) 151; plane strain as in :mod:`matopt.physics.bounds`.

    Raises:
        InputError: the model has no property with bounds.
    """

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` relative violations, see the class."""
        columns = [(i, BOUNDS[p.name], p) for i, p in enumerate(model.properties) if p.name in BOUNDS]
        if not columns:
            raise InputError(f"hashin_shtrikman: the model has none of {', '.join(BOUNDS)}")
        values = model.predict(density)
        violations = []
        for column, bounds, p in columns:
            lower, upper = bounds(density, p)
            value = values[:, column]
            beyond = torch.relu(value - upper) + torch.relu(lower - value)
            floor = 1e-3 * float(bounds(_extremes(density), p)[1].max())
            violations.append(beyond / upper.clamp_min(floor))
        return torch.stack(violations).mean(0)


def youngs_modulus_bounds(density: torch.Tensor, p: Property) -> Bounds:
    """``(N,)`` lower (0, for pores are void) and upper bounds of ``1/S11`` of ``(N, 1, *S)``; 2D is plane strain."""
    e, nu = p.constant("grain_youngs_modulus"), p.constant("grain_poisson_ratio")
    shear, bulk = e / (2 * (1 + nu)), e / (3 * (1 - 2 * nu))
    solid = density.flatten(1)
    if density.ndim == 4:
        plane = bulk + shear / 3
        k = _embedded_mean(plane * solid, shear)
        mu = _embedded_mean(shear * solid, plane * shear / (plane + 2 * shear))
        upper = 4 * k * mu / (k + mu).clamp_min(torch.finfo(k.dtype).tiny)
    else:
        k = _embedded_mean(bulk * solid, 4 / 3 * shear)
        mu = _embedded_mean(shear * solid, shear / 6 * (9 * bulk + 8 * shear) / (bulk + 2 * shear))
        upper = 9 * k * mu / (3 * k + mu).clamp_min(torch.finfo(k.dtype).tiny)
    return torch.zeros_like(upper), upper


def diffusivity_bounds(density: torch.Tensor, p: Property) -> Bounds:
    """``(N,)`` lower and upper bounds of D/D0 of densities ``(N, 1, *S)``."""
    constants = dict(p.constants)
    grain = constants["grain_diffusivity"]
    if density.ndim == 5:  # by default grain conducts in sections only
        grain = constants.get("grain_diffusivity_3d", grain)
    solid = density.flatten(1)
    conductivity = grain * solid + (1 - solid)
    dimensions = density.ndim - 2
    upper = _embedded_mean(conductivity, (dimensions - 1) * max(grain, 1.0))
    smallest = (dimensions - 1) * min(grain, 1.0)
    return (_embedded_mean(conductivity, smallest) if smallest else torch.zeros_like(upper)), upper


BOUNDS: dict[str, Callable[[torch.Tensor, Property], Bounds]] = {
    "youngs_modulus": youngs_modulus_bounds,
    "diffusivity": diffusivity_bounds,
}


def _embedded_mean(modulus: torch.Tensor, surrounding: float) -> torch.Tensor:
    """``1 / <1 / (modulus + surrounding)> - surrounding`` over axis 1: Hashin and Shtrikman's bound of any phases."""
    # In units of the surrounding modulus, so that single precision neither overflows nor cancels.
    ratio = modulus / surrounding
    contrast = 1 / (1 / (1 + ratio)).mean(1) - 1
    return surrounding * contrast.clamp_min(0)


def _extremes(density: torch.Tensor) -> torch.Tensor:
    """A sample of pores and one of grain, with as many axes as ``density``."""
    ends = torch.tensor([0.0, 1.0], dtype=density.dtype, device=density.device)
    return ends.view(2, *[1] * (density.ndim - 1))
