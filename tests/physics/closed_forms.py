"""What is known of effective properties in closed form, written apart from the package: what it is tested against."""

from __future__ import annotations

import torch


def voigt(solid: torch.Tensor, grain: float, pore: float = 0.0) -> torch.Tensor:
    """The arithmetic mean of two phases: no stiffness or conductivity is above it, along any axis."""
    return solid * grain + (1 - solid) * pore


def reuss(solid: torch.Tensor, grain: float, pore: float = 0.0) -> torch.Tensor:
    """The harmonic mean of two phases: none is below it."""
    if grain == 0 or pore == 0:
        # Where the other phase fills the sample the mean is that phase's; everywhere else it is 0.
        only = solid if pore == 0 else 1 - solid
        return torch.where(only == 1, only * (grain + pore), 0 * only)
    return 1 / (solid / grain + (1 - solid) / pore)


def uniaxial_modulus(youngs_modulus: float, poisson_ratio: float, dimensions: int) -> float:
    """``1/S11`` of a homogeneous grain: E in 3D, E / (1 - nu^2) in plane strain (2D)."""
    return youngs_modulus / (1 - poisson_ratio**2) if dimensions == 2 else youngs_modulus


def youngs_modulus_of_coated_spheres(
    solid: torch.Tensor, youngs_modulus: float, poisson_ratio: float, dimensions: int
) -> torch.Tensor:
    """Hashin and Shtrikman's upper bound of ``1/S11`` of a grain with void pores, by the solid fraction.

    3D: J. Mech. Phys. Solids 11 (1963) 127, K+ and G+ with one phase void. 2D: plane strain, the transverse moduli of
    Hashin, J. Mech. Phys. Solids 13 (1965) 119, k+ and mu+ with one phase void.
    """
    pore = 1 - solid
    shear = youngs_modulus / (2 * (1 + poisson_ratio))
    bulk = youngs_modulus / (3 * (1 - 2 * poisson_ratio))
    if dimensions == 2:
        plane = bulk + shear / 3
        # The bounds over the solid fraction, so that neither is 0/0 where the fraction is 0.
        k = plane * shear / (shear + pore * plane)
        mu = plane * shear / (plane + pore * (plane + 2 * shear))
        return solid * 4 * k * mu / (k + mu)
    k = 4 * shear * bulk / (4 * shear + 3 * bulk * pore)
    mu = shear * (9 * bulk + 8 * shear) / (9 * bulk + 8 * shear + 6 * pore * (bulk + 2 * shear))
    return solid * 9 * k * mu / (3 * k + mu)


def diffusivity_of_coated_spheres(
    solid: torch.Tensor, grain: float, dimensions: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hashin and Shtrikman's bounds of D/D0 of two phases, by the solid fraction: J. Appl. Phys. 33 (1962) 3125."""

    def embedded(matrix: float, inclusion: float, fraction: torch.Tensor) -> torch.Tensor:
        contrast = inclusion - matrix
        return matrix + fraction * contrast * dimensions * matrix / (dimensions * matrix + (1 - fraction) * contrast)

    in_grain = embedded(grain, 1.0, 1 - solid) if grain else reuss(solid, grain, 1.0)
    in_pore = embedded(1.0, grain, solid)
    return (in_grain, in_pore) if grain <= 1 else (in_pore, in_grain)
