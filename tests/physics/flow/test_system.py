"""The systems of slow flow and what stands for their inverse."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from matopt.physics.flow import compiled
from matopt.physics.flow.kernels import cycles
from matopt.physics.flow.kernels.grid_multigrid import Stencils
from matopt.physics.flow.stokes import Stokes
from matopt.physics.flow.system import FlowSystem
from matopt.physics.numerics import percolation
from matopt.physics.permeability import Permeability


@pytest.fixture
def flow() -> Stokes:
    """Three made-up samples, with grey voxels, odd sizes and throats of one voxel."""
    density = torch.rand(3, 7, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    density = torch.where(density > 0.6, 1.0, torch.where(density > 0.5, density, 0.0))
    carries = torch.from_numpy(percolation.wrapping((density < 1).numpy()).carrying)
    return Stokes.of(torch.where(carries, density, 1.0))


def by_tensors(solid: torch.Tensor) -> FlowSystem:
    """The system of one sample as batches have it."""
    return Stokes.of(torch.cat([solid, solid])).system.select(torch.tensor([0]))


def compiled_cycles(system: compiled.FlowSystem) -> list[tuple[Callable, Callable, int]]:
    """The cycles of velocities and of pressures, their matrices and sizes."""

    def times(stencils: Stencils, x: torch.Tensor) -> torch.Tensor:
        sent = (stencils.coupling[: len(x)] * x.numpy()[stencils.near[: len(x)]]).sum(1)
        return torch.from_numpy(stencils.diagonal[: len(x)] * (x.numpy() - sent))

    def velocities(r: torch.Tensor) -> torch.Tensor:
        work = system.work[0]
        work[0, : len(r)] = r
        cycles.cycle(system.velocities, len(r), *work)
        return torch.from_numpy(work[1, : len(r)].copy())

    def pressures(r: torch.Tensor) -> torch.Tensor:
        system.work[1][0] = r
        cycles.network_cycle(system.network, system.aggregates, *system.work[1:])
        return torch.from_numpy(system.work[1][1].copy())

    return [
        (velocities, partial(times, system.velocities), system.faces),
        (pressures, partial(times, system.network), len(system.network.diagonal)),
    ]


def columns(function, like: torch.Tensor) -> torch.Tensor:
    return torch.stack([function(row) for row in torch.eye(len(like), dtype=like.dtype)], 1)


def preconditioned(system, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The solution, what is left in place of the residual, and the residual's squared norm."""
    dual = residual.clone()
    solution, square = system.precondition(dual)
    assert torch.allclose(square, system.dot(residual, dual), rtol=1e-5)
    return solution, dual, square


def test_the_system_is_symmetric_and_the_norm_of_residuals_positive(flow):
    system = flow.system
    real = torch.from_numpy(np.concatenate([flow.faces.is_real, flow.cells.is_real]))
    like = real.double()
    matrix = columns(system.apply, like)
    assert torch.allclose(matrix, matrix.mT, atol=1e-12)
    inverse = columns(lambda r: preconditioned(system, r)[0], like)
    norm = columns(lambda r: preconditioned(system, r)[1], like)
    assert torch.allclose(inverse, inverse.mT, atol=1e-9 * inverse.abs().max().item())
    assert torch.linalg.eigvalsh(norm[real][:, real]).min() > 0
    assert (matrix[~real] == 0).all()


@pytest.mark.parametrize("is_compiled", [False, True])
def test_cycles_stay_convergent_however_wide_the_pores_are(is_compiled):
    x = (torch.arange(384) + 0.5) / 384 - 0.5
    disc = (x[:, None].square() + x.square() < 0.3 / torch.pi).double()[None]
    if is_compiled:
        cycles = compiled_cycles(Stokes.of(disc).system)
    else:
        pair = by_tensors(disc).velocities, by_tensors(disc).pressures
        cycles = [(c, c.levels[0].matrix.mv, c.levels[0].matrix.shape[0]) for c in pair]
    for cycle, matrix, size in cycles:
        x = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for _ in range(30):
            x = cycle(matrix(x / x.norm()))
        assert x.norm() < 2  # the largest eigenvalue of the cycle times the matrix


@pytest.mark.parametrize("shape", [(7, 6, 5), (16, 8, 12), (1, 6, 5), (9, 8), (12, 1)])
@pytest.mark.parametrize(("dtype", "rel"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_compiled_loops_and_tensors_agree(shape, dtype, rel):
    density = torch.rand(1, *shape, dtype=dtype, generator=torch.Generator().manual_seed(3))
    density = torch.where(density > 0.7, 1.0, torch.where(density > 0.6, density, 0.0)).to(dtype)
    loops, tensors = Stokes.of(density), by_tensors(density)
    is_real = torch.from_numpy(np.concatenate([loops.faces.is_real, loops.cells.is_real]))
    r = torch.rand(len(is_real), dtype=dtype, generator=torch.Generator().manual_seed(4)) * is_real
    assert isinstance(loops.system, compiled.FlowSystem) and isinstance(tensors, FlowSystem) and is_real.any()
    found, expected = ((s.apply(r), *preconditioned(s, r), s.dot(r, r)) for s in (loops.system, tensors))
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=rel * other.abs().max().item())


def test_machines_without_sparse_products_find_the_same(flow, monkeypatch):
    assert isinstance(flow.system, FlowSystem)
    found = [flow.solve(1e-7, 1000, axis) for axis in range(3)]
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    again = Stokes.of(flow.solid)
    for axis, (mean, fields) in enumerate(found):
        assert (fields.residual <= 1e-7).all() and (mean > 0).any()
        assert torch.allclose(again.solve(1e-7, 1000, axis)[0], mean, rtol=1e-9, atol=1e-15)


def test_a_part_of_a_batch_is_the_batch_of_the_part(flow):
    chosen = torch.tensor([True, False, True])
    part, alone = flow.system.select(chosen.nonzero()[:, 0]), Stokes.of(flow.solid[chosen]).system
    r = torch.rand(len(alone.owner) * 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(part.apply(r), alone.apply(r), atol=1e-12)
    for one, other in zip(preconditioned(part, r), preconditioned(alone, r), strict=True):
        assert torch.allclose(one, other, atol=1e-9 * other.abs().max().item())


def test_iterations_hardly_grow_with_the_sample(berea):
    taken = []
    for size in (32, 64):
        cut = torch.from_numpy(berea[100 : 100 + size, 100 : 100 + size, 100 : 100 + size].astype(np.float32))
        solution = Permeability(boundary="periodic").solve(cut[None, None], 5.345e-6)
        assert solution.is_ok.all()
        taken.append(solution.iterations[0])
    assert max(taken) <= 16


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2])
def test_the_residual_tells_the_error_of_the_value(berea, tolerance):
    cut = torch.from_numpy(berea[100:132, 100:132, 100:132].astype(np.float64))[None, None]
    exact = Permeability(boundary="periodic", tolerance=1e-9).solve(cut, 1.0).values.item()
    solution = Permeability(boundary="periodic", tolerance=tolerance).solve(cut, 1.0)
    error = abs(solution.values.item() / exact - 1)
    assert error < 4 * solution.residual[0] ** 2
