"""Regular arrays of discs and spheres against published tables and exact series, within what voxels allow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import binom, zeta

from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

# Sangani and Acrivos, Int. J. Multiphase Flow 8 (1982) 193, table 1: drag over viscosity and mean velocity.
CYLINDERS = {0.05: 15.56, 0.1: 24.83, 0.2: 51.53, 0.3: 102.90, 0.4: 217.89, 0.5: 532.55, 0.6: 1763.0}

# Zick and Homsy, J. Fluid Mech. 115 (1982) 13, table 2: drag over Stokes' drag of a single sphere.
SPHERES = {0.027: 2.008, 0.064: 2.810, 0.125: 4.292, 0.216: 7.442, 0.343: 15.4, 0.45: 28.1, 0.5236: 42.1}


def drag_of_cylinders(share: float, order: int = 24) -> float:
    """Drag over viscosity and mean velocity of a square array, by boundary collocation on a quarter of the cell.

    Goursat's form: the velocity is ``phi - z conj(phi') - conj(psi)``, the vorticity goes with ``Im phi'``, and both
    functions are even powers of z besides the logarithm that carries the drag.
    """
    points, weights = np.polynomial.legendre.leggauss(64)
    points = (points + 1) / 4
    powers = np.array([n for n in range(-2 * order, 2 * order + 1, 2) if n])
    scale = np.where(powers < 0, radius(share, 2), 0.5)

    def slope(z: np.ndarray) -> np.ndarray:
        return powers * (z[:, None] / scale) ** powers / z[:, None]

    def velocity(z: np.ndarray) -> np.ndarray:
        f = (z[:, None] / scale) ** powers
        log = 2 * np.log(abs(z)) - z / z.conj()
        return np.column_stack([log, np.ones_like(z), f - z[:, None] * slope(z).conj(), -f.conj()])

    def vorticity(log: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.column_stack([log, 0 * log, others, 0 * others]).imag

    arc, top, side = radius(share, 2) * np.exp(1j * math.pi * points), points + 0.5j, 0.5 + 1j * points
    no_slip = velocity(arc)
    symmetry = [velocity(top).imag, velocity(side).imag, vorticity(1 / top, slope(top))]
    steepness = vorticity(-1 / side**2, slope(side) * (powers - 1) / side[:, None])
    equations = np.concatenate([no_slip.real, no_slip.imag, *symmetry, steepness])
    rest = np.linalg.lstsq(equations[:, 1:], -equations[:, 0], rcond=1e-14)[0]
    mean = weights / 2 @ (velocity(side) @ np.concatenate([[1], rest])).real
    return 8 * math.pi / abs(mean)


def diffusivity_past_discs(share: float, grain: float, order: int = 12) -> float:
    """D/D0 of a square array of discs by all of Rayleigh's multipoles.

    Rayleigh, Phil. Mag. 34 (1892) 481; Perrins, McKenzie, McPhedran, Proc. R. Soc. A 369 (1979) 207.
    """
    odd = np.arange(1, 2 * order, 2)
    a = radius(share, 2)
    neighbours = np.array([[binom(m + n - 1, n) * lattice_sum(m + n) * a ** (m + n) for m in odd] for n in odd])
    contrast = (1 + grain) / (1 - grain)
    moments = np.linalg.solve(contrast * np.eye(order) + neighbours, a * (odd == 1))
    return 1 - 2 * math.pi * a * moments[0]


def lattice_sum(n: int) -> float:
    """Sum of ``z^-n`` over the points of the unit square lattice but 0; pi for n = 2, where the field is its mean."""
    if n == 2 or n % 4:
        return math.pi * (n == 2)
    q = math.exp(-2 * math.pi)
    series = sum(k ** (n - 1) * q**k / (1 - q**k) for k in range(1, 60))
    return 2 * zeta(n) + 2 * (2 * math.pi) ** n / math.factorial(n - 1) * series


def ball(size: int, share: float, dimensions: int) -> torch.Tensor:
    """``(1, 1, *S)`` ones in a disc or sphere that has this share of the unit cell."""
    x = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    squares = [(x**2).view(*[-1 if i == j else 1 for j in range(dimensions)]) for i in range(dimensions)]
    return (sum(squares) < radius(share, dimensions) ** 2).double()[None, None]


def radius(share: float, dimensions: int) -> float:
    return math.sqrt(share / math.pi) if dimensions == 2 else (3 * share / 4 / math.pi) ** (1 / 3)


@pytest.mark.parametrize(("share", "drag"), CYLINDERS.items())
def test_the_published_drags_of_cylinders_are_those_of_boundary_collocation(share, drag):
    assert drag_of_cylinders(share) == pytest.approx(drag, rel=5e-4)


def test_the_published_drags_of_spheres_begin_with_hasimotos_series():
    # Hasimoto, J. Fluid Mech. 5 (1959) 317: the next term is of the order of share^(8/3).
    for share in (0.027, 0.064):
        series = 1 / (1 - 1.7601 * share ** (1 / 3) + share - 1.5593 * share**2)
        assert SPHERES[share] == pytest.approx(series, rel=25 * share ** (8 / 3))


@pytest.mark.parametrize("share", CYLINDERS)
def test_flow_across_a_square_array_of_cylinders_has_the_drag_of_sangani_and_acrivos(share):
    density = ball(128, share, 2).float()
    k = Permeability("transverse", boundary="periodic").solve(density, 1 / 128).values.item()
    # Staircases have less room than circles: from below.
    assert -0.07 < k * drag_of_cylinders(share) - 1 < 0


@pytest.mark.parametrize("flow", ["x", "y"])
def test_flow_past_cylinders_comes_nearer_on_a_finer_grid(flow):
    density = ball(512, 0.3, 2).float()
    k = Permeability("transverse", flow=flow, boundary="periodic").solve(density, 1 / 512).values.item()
    assert -0.006 < k * drag_of_cylinders(0.3) - 1 < 0


@pytest.mark.parametrize(("share", "drag"), SPHERES.items())
def test_flow_through_a_simple_cubic_array_of_spheres_is_zick_and_homsy(share, drag):
    expected = 1 / (6 * math.pi * radius(share, 3) * drag)
    density = ball(32, share, 3).float()
    assert -0.11 < Permeability(boundary="periodic").solve(density, 1 / 32).values.item() / expected - 1 < 0


def test_flow_through_spheres_comes_nearer_on_a_finer_grid():
    expected = 1 / (6 * math.pi * radius(0.343, 3) * SPHERES[0.343])
    density = ball(64, 0.343, 3).float()
    assert -0.045 < Permeability(boundary="periodic").solve(density, 1 / 64).values.item() / expected - 1 < 0


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize(("size", "error"), [(64, 0.026), (128, 0.017), (256, 0.007)])
def test_diffusion_past_a_square_array_of_holes_is_rayleighs(size, error, share):
    solution = Diffusivity(0.0, "periodic").solve(ball(size, share, 2).float(), 1.0)
    assert solution.values.item() == pytest.approx(diffusivity_past_discs(share, 0.0), rel=error)


@pytest.mark.parametrize("grain", [0.1, 10.0])
@pytest.mark.parametrize("boundary", ["fixed", "periodic"])
def test_diffusion_through_a_square_array_of_discs_is_rayleighs(grain, boundary):
    # The cell's faces are planes of symmetry, so both boundaries have the same value.
    solution = Diffusivity(grain, boundary).solve(ball(128, 0.5, 2).float(), 1.0)
    assert solution.values.item() == pytest.approx(diffusivity_past_discs(0.5, grain), rel=0.01)


def test_the_multipoles_begin_with_rayleighs_series():
    series = 1 + 0.2 - 0.305827 * 0.2**4 / (1 - 1.402958 * 0.2**8) - 0.013362 * 0.2**8
    assert diffusivity_past_discs(0.2, 0.0) == pytest.approx(1 - 0.4 / series, abs=1e-9)


@pytest.mark.parametrize(("dimensions", "size", "error"), [(2, 256, 0.03), (3, 48, 0.1)])
@pytest.mark.parametrize("grain", [0.0, 5.0])
def test_few_inclusions_change_the_diffusivity_as_single_ones_do(dimensions, size, error, grain):
    # Maxwell's: each inclusion is alone in a uniform gradient. Staircase walls make holes look larger.
    density = ball(size, 0.01, dimensions)
    expected = dimensions * (grain - 1) / (grain + dimensions - 1)
    value = Diffusivity(grain, "periodic", tolerance=1e-4).solve(density, 1.0).values.item()
    assert (value - 1) / density.mean().item() == pytest.approx(expected, rel=error)


@pytest.mark.parametrize(("dimensions", "size"), [(2, 256), (3, 32)])
def test_few_holes_soften_as_single_ones_do(dimensions, size):
    # A circular hole in a plane: E falls by 3 f. A spherical one: Mackenzie, Proc. Phys. Soc. B 63 (1950) 2.
    nu = 0.3
    expected = 3.0 if dimensions == 2 else 3 * (1 - nu) * (9 + 5 * nu) / (2 * (7 - 5 * nu))
    whole = 1 / (1 - nu**2) if dimensions == 2 else 1.0
    holes = ball(size, 0.01, dimensions)
    value = YoungsModulus(1.0, nu, tolerance=1e-4).solve(1 - holes, 1.0).values.item()
    assert (1 - value / whole) / holes.mean().item() == pytest.approx(expected, rel=0.03)
