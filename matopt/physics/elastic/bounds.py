"""Hashin and Shtrikman's bounds of Young's modulus."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.errors import InputError
from matopt.physics.numerics.bounds import embedded_mean


@dataclass(frozen=True)
class YoungsModulusBounds:
    """Bounds of ``1/S11`` of isotropic microstructures, voxel by voxel; the lower one is 0, as pores are void.

    A voxel of density s is a phase with s times the grain's stiffness, so that they hold for grey densities as for
    zeros and ones. 3D: Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127. 2D: plane strain, the transverse
    moduli of Hashin, J. Mech. Phys. Solids 13 (1965) 119.

    Attributes:
        youngs_modulus: of the grain in Pa.
        poisson_ratio: of the grain.
    """

    youngs_modulus: float
    poisson_ratio: float

    def __call__(self, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(N,)`` lower and upper bounds in Pa of densities ``(N, 1, *S)``; differentiable.

        Raises:
            InputError: S has neither 2 nor 3 axes.
        """
        shear = self.youngs_modulus / (2 * (1 + self.poisson_ratio))
        bulk = self.youngs_modulus / (3 * (1 - 2 * self.poisson_ratio))
        solid = density.flatten(1)
        smallest = torch.finfo(density.dtype).tiny
        if density.ndim == 4:
            plane = bulk + shear / 3
            k = embedded_mean(plane * solid, shear)
            mu = embedded_mean(shear * solid, plane * shear / (plane + 2 * shear))
            upper = 4 * k * mu / (k + mu).clamp_min(smallest)
        elif density.ndim == 5:
            k = embedded_mean(bulk * solid, 4 / 3 * shear)
            mu = embedded_mean(shear * solid, shear / 6 * (9 * bulk + 8 * shear) / (bulk + 2 * shear))
            upper = 9 * k * mu / (3 * k + mu).clamp_min(smallest)
        else:
            raise InputError(f"Young's modulus has bounds in 2 and 3 dimensions, not in {density.ndim - 2}")
        return torch.zeros_like(upper), upper
