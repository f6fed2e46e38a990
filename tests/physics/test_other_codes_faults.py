"""Wrong answers that other codes are known for, each as it was reported: ours must not give them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from matopt.physics.base import Simulator
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.permeability import SQUARE_METRES_A_MILLIDARCY, Permeability
from matopt.physics.youngs_modulus import YoungsModulus

THROUGH_PORES = [
    Diffusivity(0.0),
    Diffusivity(0.0, "periodic"),
    Permeability("transverse"),
    Permeability("transverse", boundary="mirror"),
]
MICRON = 1e-6


@pytest.mark.parametrize("shape", [(12, 9), (8, 7, 6)])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("simulator", THROUGH_PORES, ids=repr)
def test_an_image_that_does_not_percolate_is_not_reported_as_solved(simulator, precision, shape):
    # TauFactor issues 92 and 94: a negative or infinite tortuosity, and "converged".
    image = (torch.rand(3, 1, *shape, generator=torch.Generator().manual_seed(0)) > 0.6).to(precision)
    image[0, :, 3] = 1  # a wall in an open image
    image[1, :, -2:] = 1  # a wall at its end
    image[2] = 1
    solution = simulator.solve(image, MICRON)
    assert list(solution.status) == ["non_percolating"] * 3 and not solution.is_ok.any()
    assert solution.values.tolist() == [0.0] * 3
    assert solution.tensor[:, 0, 0].tolist() == pytest.approx([0.0] * 3, abs=1e-5)


def test_grain_that_does_not_percolate_is_not_reported_as_stiff():
    image = torch.ones(1, 1, 8, 6, 7)
    image[:, :, 3] = 0
    solution = YoungsModulus().solve(image, MICRON)
    assert list(solution.status) == ["non_percolating"] and solution.values.tolist() == [0.0]


@pytest.mark.parametrize("simulator", [*THROUGH_PORES, YoungsModulus(1.0)], ids=repr)
@pytest.mark.parametrize("shape", [(10, 11), (7, 6, 8)])
def test_what_floats_is_left_out_of_the_solve_and_not_out_of_the_image(simulator: Simulator, shape):
    # PoreSpy issues 746 and 758: floating pores are filled, in the caller's image or in the porosity that is told.
    image = torch.ones(1, 1, *shape)
    image[:, :, :, 1:4] = 0
    carrier = 0 if simulator in THROUGH_PORES else 1
    if carrier:
        image = 1 - image
    floating = image.clone()
    place = (slice(None), slice(None), slice(2, 4), slice(6, 8))
    assert (floating[place] == 1 - carrier).all()
    floating[place] = carrier
    given = floating.clone()
    with_floating, without = simulator.solve(floating, MICRON), simulator.solve(image, MICRON)
    assert torch.equal(floating, given)
    assert list(with_floating.status) == ["ok"]
    assert with_floating.values.item() == pytest.approx(without.values.item(), rel=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 10])
@pytest.mark.parametrize("boundary", ["fixed", "periodic"])
def test_a_straight_channel_has_a_tortuosity_of_one_at_any_length(boundary, length):
    # PoreSpy issue 495: a length that is one voxel short makes the tortuosity less than 1.
    image = torch.ones(1, 1, length, 5, 5, dtype=torch.float64)
    image[..., 1:3, 1:4] = 0
    porosity = 6 / 25
    diffusivity = Diffusivity(0.0, boundary, tolerance=1e-12).solve(image, MICRON).values.item()
    assert porosity / diffusivity == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_no_path_is_shorter_than_the_straight_one(seed):
    noise = torch.rand(1, 1, 6, 7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    image = (noise > 0.7).double()
    solution = Diffusivity(0.0, tolerance=1e-10).solve(image, MICRON)
    assert list(solution.status) == ["ok"]
    assert (1 - image.mean()) / solution.values.item() >= 1


@pytest.mark.parametrize("voxel_size", [1.0, 1e-3, 5.345e-6, 1e-9])
def test_permeability_is_in_square_metres_at_any_voxel_size(voxel_size):
    # OpenPNM issues 1757 and 3038: wrong by orders of magnitude but where a voxel is 1. taichi_LBM3D issue 26: lattice
    # units. A slit between plates, and a duct, in SI units.
    slit = torch.ones(1, 1, 3, 20, 4, dtype=torch.float64)
    slit[:, :, :, 2:18] = 0
    height, period = 16 * voxel_size, 20 * voxel_size
    simulator = Permeability(boundary="periodic", tolerance=1e-10)
    assert simulator.solve(slit, voxel_size).values.item() == pytest.approx(height**3 / (12 * period), rel=1e-3)
    duct = torch.ones(1, 1, 40, 40, dtype=torch.float64)
    duct[:, :, 4:36, 4:36] = 0
    edge, area = 32 * voxel_size, (40 * voxel_size) ** 2
    assert simulator.solve(duct, voxel_size).values.item() == pytest.approx(0.0351443 * edge**4 / area, rel=0.01)


def test_a_millidarcy_is_what_the_display_unit_says():
    # A darcy lets 1 cm^3/s of 1 cP through 1 cm^2 under 1 atm/cm.
    darcy = 1e-6 * 1e-3 * 1e-2 / (1e-4 * 101325)
    assert pytest.approx(darcy / 1000, rel=1e-6) == SQUARE_METRES_A_MILLIDARCY
    assert Permeability().property.display_factor * darcy == pytest.approx(1000, rel=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_axes_of_tensors_are_those_of_the_image(axis):
    # PuMA issue 19: axes that nobody could tell. A channel, and a rod, along one axis of a sample of unlike edges.
    image = torch.ones(1, 1, 6, 7, 8, dtype=torch.float64)
    channel = [slice(None) if i == axis else slice(2, 4) for i in range(3)]
    image[(0, 0, *channel)] = 0
    share = 4 * image.shape[2 + axis] / image[0].numel()
    carried = np.zeros((3, 3))
    carried[axis, axis] = 1
    diffusivity = Diffusivity(0.0, "periodic").solve(image, MICRON)
    assert diffusivity.tensor[0].numpy() == pytest.approx(share * carried, abs=1e-6)
    flow = Permeability(flow="all", boundary="periodic").solve(image, MICRON)
    duct = share * MICRON**2 / 6  # a duct of two voxels by two on this grid, with walls of 3
    assert flow.tensor[0].numpy() == pytest.approx(duct * carried, rel=1e-6, abs=1e-6 * duct)
    stiffness = YoungsModulus(1.0, 0.2).solve(1 - image, MICRON).tensor[0].numpy()
    only = np.zeros((6, 6))
    only[axis, axis] = share
    assert stiffness == pytest.approx(only, abs=1e-6)
    named = [Permeability(flow=name).solve(image, MICRON).values.item() for name in "xyz"]
    assert [math.isclose(k, 0) for k in named] == [i != axis for i in range(3)]
