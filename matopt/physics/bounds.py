"""Bounds on effective properties that follow from the solid fraction alone.

All are differentiable torch functions of the solid fraction. The Voigt and Reuss bounds hold for every microstructure,
and along every axis. The Hashin-Shtrikman bounds hold for isotropic ones: a single small window may pass them by its
anisotropy (a laminate along the axis reaches Voigt), and so may the finite resolution of an image.
"""

from __future__ import annotations

import torch

from matopt.errors import InputError


def voigt(solid_fraction: torch.Tensor, grain: float, pore: float = 0.0) -> torch.Tensor:
    """Upper bound of a stiffness or conductivity: the arithmetic mean of the phases.

    Args:
        solid_fraction: any shape, in [0, 1].
        grain: the grain's value; the result has its unit.
        pore: the pore's value.
    """
    return solid_fraction * grain + (1 - solid_fraction) * pore


def reuss(solid_fraction: torch.Tensor, grain: float, pore: float = 0.0) -> torch.Tensor:
    """Lower bound of a stiffness or conductivity: the harmonic mean of the phases; 0 where one of them is 0.

    Args:
        solid_fraction: any shape, in [0, 1].
        grain: the grain's value; the result has its unit.
        pore: the pore's value.
    """
    if grain == 0 or pore == 0:
        # Where the other phase fills the sample the mean is that phase's; everywhere else it is 0.
        only = solid_fraction if pore == 0 else 1 - solid_fraction
        return torch.where(only == 1, only * (grain + pore), 0 * only)
    return 1 / (solid_fraction / grain + (1 - solid_fraction) / pore)


def uniaxial_modulus(youngs_modulus: float, poisson_ratio: float, dimensions: int) -> float:
    """``1/S11`` of a homogeneous grain: E in 3D, E / (1 - nu^2) in plane strain (2D)."""
    _check_dimensions(dimensions)
    return youngs_modulus / (1 - poisson_ratio**2) if dimensions == 2 else youngs_modulus


def hashin_shtrikman_youngs_modulus(
    solid_fraction: torch.Tensor, youngs_modulus: float, poisson_ratio: float, dimensions: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds of Young's modulus ``1/S11`` of a grain with void pores, isotropic; the lower one is 0.

    3D: Hashin and Shtrikman, J. Mech. Phys. Solids 11 (1963) 127, K+ and G+ with one phase void. 2D: plane strain,
    the transverse moduli of Hashin, J. Mech. Phys. Solids 13 (1965) 119, k+ and mu+ with one phase void.

    Args:
        solid_fraction: any shape, in [0, 1].
        youngs_modulus: of the grain; the bounds have its unit.
        poisson_ratio: of the grain.
        dimensions: 2 (plane strain) or 3.

    Returns:
        The lower and the upper bound, each of the shape of ``solid_fraction``.

    Raises:
        InputError: other dimensions.
    """
    _check_dimensions(dimensions)
    solid, pore = solid_fraction, 1 - solid_fraction
    shear = youngs_modulus / (2 * (1 + poisson_ratio))
    bulk = youngs_modulus / (3 * (1 - 2 * poisson_ratio))
    if dimensions == 2:
        plane = bulk + shear / 3
        # The bounds over the solid fraction, so that neither is 0/0 where the fraction is 0.
        k = plane * shear / (shear + pore * plane)
        mu = plane * shear / (plane + pore * (plane + 2 * shear))
        upper = solid * 4 * k * mu / (k + mu)
    else:
        k = 4 * shear * bulk / (4 * shear + 3 * bulk * pore)
        mu = shear * (9 * bulk + 8 * shear) / (9 * bulk + 8 * shear + 6 * pore * (bulk + 2 * shear))
        upper = solid * 9 * k * mu / (3 * k + mu)
    return 0 * solid, upper


def hashin_shtrikman_conductivity(
    solid_fraction: torch.Tensor, grain_conductivity: float, dimensions: int, pore_conductivity: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds of the conductivity or diffusivity of two phases, isotropic.

    Hashin and Shtrikman, J. Appl. Phys. 33 (1962) 3125; in 2D Hashin (1965), as above.

    Args:
        solid_fraction: any shape, in [0, 1].
        grain_conductivity: the grain's value; the bounds have its unit.
        dimensions: 2 or 3.
        pore_conductivity: the pore's value.

    Returns:
        The lower and the upper bound, each of the shape of ``solid_fraction``.

    Raises:
        InputError: other dimensions.
    """
    _check_dimensions(dimensions)
    grain, pore = grain_conductivity, pore_conductivity

    def embedded(matrix: float, inclusion: float, fraction: torch.Tensor) -> torch.Tensor:
        """Coated spheres (discs): inclusions of this fraction in a connected matrix."""
        contrast = inclusion - matrix
        return matrix + fraction * contrast * dimensions * matrix / (dimensions * matrix + (1 - fraction) * contrast)

    in_grain = embedded(grain, pore, 1 - solid_fraction) if grain else reuss(solid_fraction, grain, pore)
    in_pore = embedded(pore, grain, solid_fraction) if pore else reuss(solid_fraction, grain, pore)
    return (in_grain, in_pore) if grain <= pore else (in_pore, in_grain)


def _check_dimensions(dimensions: int) -> None:
    if dimensions not in (2, 3):
        raise InputError(f"bounds are known in 2 and 3 dimensions, not in {dimensions}")
