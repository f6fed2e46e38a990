"""Diffusion against closed forms and an independent discretisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.errors import InputError
from matopt.physics.diffusivity import Diffusivity

BOUNDARIES = ["fixed", "periodic"]


def tight(grain: float, boundary: str) -> Diffusivity:
    return Diffusivity(grain, boundary, tolerance=1e-11)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(8, 5), (8, 4, 3)])
def test_a_laminate_meets_its_closed_form_along_and_across(boundary, shape):
    density = torch.zeros(1, 1, *shape, dtype=torch.float64)
    density[:, :, :2] = 1
    across = tight(0.1, boundary).solve(density, 1.0).values.item()
    along = tight(0.1, boundary).solve(density.transpose(2, 3), 1.0).values.item()
    assert across == pytest.approx(1 / (0.25 / 0.1 + 0.75))
    assert along == pytest.approx(0.25 * 0.1 + 0.75)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(9, 14), (5, 4, 6), (1, 7), (1, 1)])
def test_a_homogeneous_sample_has_its_own_diffusivity_without_an_iteration(boundary, shape):
    density = torch.stack([torch.full((1, *shape), s) for s in (0.0, 0.25, 1.0)])
    solution = Diffusivity(0.01, boundary).solve(density, 1.0)
    assert solution.values.tolist() == pytest.approx([1.0, 0.7525, 0.01], rel=1e-6)
    assert solution.is_ok.all() and (solution.iterations == 0).all()


def test_fixed_concentrations_agree_with_a_sparse_solve(rock):
    ours = tight(0.05, "fixed").solve(rock, 1.0).values
    for image, value in zip(rock[:, 0].numpy(), ours.tolist(), strict=True):
        assert value == pytest.approx(by_sparse_solve(image, 0.05), rel=1e-9)


def by_sparse_solve(solid: np.ndarray, grain: float) -> float:
    """Finite volumes written as a resistor network, D/D0 from the current through the inlet."""
    local = np.where(solid > 0, grain, 1.0)
    rows, columns = solid.shape
    conductance = np.zeros((solid.size, solid.size))
    source = np.zeros(solid.size)
    number = np.arange(solid.size).reshape(solid.shape)
    for i in range(rows):
        for j in range(columns):
            for k, m in ((i + 1, j), (i, j + 1)):
                if k < rows and m < columns:
                    a, b = number[i, j], number[k, m]
                    g = 1 / (0.5 / local[i, j] + 0.5 / local[k, m])
                    conductance[[a, b], [a, b]] += g
                    conductance[[a, b], [b, a]] -= g
    for j in range(columns):
        conductance[number[0, j], number[0, j]] += 2 * local[0, j]
        source[number[0, j]] = 2 * local[0, j]
        conductance[number[-1, j], number[-1, j]] += 2 * local[-1, j]
    concentration = np.linalg.solve(conductance, source)[number]
    current = (2 * local[0] * (1 - concentration[0])).sum()
    return current * rows / columns


def test_fixed_is_periodic_on_the_mirrored_image(rock):
    mirrored = torch.cat([rock, rock.flip(2)], 2)
    mirrored = torch.cat([mirrored, mirrored.flip(3)], 3)
    fixed = tight(0.01, "fixed").solve(rock, 1.0).values
    assert torch.allclose(fixed, tight(0.01, "periodic").solve(mirrored, 1.0).values, rtol=1e-9)


def test_turning_the_image_permutes_the_tensor(rock):
    tensor = tight(0.01, "periodic").solve(rock, 1.0).tensor
    turned = tight(0.01, "periodic").solve(rock.rot90(1, (2, 3)), 1.0).tensor
    sign = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert torch.allclose(turned, tensor.flip(1, 2) * sign, atol=1e-10)
    assert torch.allclose(tensor, tensor.mT)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("grain", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(6, 5), (1, 7), (9, 10), (3, 2, 4)])
def test_gradients_match_finite_differences(boundary, grain, shape):
    generator = torch.Generator().manual_seed(0)
    density = torch.rand(2, 1, *shape, dtype=torch.float64, generator=generator) * 0.8 + 0.1
    simulator = Diffusivity(grain, boundary, tolerance=1e-12)
    assert torch.autograd.gradcheck(
        lambda d: simulator.solve(d, 1.0).values, density.requires_grad_(), atol=1e-7, fast_mode=density.numel() > 100
    )


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("grain", [0.0, 0.01])
@pytest.mark.parametrize("shape", [(9, 8), (1, 7), (2, 6), (7, 6, 5), (2, 2, 3)])
def test_slopes_in_compiled_loops_and_by_tensors_agree(boundary, grain, shape, monkeypatch):
    generator = torch.Generator().manual_seed(1)
    density = torch.rand(3, 1, *shape, dtype=torch.float64, generator=generator)
    density = torch.where(density > 0.6, 1.0, torch.where(density > 0.5, density, 0.0)).requires_grad_()

    def slopes() -> torch.Tensor:
        return torch.autograd.grad(Diffusivity(grain, boundary).solve(density, 1.0).values.sum(), density)[0]

    compiled = slopes()
    monkeypatch.setattr("matopt.physics.conduction.network.implementation", lambda by_tensors, device: by_tensors)
    assert (compiled < 0).any() and torch.allclose(compiled, slopes(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_pores_that_lead_nowhere_give_exactly_nothing(boundary):
    density = torch.ones(5, 1, 9, 7)
    density[1] = 0
    density[2, :, :6, 3] = 0  # a dead end
    density[3, :, 4, :] = 0  # across the flow
    density[4, :, :, 3] = 0  # a throat of one voxel, with a blind pore beside it
    density[4, :, 2:4, 5] = 0
    given = density.clone()
    solution = Diffusivity(0.0, boundary).solve(density.requires_grad_(), 1.0)
    assert list(solution.status) == ["non_percolating", "ok", "non_percolating", "non_percolating", "ok"]
    assert solution.values.tolist() == pytest.approx([0, 1, 0, 0, 1 / 7], rel=1e-5, abs=0)
    (gradient,) = torch.autograd.grad(solution.values.sum(), density)
    assert gradient.isfinite().all() and (gradient <= 0).all()
    assert (density == given).all()  # the input is as it was


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_gradient_where_nothing_conducts_bounds_what_opening_it_adds(boundary):
    """The effective diffusivity is concave in those of the voxels."""
    generator = torch.Generator().manual_seed(3)
    density = (torch.rand(1, 1, 7, 6, dtype=torch.float64, generator=generator) < 0.45).double()
    density[..., 3] = 0
    simulator = Diffusivity(0.0, boundary, tolerance=1e-11)
    value = simulator.solve(density.requires_grad_(), 1.0).values
    (gradient,) = torch.autograd.grad(value.sum(), density)
    grains = (density[0, 0] == 1).nonzero()
    opened = density.detach().repeat(len(grains), 1, 1, 1)
    opened[torch.arange(len(grains)), 0, grains[:, 0], grains[:, 1]] = 0
    gain = simulator.solve(opened, 1.0).values - value.detach()
    assert (gain >= -1e-10).all() and (gain <= -gradient[0, 0][density[0, 0] == 1] + 1e-10).all()


def test_a_throat_through_the_seam_carries_only_where_there_is_a_seam():
    density = torch.ones(1, 1, 6, 6)
    density[0, 0, :3, 0] = 0
    density[0, 0, 2:, 5] = 0
    assert list(Diffusivity(0.0, "periodic").solve(density, 1.0).status) == ["non_percolating"]
    density[0, 0, 0, 5] = 0
    assert list(Diffusivity(0.0, "periodic").solve(density, 1.0).status) == ["ok"]
    assert list(Diffusivity(0.0, "fixed").solve(density, 1.0).status) == ["non_percolating"]


def test_real_windows_are_ok_and_between_the_bounds(berea_windows):
    solution = Diffusivity().solve(berea_windows, 1.0)
    lower, upper = Diffusivity().property.bounds(berea_windows)
    assert solution.is_ok.all()
    assert (solution.values >= 0.99 * lower).all() and (solution.values <= upper).all()


def test_a_real_volume_conducts_less_than_its_bound(berea):
    density = torch.from_numpy(berea[None, None, :40, :40, :40].astype(np.float32))
    solution = Diffusivity(0.0).solve(density, 1.0)
    assert list(solution.status) == ["ok"]
    assert 0 < solution.values.item() < Diffusivity(0.0).property.bounds(density)[1].item()


def test_grains_let_a_little_through_in_sections_and_nothing_in_volumes_by_default():
    density = torch.ones(1, 1, 6, 6)
    assert Diffusivity().solve(density, 1.0).values.item() == pytest.approx(0.01)
    volume = Diffusivity().solve(density[:, :, None].repeat(1, 1, 4, 1, 1), 1.0)
    assert list(volume.status) == ["non_percolating"] and volume.values.item() == 0
    assert dict(Diffusivity().property.constants) == {"grain_diffusivity": 0.01, "grain_diffusivity_3d": 0.0}
    assert dict(Diffusivity(0.2).property.constants) == {"grain_diffusivity": 0.2}


def test_a_batch_equals_its_singles(berea_windows):
    simulator = Diffusivity()
    singles = torch.cat([simulator.solve(window[None], 1.0).values for window in berea_windows])
    assert torch.allclose(simulator.solve(berea_windows, 1.0).values, singles, rtol=1e-5)


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="grain_diffusivity"):
        Diffusivity(-0.1)
    with pytest.raises(InputError, match="must be one of 'sealed', 'mirror', 'periodic'"):
        Diffusivity(boundary="open")
