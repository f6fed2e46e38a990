"""Values hold, and statuses say what they are worth, whatever the order in which a processor adds up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from rounding import LastPlaceNoise

from matopt.physics.base import Solution
from matopt.physics.diffusivity import Diffusivity
from matopt.physics.numerics.batching import solve_in_chunks
from matopt.physics.numerics.conjugate_gradients import conjugate_gradients
from matopt.physics.permeability import Permeability
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.properties import NOT_CONVERGED, OK


def wavy(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """``(1, 1, *S)`` of smooth noise, spread evenly over 0 to 1."""
    rough = np.random.default_rng(seed).standard_normal(shape)
    waves = np.meshgrid(*[np.fft.fftfreq(n) * n for n in shape], indexing="ij")
    smooth = np.fft.ifftn(np.fft.fftn(rough) * np.exp(-sum(w**2 for w in waves) / 36)).real
    return torch.from_numpy((smooth.argsort(axis=None).argsort() / smooth.size).reshape(1, 1, *shape)).float()


def layers(noise: torch.Tensor, wall: float) -> torch.Tensor:
    """Grey layers along the last axis, kept apart by walls two voxels thick of another density."""
    return torch.where(torch.arange(noise.shape[-1]) % 8 > 5, wall, noise)


APART = {
    "diffusion": (Diffusivity(0.0, "periodic"), layers(0.95 * wavy((128, 128)), 1.0)),
    "diffusion in a volume": (Diffusivity(0.0, "periodic"), layers(0.95 * wavy((24, 24, 24)), 1.0)),
    "elasticity": (YoungsModulus(), layers(0.05 + 0.95 * wavy((32, 32)), 0.0)),
    "elasticity in a volume": (YoungsModulus(), layers(0.05 + 0.95 * wavy((16, 16, 16)), 0.0)),
    "flow": (Permeability(boundary="periodic"), layers((wavy((24, 24, 24)) > 0.5).float(), 1.0)),
}
"""Samples of several clusters that have nothing to do with each other."""


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
@pytest.mark.parametrize("processor", [1, 2])
@pytest.mark.parametrize("case", APART)
def test_clusters_apart_are_solved_in_single_precision_on_any_processor(case, processor, tolerance):
    simulator, density = APART[case]
    exact = replace(simulator, tolerance=1e-9).solve(density.double(), 1.0)
    with LastPlaceNoise(processor):
        single = replace(simulator, tolerance=tolerance).solve(density, 1.0)
    assert list(single.status) == list(exact.status) == [OK]
    assert single.values.item() == pytest.approx(exact.values.item(), rel=max(2e-6, 10 * tolerance**2))


@pytest.mark.parametrize("processor", [1, 2])
@pytest.mark.parametrize("boundary", ["fixed", "periodic"])
@pytest.mark.parametrize("grain", [1e-2, 1e-4, 1e-6, 1e-8])
def test_diffusion_through_grain_that_hardly_conducts_is_right_where_it_says_so(grain, boundary, processor):
    density = (wavy((96, 96)) > 0.4).float()  # pores that do not reach across
    simulator = Diffusivity(grain, boundary)
    exact = replace(simulator, tolerance=1e-8).solve(density.double(), 1.0)
    with LastPlaceNoise(processor):
        single = simulator.solve(density, 1.0)
    assert list(single.status) == list(exact.status) == [OK]
    assert single.values.item() == pytest.approx(exact.values.item(), rel=1e-4)


def test_what_single_precision_does_not_resolve_is_solved_in_double_with_its_gradient():
    density = (wavy((48, 48)) > 0.4).float().requires_grad_(True)
    double = density.detach().double().requires_grad_(True)
    simulator = Diffusivity(1e-6)
    values = simulator.solve(torch.cat([density, 0 * density]), 1.0).values
    expected = simulator.solve(double, 1.0).values
    assert values.dtype == torch.float32
    assert torch.allclose(values.double(), torch.cat([expected, torch.ones(1)]), rtol=1e-6)
    values[0].backward()
    expected.sum().backward()
    assert torch.allclose(density.grad.double(), double.grad, rtol=1e-5, atol=1e-6 * double.grad.abs().max())


class Indefinite:
    """A matrix with a negative eigenvalue, as rounding makes one."""

    def __init__(self, eigenvalues: torch.Tensor) -> None:
        self.eigenvalues = eigenvalues

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return self.eigenvalues * x

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        return residual.clone()

    def select(self, rows: torch.Tensor) -> Indefinite:
        return Indefinite(self.eigenvalues[rows])


def test_a_breakdown_is_no_convergence_and_leaves_the_others_alone():
    eigenvalues = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, -3.0]], dtype=torch.float64)
    solved = conjugate_gradients(Indefinite(eigenvalues), torch.ones(2, 3, dtype=torch.float64), 1e-10, 50)
    assert torch.allclose(solved.x[0], 1 / eigenvalues[0]) and solved.residual[0] <= 1e-10
    assert solved.residual[1] > 1e-10 and solved.iterations[1] < 50


def test_only_what_has_broken_down_is_solved_again():
    taken = []

    def solve(density: torch.Tensor) -> Solution:
        taken.append((density.dtype, len(density)))
        values = density[:, 0, 0, 0]
        given_up, broken = values == 1, (values == 2) & (density.dtype == torch.float32)
        status = np.where((given_up | broken).numpy(), NOT_CONVERGED, OK)
        iterations = np.where(given_up.numpy(), 100, 7)
        return Solution(values, values[:, None], status, np.zeros(len(values)), iterations)

    density = torch.zeros(4, 1, 2, 2)
    density[:, 0, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 2.0])  # more than a voxel holds: only this function reads it
    solution = solve_in_chunks(density, 1, solve, (1,), 1e-3, 100)
    assert taken == [(torch.float32, 4), (torch.float64, 2)]
    assert list(solution.status) == [NOT_CONVERGED, OK, OK, OK] and solution.values.dtype == torch.float32


@pytest.mark.parametrize("seed", [1, 2])
def test_another_processor_adds_up_to_within_a_unit_in_the_last_place_and_always_alike(seed):
    x = torch.randn(64, 1000, generator=torch.Generator().manual_seed(seed))
    with LastPlaceNoise(seed):
        found, again = x.sum(1), x.sum(1)
    assert torch.equal(found, again)
    unit = torch.finfo(torch.float32).eps * x.abs().sum(1)
    assert (found != x.sum(1)).float().mean() > 0.9 and ((found - x.sum(1)).abs() <= 1.01 * unit).all()
