"""Laminates along every axis, and aslant, against their closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus

AXES = [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
"""Dimensions, and the axis along which layers are stacked."""


def layers(dimensions: int, axis: int) -> torch.Tensor:
    """``(1, 1, *S)``: seven layers of any density, some the same, in a sample whose edges differ."""
    densities = torch.rand(7, dtype=torch.float64, generator=torch.Generator().manual_seed(7)) * 0.9 + 0.1
    densities[4:6] = densities[3]
    shape = [3, 4, 5][:dimensions]
    shape[axis] = 7
    return densities.view([-1 if i == axis else 1 for i in range(dimensions)]).expand(shape)[None, None].clone()


def profile(density: torch.Tensor, axis: int) -> np.ndarray:
    """The densities of the layers."""
    return density[0, 0].movedim(axis, 0).flatten(1)[:, 0].numpy()


@pytest.mark.parametrize(("dimensions", "axis"), AXES)
def test_diffusion_adds_resistances_across_layers_and_conductances_along_them(dimensions, axis):
    density = layers(dimensions, axis)
    local = 1 - 0.95 * profile(density, axis)
    along, across = local.mean(), 1 / (1 / local).mean()
    tensor = Diffusivity(0.05, "periodic", tolerance=1e-12).solve(density, 1.0).tensor[0]
    expected = np.diag([across if i == axis else along for i in range(dimensions)])
    assert tensor.numpy() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    fixed = Diffusivity(0.05, "fixed", tolerance=1e-12).solve(density, 1.0).values.item()
    assert fixed == pytest.approx(expected[0, 0], rel=1e-9)


@pytest.mark.parametrize(("dimensions", "axis"), AXES)
@pytest.mark.parametrize("nu", [0.074, 0.4, -0.3])
def test_every_stiffness_of_a_laminate_is_backus(dimensions, axis, nu):
    density = layers(dimensions, axis)
    found = YoungsModulus(1.0, nu, tolerance=1e-12).solve(density, 1.0).tensor[0].numpy()
    expected = voigt(backus(profile(density, axis), nu, axis), dimensions)
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-10)


def backus(weight: np.ndarray, nu: float, axis: int) -> np.ndarray:
    """``(3, 3, 3, 3)`` stiffness of layers of one isotropic material times these weights.

    Backus, J. Geophys. Res. 67 (1962) 4427, equation 13.
    """
    across, along = 1 / (1 / weight).mean(), weight.mean()
    lame, shear = nu / (1 + nu) / (1 - 2 * nu), 1 / (2 * (1 + nu))
    plane = lame + 2 * shear
    squeezed = (across - along) * lame**2 / plane  # layers give way along the axis when they are stretched
    stiffness = np.zeros((3, 3, 3, 3))
    for i, j in itertools.product(range(3), repeat=2):
        if i == j:
            stiffness[i, i, i, i] = across * plane if i == axis else along * plane + squeezed
            continue
        is_within = axis not in (i, j)
        stiffness[i, i, j, j] = along * lame + squeezed if is_within else across * lame
        stiffness[i, j, i, j] = stiffness[i, j, j, i] = (along if is_within else across) * shear
    return stiffness


def voigt(stiffness: np.ndarray, dimensions: int) -> np.ndarray:
    pairs = [(0, 0), (1, 1), (0, 1)] if dimensions == 2 else [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    return np.array([[stiffness[a + b] for b in pairs] for a in pairs])


@pytest.mark.parametrize(("dimensions", "axis"), AXES)
def test_flow_between_plates_is_poiseuilles_along_them_and_nothing_across(dimensions, axis):
    density = torch.ones(1, 1, *[9, 10, 11][:dimensions], dtype=torch.float64)
    height, total = 5, density.shape[2 + axis]
    density.narrow(2 + axis, 3, height).fill_(0)
    poiseuille = height**3 / (12 * total)
    solution = Permeability("transverse", flow="all", boundary="periodic", tolerance=1e-11).solve(density, 1.0)
    expected = np.diag([0.0 if i == axis else poiseuille for i in range(dimensions)])
    assert solution.tensor[0].numpy() == pytest.approx(expected, rel=1e-8, abs=1e-7)
    assert list(solution.status) == ["non_percolating" if axis == 0 else "ok"]


@pytest.mark.parametrize("axis", [0, 1])
def test_flow_along_a_bundle_of_slits_is_poiseuilles_whichever_way_they_lie(axis):
    density = torch.ones(1, 1, 9, 10, dtype=torch.float64)
    total = density.shape[2 + axis]
    density.narrow(2 + axis, 3, 5).fill_(0)
    for boundary in ("mirror", "periodic"):
        k = Permeability(boundary=boundary, tolerance=1e-11).solve(density, 1.0).values.item()
        assert k == pytest.approx(5**3 / (12 * total), rel=1e-9)


@pytest.mark.parametrize(("dimensions", "axis"), AXES)
def test_flow_across_permeable_layers_meets_their_resistances_in_series(dimensions, axis):
    density = layers(dimensions, axis)
    simulator = Permeability("transverse", flow="xyz"[axis], grain_permeability=1e-2, tolerance=1e-12)
    expected = 1e-2 / profile(density, axis).mean()
    assert simulator.solve(density, 1.0).values.item() == pytest.approx(expected, rel=1e-6)


def aslant(size: int) -> torch.Tensor:
    """``(1, 1, size, size)``: a half of a tenth of the density, in one wide stripe across the diagonal."""
    place = torch.arange(size)
    return torch.where((place[:, None] + place) % size < size // 2, 1.0, 0.1).double()[None, None]


def test_diffusion_through_slanting_layers_has_the_turned_tensor():
    density = aslant(128)
    local = 1 - 0.9 * density
    along, across = local.mean().item(), 1 / (1 / local).mean().item()
    expected = np.array([[along + across, across - along], [across - along, along + across]]) / 2
    tensor = Diffusivity(0.1, "periodic", tolerance=1e-8).solve(density, 1.0).tensor[0].numpy()
    assert tensor == pytest.approx(expected, rel=0.02)


def test_the_stiffness_of_slanting_layers_is_the_turned_one():
    density, nu = aslant(128), 0.2
    straight = backus(density.flatten().numpy(), nu, 0)[:2, :2, :2, :2]
    turn = np.array([[1, -1], [1, 1]]) / 2**0.5
    turned = np.einsum("ai,bj,ck,dl,ijkl->abcd", turn, turn, turn, turn, straight)
    found = YoungsModulus(1.0, nu, tolerance=1e-8).solve(density, 1.0).tensor[0].numpy()
    assert found == pytest.approx(voigt(turned, 2), rel=0.01, abs=1e-3)
