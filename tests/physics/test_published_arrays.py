"""Regular arrays of discs and spheres against published series and tables, within what voxels allow."""

from __future__ import annotations

import math

import pytest
import torch

from matopt.physics.diffusion import Diffusivity
from matopt.physics.elasticity import YoungsModulus
from matopt.physics.permeability import Permeability

# Sangani and Acrivos, Int. J. Multiphase Flow 8 (1982) 193, table 1: drag over viscosity and mean velocity.
CYLINDERS = {0.05: 15.56, 0.1: 24.83, 0.2: 51.53, 0.3: 102.90, 0.4: 217.89, 0.5: 532.55, 0.6: 1763.0}

# Zick and Homsy, J. Fluid Mech. 115 (1982) 13, table 2: drag over Stokes' drag of a single sphere.
SPHERES = {0.027: 2.008, 0.064: 2.810, 0.125: 4.292, 0.216: 7.442, 0.343: 15.4, 0.45: 28.1, 0.5236: 42.1}


def ball(size: int, share: float, dimensions: int) -> torch.Tensor:
    """``(1, 1, *S)`` ones in a disc or sphere that has this share of the unit cell."""
    x = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    squares = [(x**2).view(*[-1 if i == j else 1 for j in range(dimensions)]) for i in range(dimensions)]
    return (sum(squares) < radius(share, dimensions) ** 2).double()[None, None]


def radius(share: float, dimensions: int) -> float:
    return math.sqrt(share / math.pi) if dimensions == 2 else (3 * share / 4 / math.pi) ** (1 / 3)


@pytest.mark.parametrize(("share", "drag"), CYLINDERS.items())
def test_flow_across_a_square_array_of_cylinders_is_sangani_and_acrivos(share, drag):
    density = ball(128, share, 2).float()
    assert Permeability("transverse").solve(density, 1 / 128).values.item() == pytest.approx(1 / drag, rel=0.03)


@pytest.mark.parametrize(("share", "drag"), SPHERES.items())
def test_flow_through_a_simple_cubic_array_of_spheres_is_zick_and_homsy(share, drag):
    expected = 1 / (6 * math.pi * radius(share, 3) * drag)
    density = ball(32, share, 3).float()
    assert Permeability().solve(density, 1 / 32).values.item() == pytest.approx(expected, rel=0.04)


def test_flow_through_spheres_comes_nearer_on_a_finer_grid():
    expected = 1 / (6 * math.pi * radius(0.343, 3) * SPHERES[0.343])
    density = ball(64, 0.343, 3).float()
    assert Permeability().solve(density, 1 / 64).values.item() == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize(("size", "error"), [(64, 0.026), (128, 0.017), (256, 0.007)])
def test_diffusion_past_a_square_array_of_holes_is_rayleighs_series(size, error, share):
    # Rayleigh, Phil. Mag. 34 (1892) 481, as carried on by Perrins, McKenzie, McPhedran, Proc. R. Soc. A 369 (1979) 207.
    series = 1 + share - 0.305827 * share**4 / (1 - 1.402958 * share**8) - 0.013362 * share**8
    solution = Diffusivity(0.0, "periodic").solve(ball(size, share, 2).float(), 1.0)
    assert solution.values.item() == pytest.approx(1 - 2 * share / series, rel=error)


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
