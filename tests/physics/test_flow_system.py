"""The systems of slow flow and what stands for their inverse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.physics import percolation
from matopt.physics.permeability import Permeability
from matopt.physics.stokes import Stokes


@pytest.fixture
def flow() -> Stokes:
    """Three made-up samples, with grey voxels, odd sizes and throats of one voxel."""
    density = torch.rand(3, 7, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    density = torch.where(density > 0.6, 1.0, torch.where(density > 0.5, density, 0.0))
    carries = torch.from_numpy(percolation.wrapping((density < 1).numpy()).carrying)
    return Stokes.of(torch.where(carries, density, 1.0))


def columns(function, like: torch.Tensor) -> torch.Tensor:
    return torch.stack([function(row) for row in torch.eye(len(like), dtype=like.dtype)], 1)


def test_the_system_is_symmetric_and_the_norm_of_residuals_positive(flow):
    system = flow.system
    real = torch.from_numpy(np.concatenate([flow.faces.is_real, flow.cells.is_real]))
    like = real.double()
    matrix = columns(system.apply, like)
    assert torch.allclose(matrix, matrix.mT, atol=1e-12)
    inverse = columns(lambda r: system.precondition(r)[0], like)
    norm = columns(lambda r: system.precondition(r)[1], like)
    assert torch.allclose(inverse, inverse.mT, atol=1e-9 * inverse.abs().max().item())
    assert torch.linalg.eigvalsh(norm[real][:, real]).min() > 0
    assert (matrix[~real] == 0).all()


def test_cycles_stay_convergent_however_wide_the_pores_are():
    x = (torch.arange(384) + 0.5) / 384 - 0.5
    disc = (x[:, None].square() + x.square() < 0.3 / torch.pi).double()[None]
    system = Stokes.of(disc).system
    for cycle in (system.velocities, system.pressures):
        matrix = cycle.levels[0].matrix
        x = torch.randn(matrix.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for _ in range(30):
            x = cycle(matrix @ (x / x.norm()))
        assert x.norm() < 2  # the largest eigenvalue of the cycle times the matrix


def test_machines_without_sparse_products_find_the_same(monkeypatch):
    density = (
        torch.rand(2, 1, 9, 8, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) < 0.4
    ).double()
    found = Permeability(flow="all", tolerance=1e-7).solve(density, 1.0)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    again = Permeability(flow="all", tolerance=1e-7).solve(density, 1.0)
    assert found.is_ok.all() and torch.allclose(again.tensor, found.tensor, rtol=1e-9, atol=1e-15)


def test_a_part_of_a_batch_is_the_batch_of_the_part(flow):
    chosen = torch.tensor([True, False, True])
    part, alone = flow.system.select(chosen), Stokes.of(flow.solid[chosen]).system
    r = torch.rand(len(alone.owner) * 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(part.apply(r), alone.apply(r), atol=1e-12)
    for one, other in zip(part.precondition(r), alone.precondition(r), strict=True):
        assert torch.allclose(one, other, atol=1e-9 * other.abs().max().item())


def test_iterations_hardly_grow_with_the_sample(berea):
    taken = []
    for size in (32, 64):
        cut = torch.from_numpy(berea[100 : 100 + size, 100 : 100 + size, 100 : 100 + size].astype(np.float32))
        solution = Permeability().solve(cut[None, None], 5.345e-6)
        assert solution.is_ok.all()
        taken.append(solution.iterations[0])
    assert max(taken) <= 16


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2])
def test_the_residual_tells_the_error_of_the_value(berea, tolerance):
    cut = torch.from_numpy(berea[100:132, 100:132, 100:132].astype(np.float64))[None, None]
    exact = Permeability(tolerance=1e-9).solve(cut, 1.0).values.item()
    solution = Permeability(tolerance=tolerance).solve(cut, 1.0)
    error = abs(solution.values.item() / exact - 1)
    assert error < 4 * solution.residual[0] ** 2
