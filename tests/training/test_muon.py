"""Muon, and the moving average of parameters."""

from __future__ import annotations

import pytest
import torch

from matopt.training.moving_average import MovingAverage
from matopt.training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonalised(matrices) @ vh.mT
    values = found.diagonal(dim1=1, dim2=2)
    assert values.min() > 0.6 and values.max() < 1.3
    torch.testing.assert_close(found, torch.diag_embed(values), atol=1e-4, rtol=0)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon of its own")
@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_steps_are_those_of_another_implementation(shape: tuple[int, int]) -> None:
    """That of torch, which takes matrices alone, and computes in half precision."""
    ours, theirs = (torch.nn.Parameter(torch.zeros(shape)) for _ in range(2))
    optimizers = Muon([ours], lr=0.1), torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0)
    random = torch.Generator().manual_seed(0)
    for _ in range(3):
        ours.grad = theirs.grad = torch.randn(shape, generator=random)
        for optimizer in optimizers:
            optimizer.step()
    assert (ours - theirs).norm() < 0.03 * theirs.norm()


def test_kernels_of_convolutions_are_matrices_of_outputs_by_the_rest() -> None:
    gradient = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    kernel, matrix = torch.nn.Parameter(torch.zeros(4, 3, 3, 3)), torch.nn.Parameter(torch.zeros(4, 27))
    kernel.grad, matrix.grad = gradient.contiguous(memory_format=torch.channels_last), gradient.flatten(1)
    Muon([kernel]).step()
    Muon([matrix]).step()
    torch.testing.assert_close(kernel.detach().flatten(1), matrix.detach())


def test_an_average_reaches_over_all_steps_at_first_and_can_be_looked_at() -> None:
    p = torch.nn.Parameter(torch.zeros(2))
    average = MovingAverage([p], decay=0.9)
    for value in range(400):
        with torch.no_grad():
            p.fill_(float(value))
        average.update()
    with average.applied():
        assert float(p.detach()[0]) == pytest.approx(399 - 9, abs=0.1)
    assert float(p.detach()[0]) == 399
    average.apply()
    assert float(p.detach()[0]) == pytest.approx(390, abs=0.1)
