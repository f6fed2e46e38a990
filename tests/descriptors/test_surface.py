import math
from collections.abc import Callable

import pytest
import torch

from matopt.descriptors.surface import specific_surface


def ball(dimensions: int, radius: float, edge: int = 56) -> torch.Tensor:
    """``(1, 1, *S)``: a pore that is a disc or ball, off the grid's centre."""
    axes = torch.meshgrid(*[torch.arange(edge, dtype=torch.float64)] * dimensions, indexing="ij")
    offsets = (27.3, 27.6, 27.1)
    distance = sum((a - c) ** 2 for a, c in zip(axes, offsets, strict=False))
    return (distance > radius**2).double()[None, None]


@pytest.mark.parametrize("radius", [5.0, 8.5, 12.0, 20.0])
def test_a_disc_has_its_circumference(radius: float) -> None:
    found = specific_surface(ball(2, radius), 2e-6).item() * (56 * 2e-6) ** 2
    assert found == pytest.approx(2 * math.pi * radius * 2e-6, rel=0.035)


@pytest.mark.parametrize("radius", [5.0, 8.5, 12.0, 20.0])
def test_a_ball_has_its_surface(radius: float) -> None:
    found = specific_surface(ball(3, radius), 2e-6).item() * (56 * 2e-6) ** 3
    assert found == pytest.approx(4 * math.pi * (radius * 2e-6) ** 2, rel=0.04)


def test_flat_faces_keep_within_the_stated_dependence_on_orientation() -> None:
    flat = torch.ones(1, 1, 32, 32, dtype=torch.float64)
    flat[:, :, :8] = 0
    assert specific_surface(flat, 1.0, periodic=True).item() * 16 == pytest.approx(0.948, abs=0.001)
    solid = torch.ones(1, 1, 32, 32, 32, dtype=torch.float64)
    solid[:, :, :8] = 0
    assert specific_surface(solid, 1.0, periodic=True).item() * 16 == pytest.approx(0.927, abs=0.001)


def test_turning_shifting_and_exchanging_the_phases_change_nothing() -> None:
    density = (torch.rand(1, 1, 12, 12, 12, generator=torch.Generator().manual_seed(1)) > 0.4).double()
    found = specific_surface(density, 1.0, periodic=True)
    torch.testing.assert_close(specific_surface(density.rot90(1, (2, 4)), 1.0, periodic=True), found)
    torch.testing.assert_close(specific_surface(density.roll((3, 5), (2, 3)), 1.0, periodic=True), found)
    torch.testing.assert_close(specific_surface(1 - density, 1.0, periodic=True), found)


def test_it_goes_with_the_inverse_of_the_voxel_size() -> None:
    density = ball(2, 9.0)
    torch.testing.assert_close(specific_surface(density, 5e-6), 0.2 * specific_surface(density, 1e-6))


def test_a_boolean_model_meets_its_closed_form(boolean_model: Callable[..., torch.Tensor]) -> None:
    # Discs of a Poisson process: interface length over area = rho 2 pi r exp(-rho pi r^2).
    edge, radius, number = 256, 12.0, 60
    images = boolean_model(100, edge, radius, number, seed=4)
    rho = number / edge**2
    expected = rho * 2 * math.pi * radius * math.exp(-rho * math.pi * radius**2)
    assert specific_surface(images, 1.0, periodic=True).mean().item() == pytest.approx(expected, rel=0.04)
