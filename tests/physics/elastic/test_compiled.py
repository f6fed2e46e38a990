"""The compiled loops of elasticity do what operations on tensors do, to rounding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matopt.physics.elastic import cell_problem, compiled
from matopt.physics.numerics.conjugate_gradients import TensorVectors

POISSON_RATIO = 0.2
ROUNDING = {torch.float32: 2e-6, torch.float64: 2e-15}

shapes = st.one_of(st.tuples(*[st.integers(1, 12)] * 2), st.tuples(*[st.integers(1, 7)] * 3))


def rocks(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> torch.Tensor:
    """Two samples of void, grain and grey voxels."""
    random = torch.rand(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    return torch.where(random < 0.3, 0.0, torch.where(random > 0.6, 1.0, random))


def near(found: torch.Tensor, expected: torch.Tensor, rounding: float) -> bool:
    """To rounding of what is of the order of 1 or more."""
    return bool((found - expected).abs().max() <= 100 * rounding * expected.abs().max().clamp_min(1))


@settings(deadline=None)
@given(shapes, st.sampled_from([torch.float32, torch.float64]), st.integers(1, 5), st.integers(0, 99))
def test_steps_of_conjugate_gradients_agree(shape, dtype, rows, seed):
    generator = torch.Generator().manual_seed(seed)
    problem = compiled.ElasticCellProblem.of(rocks(shape, dtype, seed), POISSON_RATIO)
    systems = problem.select(torch.randint(2, (rows,), generator=generator))
    x, r, p = torch.randn(3, rows, len(shape), *shape, dtype=dtype, generator=generator)
    scalars = torch.randn(2, rows, dtype=torch.float64, generator=generator)
    kept = torch.arange(rows).flip(0)[: max(1, rows - 1)]
    found = []
    for kind in (compiled.ElasticVectors, TensorVectors):
        at = kind(systems, x.clone(), r.clone(), p.clone())
        steps = [
            at.precondition(),
            at.update_direction(scalars[0]),
            at.update_solution(scalars[1]),
            at.x.clone(),
            at.r.clone(),
        ]
        at = at.select(kept)
        found.append([*steps, at.precondition(), at.update_direction(scalars[0, kept]), at.p, at.x])
    for one, other in zip(*found, strict=True):
        assert near(one, other, ROUNDING[dtype])


@pytest.mark.parametrize("poisson_ratio", [-0.9, 0.2, 0.49])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 4), (9, 6), (1, 2, 3), (4, 2, 5), (7, 6, 6)])
def test_the_preconditioner_undoes_a_homogeneous_grain_but_for_translations(shape, poisson_ratio):
    problem = cell_problem.ElasticCellProblem.of(torch.ones(1, *shape, dtype=torch.float64), poisson_ratio)
    x = torch.randn(1, len(shape), *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = x - x.flatten(2).mean(2).view(1, -1, *[1] * len(shape))
    assert torch.allclose(problem.precondition(problem.apply(x)), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 4), (3, 1), (7, 4), (1, 1, 3), (3, 2, 1), (5, 12, 13)])
def test_loads_agree(shape, dtype):
    solid = rocks(shape, dtype, 0)
    found = []
    for kind in (compiled.ElasticCellProblem, cell_problem.ElasticCellProblem):
        problem = kind.of(solid, POISSON_RATIO)
        cases = range(1, len(problem.loads))
        forces = torch.full((len(cases), 2, len(shape), *shape), torch.nan, dtype=dtype)
        problem.right_hand_side(cases, forces)
        found.append(forces)
    assert near(*found, ROUNDING[dtype])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 1), (7, 4), (130, 3), (1, 1, 1), (3, 2, 1), (5, 12, 13)])
def test_energies_and_their_densities_agree(shape, dtype):
    solid = rocks(shape, dtype, 0)
    one, other = (
        compiled.ElasticCellProblem.of(solid, POISSON_RATIO),
        cell_problem.ElasticCellProblem.of(solid, POISSON_RATIO),
    )
    x = torch.randn(len(one.loads), 2, len(shape), *shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    mixture = torch.randn(2, len(one.loads), dtype=dtype, generator=torch.Generator().manual_seed(2))
    assert near(one.energies(x), other.energies(x), ROUNDING[dtype])
    assert near(one.energy_density(x, mixture), other.energy_density(x, mixture), ROUNDING[dtype])


def test_solutions_agree_however_many_load_cases_are_solved_together(monkeypatch):
    solid = rocks((9, 8, 10), torch.float64, 3)
    expected = cell_problem.ElasticCellProblem.of(solid, POISSON_RATIO).solve(1e-10, 1000).x
    for numbers in (2**21, 2 * 2 * 3 * 720, 1):
        monkeypatch.setattr("matopt.physics.elastic.cell_problem.SOLVED_TOGETHER", numbers)
        found = compiled.ElasticCellProblem.of(solid, POISSON_RATIO).solve(1e-10, 1000).x
        assert torch.allclose(found, expected, atol=1e-8)
