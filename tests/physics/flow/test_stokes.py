"""Permeability of volumes against closed forms and series."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.physics.flow.stokes import Stokes
from matopt.physics.permeability import Permeability

TIGHT = Permeability(boundary="periodic", tolerance=1e-11)


@pytest.mark.parametrize("across", [3, 4])
@pytest.mark.parametrize("height", [1, 2, 5])
def test_a_slit_of_any_width_has_poiseuilles_permeability(height, across):
    total = 9
    density = torch.ones(1, 1, 6, 9, 9, dtype=torch.float64)
    density.narrow(across, 2, height).fill_(0)
    assert TIGHT.solve(density, 1.0).values.item() == pytest.approx(height**3 / (12 * total), rel=1e-9)


def test_an_extruded_section_has_the_permeability_of_its_duct(rock):
    section = 1 - rock  # pores of a few voxels, walls at stairs and corners
    volume = section[:, :, None].repeat(1, 1, 3, 1, 1)
    ducts = TIGHT.solve(section, 1.0).values
    assert torch.allclose(TIGHT.solve(volume, 1.0).values, ducts, rtol=1e-9)


def test_the_flow_has_no_divergence(rock):
    volume = (torch.rand(1, 8, 7, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) > 0.7).double()
    stokes = Stokes.of(volume)
    _, flow = stokes.solve(1e-11, 2000)
    velocity, _ = stokes.fields(flow.x)
    divergence = sum(velocity[:, i] - velocity[:, i].roll(1, i + 1) for i in range(3))
    assert divergence.abs().max() < 1e-8 * velocity.abs().max()


@pytest.mark.parametrize("boundary", ["sealed", "periodic"])
def test_gradients_match_finite_differences(boundary):
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(1, 1, 4, 3, 5, dtype=torch.float64, generator=generator) * 0.9 + 0.05
    simulator = Permeability(boundary=boundary, tolerance=1e-12)
    assert torch.autograd.gradcheck(
        lambda d: simulator.solve(d, 1.0).values, density.requires_grad_(), atol=1e-6, fast_mode=True
    )


def test_the_gradient_of_a_full_voxel_is_the_limit_as_it_opens():
    density = torch.ones(1, 1, 6, 6, 6, dtype=torch.float64)
    density[..., 1:3, 1:4] = 0
    density[..., 2, 4, :2] = 0
    density[:, :, 3, :, 2] = 1
    density[:, :, 3, 1, 3] = 0
    simulator = Permeability(tolerance=1e-12)
    solution = simulator.solve(density.requires_grad_(), 1.0)
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert (gradient <= 1e-12).all()
    for place in ((0, 0, 3, 1, 2), (0, 0, 3, 2, 2), (0, 0, 2, 0, 2), (0, 0, 0, 4, 4)):
        with torch.no_grad():
            opened = density.clone()
            opened[place] -= 1e-6
            slope = (solution.values - simulator.solve(opened, 1.0).values) / 1e-6
        assert slope.item() == pytest.approx(gradient[place].item(), rel=1e-4, abs=1e-9)


def test_the_tensor_of_all_axes_holds_each_axis_and_is_symmetric_and_turns_with_the_sample():
    generator = torch.Generator().manual_seed(2)
    density = (torch.rand(2, 1, 7, 6, 5, dtype=torch.float64, generator=generator) > 0.6).double()
    whole = Permeability(flow="all", boundary="periodic", tolerance=1e-11).solve(density, 1.0)
    for i, flow in enumerate("xyz"):
        one = Permeability(flow=flow, boundary="periodic", tolerance=1e-11).solve(density, 1.0)
        assert torch.allclose(whole.tensor[:, i, i], one.values, rtol=1e-8)
        turned = TIGHT.solve(density.movedim(2 + i, 2), 1.0).values
        assert torch.allclose(one.values, turned, rtol=1e-8)
    assert torch.equal(whole.tensor, whole.tensor.mT) and (whole.values == whole.tensor[:, 0, 0]).all()
    assert (torch.linalg.eigvalsh(whole.tensor) > 0).all()
    # Turning by a quarter about z swaps x and y, and the sign of one of them.
    turned = Permeability(flow="all", boundary="periodic", tolerance=1e-11).solve(density.rot90(1, (2, 3)), 1.0).tensor
    order, sign = [1, 0, 2], torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    assert torch.allclose(turned, whole.tensor[:, order][:, :, order] * sign[:, None] * sign, atol=1e-9)


def test_a_pore_along_one_diagonal_has_the_tensor_of_a_tilted_duct():
    density = torch.ones(1, 1, 8, 8, 4, dtype=torch.float64)
    for i in range(8):
        density[:, :, i, i] = density[:, :, i, (i + 1) % 8] = density[:, :, i, (i + 2) % 8] = 0
    tensor = Permeability(flow="all", boundary="periodic", tolerance=1e-11).solve(density, 1.0).tensor[0]
    assert tensor[0, 0] == pytest.approx(tensor[1, 1].item()) and tensor[0, 1] == pytest.approx(tensor[0, 0].item())
    assert tensor[2, 2] > tensor[0, 0] and tensor[:2, 2].abs().max() < 1e-9


def test_axes_along_which_no_pore_reaches_have_nothing_and_the_others_their_value():
    density = torch.ones(1, 1, 6, 6, 6)
    density[:, :, 2:5, :, 2:5] = 0  # a duct along y
    for flow, status in (("x", "non_percolating"), ("y", "ok"), ("z", "non_percolating"), ("all", "non_percolating")):
        solution = Permeability(flow=flow).solve(density, 1.0)
        assert list(solution.status) == [status]
        assert (solution.tensor[0] > 0).sum() == (flow in ("y", "all"))


def test_a_mirrored_volume_is_its_reflection_in_every_axis(rock):
    density = (1 - rock)[:, :, :5, None, :6].repeat(1, 1, 1, 4, 1)
    density[:, :, :, 1:3, ::2] = 0
    reflected = density
    for axis in (2, 3, 4):
        reflected = torch.cat([reflected.flip(axis), reflected], axis)
    mirrored = Permeability(boundary="mirror", tolerance=1e-10).solve(density, 1.0)
    assert torch.allclose(mirrored.values, TIGHT.solve(reflected, 1.0).values, rtol=1e-7)
    assert (mirrored.values > 0).any()


def test_a_sealed_volume_is_its_reflection_along_the_flow_within_walls(rock):
    density = (1 - rock)[:, :, :5, None, :6].repeat(1, 1, 1, 4, 1)
    density[:, :, :, 1:3, ::2] = 0
    sealed = Permeability(flow="all", tolerance=1e-10).solve(density, 1.0)
    for axis in range(3):
        walls = torch.nn.functional.pad(density.movedim(2 + axis, 2), (1, 1, 1, 1), value=1.0)
        reflected = TIGHT.solve(torch.cat([walls.flip(2), walls], 2), 1.0).values * walls[0].numel()
        assert torch.allclose(sealed.tensor[:, axis] * density[0].numel(), reflected, rtol=1e-7)
    assert (sealed.tensor > 0).any() and torch.equal(sealed.values, sealed.tensor[:, 0])


def test_a_sealed_slit_is_a_duct_of_its_sides_and_its_ends_do_not_matter():
    density = torch.ones(1, 1, 4, 6, 3, dtype=torch.float64)
    density[:, :, :, 1:5] = 0
    duct = Permeability(boundary="sealed", tolerance=1e-11).solve(density[:, :, 0], 1.0).values
    assert Permeability(tolerance=1e-11).solve(density, 1.0).values.item() == pytest.approx(duct.item(), rel=1e-9)
    assert duct.item() < TIGHT.solve(density, 1.0).values.item()


def test_volumes_that_let_nothing_through_have_a_status_and_no_nan():
    density = torch.ones(5, 1, 6, 5, 4)
    density[1] = 0
    density[2, :, :5, 2, 2] = 0  # a dead end
    density[3, :, 2] = 0  # a gap across the flow
    density[4, :, :, 2, 2] = 0  # a throat of one voxel: u = 1/24
    given = density.clone()
    solution = Permeability(boundary="periodic").solve(density.requires_grad_(), 1.0)
    expected = ["non_percolating", "not_converged", "non_percolating", "non_percolating", "ok"]
    assert list(solution.status) == expected
    assert solution.values.tolist() == pytest.approx([0, 0, 0, 0, 1 / 24 / 20], rel=1e-5, abs=0)
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert gradient.isfinite().all() and (density == given).all()


def test_a_real_volume_is_solved_and_a_batch_equals_its_singles(berea):
    cuts = [berea[:24, :24, :24], berea[80:104, 100:124, 200:224], berea[160:184, 100:124, 50:74]]
    density = torch.from_numpy(np.stack(cuts)[:, None].astype(np.float32))
    together = Permeability().solve(density, 5.345e-6)
    alone = [Permeability().solve(cut[None], 5.345e-6) for cut in density]
    assert [s.status[0] for s in alone] == list(together.status) and "ok" in together.status
    assert together.values.tolist() == pytest.approx([s.values.item() for s in alone], rel=1e-3)
    exact = Permeability(tolerance=1e-8).solve(density.double(), 5.345e-6).values
    assert together.values.tolist() == pytest.approx(exact.tolist(), rel=1e-3)
