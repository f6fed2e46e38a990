"""Axial permeability of sections against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from matopt.physics.permeability import Permeability

TIGHT = Permeability(tolerance=1e-11)


@pytest.mark.parametrize("boundary", ["mirror", "periodic"])
@pytest.mark.parametrize("height", [1, 2, 3, 8])
def test_a_slit_of_any_width_has_poiseuilles_permeability(height, boundary):
    total = 12
    density = torch.ones(1, 1, total, 6, dtype=torch.float64)
    density[:, :, 3 : 3 + height] = 0
    value = Permeability(boundary=boundary, tolerance=1e-11).solve(density, 1.0).values.item()
    assert value == pytest.approx(height**3 / (12 * total), rel=1e-9)


@pytest.mark.parametrize(("edge", "error"), [(16, 0.016), (64, 0.001)])
def test_a_square_duct_has_its_known_permeability(edge, error):
    density = torch.ones(1, 1, edge + 3, edge + 5, dtype=torch.float64)
    density[:, :, 1:-2, 2:-3] = 0
    conductance = TIGHT.solve(density, 1.0).values.item() * density.numel()
    assert conductance == pytest.approx(0.0351443 * edge**4, rel=error)


def test_a_circular_duct_has_its_known_permeability():
    x = torch.arange(100, dtype=torch.float64) - 49.5
    density = (x[:, None] ** 2 + x**2 > 40**2).double()[None, None]
    conductance = TIGHT.solve(density, 1.0).values.item() * density.numel()
    assert conductance == pytest.approx(math.pi * 40**4 / 8, rel=0.01)


def test_pores_at_an_edge_are_continued_by_their_mirror_image_or_by_the_other_edge():
    half = torch.ones(1, 1, 10, 20, dtype=torch.float64)
    half[:, :, :8, 4:16] = 0
    whole = torch.cat([half.flip(2), half], 2)
    mirror = Permeability(boundary="mirror", tolerance=1e-11)
    assert mirror.solve(half, 1.0).values.item() == pytest.approx(mirror.solve(whole, 1.0).values.item())
    split = whole.roll(20, 2)
    assert TIGHT.solve(split, 1.0).values.item() == pytest.approx(TIGHT.solve(whole, 1.0).values.item())
    assert mirror.solve(split, 1.0).values.item() == pytest.approx(mirror.solve(whole, 1.0).values.item())


def test_the_voxel_size_enters_squared():
    density = torch.ones(1, 1, 10, 10)
    density[..., 2:7, 3:8] = 0
    micron, unit = Permeability().solve(density, 1e-6).values, Permeability().solve(density, 1.0).values
    assert micron.item() == pytest.approx(1e-12 * unit.item(), rel=1e-5)
    with pytest.raises(ValueError, match="voxel_size"):
        Permeability().solve(density, 0.0)


@pytest.mark.parametrize("boundary", ["mirror", "periodic"])
def test_gradients_match_finite_differences(boundary):
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(2, 1, 6, 5, dtype=torch.float64, generator=generator) * 0.9 + 0.05
    density[0, 0, ::2, ::2] = 1  # grains stay full: the gradient is that of the pores beside them
    pores = (density < 1).double()
    simulator = Permeability(boundary=boundary, tolerance=1e-12)
    assert torch.autograd.gradcheck(
        lambda d: simulator.solve(d * pores + (1 - pores), 1.0).values, density.requires_grad_(), atol=1e-7
    )


@pytest.mark.parametrize("boundary", ["mirror", "periodic"])
def test_the_gradient_of_a_full_voxel_is_the_limit_as_it_opens(boundary):
    density = torch.ones(1, 1, 7, 7, dtype=torch.float64)
    density[..., 2:4, 2:6] = 0
    simulator = Permeability(boundary=boundary, tolerance=1e-12)
    solution = simulator.solve(density.requires_grad_(), 1.0)
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert (gradient <= 0).all()
    for place in ((0, 0, 1, 3), (0, 0, 6, 0)):
        with torch.no_grad():
            opened = density.clone()
            opened[place] -= 1e-6
            slope = (solution.values - simulator.solve(opened, 1.0).values) / 1e-6
        assert slope.item() == pytest.approx(gradient[place].item(), rel=1e-5)


def test_the_value_is_continuous_from_grey_to_full():
    density = torch.ones(2, 1, 9, 9, dtype=torch.float64)
    density[:, :, 2:6, 3:7] = 0
    density[1] = density[1].clamp(0, 1 - 1e-9)
    values = TIGHT.solve(density, 1.0).values
    assert values[1].item() == pytest.approx(values[0].item(), rel=1e-6)


def test_sections_without_pores_or_without_grains_have_a_status_and_no_nan():
    density = torch.stack([torch.full((1, 5, 8), s) for s in (1.0, 0.0, 0.5)])
    density = torch.cat([density, torch.ones(1, 1, 5, 8)])
    density[3, 0, 2, 2] = 0  # one pore of one voxel, a wall of 6 on each side: u = 1/24
    solution = Permeability().solve(density.requires_grad_(), 1.0)
    assert list(solution.status) == ["non_percolating", "not_converged", "ok", "ok"]
    assert solution.values.tolist() == pytest.approx([0, 0, 1 / 12, 1 / 24 / 40])
    assert solution.residual[1] == 1
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert gradient.isfinite().all() and (gradient <= 0).all()


def test_turning_a_section_changes_nothing(rock):
    assert torch.allclose(TIGHT.solve(rock, 1.0).values, TIGHT.solve(rock.rot90(1, (2, 3)), 1.0).values)


def test_real_windows_are_ok_and_a_batch_equals_its_singles(berea_windows):
    given = berea_windows.clone()
    solution = Permeability().solve(berea_windows, 5.345e-6)
    singles = torch.cat([Permeability().solve(window[None], 5.345e-6).values for window in berea_windows])
    assert solution.is_ok.all() and (solution.values > 0).all()
    assert torch.allclose(solution.values, singles, rtol=1e-5)
    assert (berea_windows == given).all()
