"""Hashin and Shtrikman's bounds of diffusivity."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.errors import InputError
from matopt.physics.numerics.bounds import embedded_mean


@dataclass(frozen=True)
class DiffusivityBounds:
    """Bounds of D/D0 of isotropic microstructures, voxel by voxel.

    A voxel of density s is a phase with ``s`` of the grain's diffusivity and ``1 - s`` of the pore's, so that they hold
    for grey densities as for zeros and ones. Hashin and Shtrikman, J. Appl. Phys. 33 (1962) 3125; in 2D Hashin, J.
    Mech. Phys. Solids 13 (1965) 119. Where the grain does not conduct the lower bound is 0.

    Attributes:
        grain_2d: diffusivity of the grain over D0 in sections.
        grain_3d: the same in volumes.
    """

    grain_2d: float
    grain_3d: float

    def __call__(self, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(N,)`` lower and upper bounds of densities ``(N, 1, *S)``; differentiable.

        Raises:
            InputError: S has neither 2 nor 3 axes.
        """
        dimensions = density.ndim - 2
        if dimensions not in (2, 3):
            raise InputError(f"diffusivity has bounds in 2 and 3 dimensions, not in {dimensions}")
        grain = self.grain_2d if dimensions == 2 else self.grain_3d
        solid = density.flatten(1)
        conductivity = grain * solid + (1 - solid)
        upper = embedded_mean(conductivity, (dimensions - 1) * max(grain, 1.0))
        smallest = (dimensions - 1) * min(grain, 1.0)
        return (embedded_mean(conductivity, smallest) if smallest else torch.zeros_like(upper)), upper
