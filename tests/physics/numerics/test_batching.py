"""Batches are cut to what the memory holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from matopt.errors import FailureError
from matopt.physics.base import Solution
from matopt.physics.numerics.batching import CACHE_BYTES, solve_in_chunks


def solver_for(most: int, taken: list[int]):
    """Sums samples, and asks for more memory than any machine has where there are more than ``most`` of them."""

    def solve(density: torch.Tensor) -> Solution:
        if len(density) > most:
            torch.empty(2**60, dtype=torch.uint8)
        taken.append(len(density))
        values = density.flatten(1).sum(1)
        count = len(density)
        return Solution(values, values[:, None], np.full(count, "ok"), np.zeros(count), np.zeros(count, np.int64))

    return solve


def test_a_batch_that_runs_out_of_memory_is_halved_until_it_fits_and_keeps_its_order():
    density, taken = torch.rand(13, 1, 4, 4), []
    solution = solve_in_chunks(density, 1, solver_for(4, taken), (1,), 1e-3, 100)
    assert torch.equal(solution.values, density.flatten(1).sum(1))
    assert taken == [4, 4, 4, 1]


def test_a_sample_that_does_not_fit_alone_is_one_clear_failure():
    with pytest.raises(FailureError, match="one sample of 4x4 voxels"):
        solve_in_chunks(torch.rand(3, 1, 4, 4), 1, solver_for(0, []), (1,), 1e-3, 100)


def test_other_errors_are_passed_on():
    def fail(density: torch.Tensor) -> Solution:
        return density @ torch.zeros(3, 3)

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        solve_in_chunks(torch.rand(1, 1, 4, 4), 1, fail, (1,), 1e-3, 100)


def test_a_large_batch_goes_through_in_chunks_of_the_cache():
    density, taken = torch.rand(5000, 1, 16, 16), []
    solve_in_chunks(density, 8, solver_for(10**9, taken), (1,), 1e-3, 100)
    assert sum(taken) == 5000 and max(taken) * 16 * 16 * 4 * 8 <= CACHE_BYTES
