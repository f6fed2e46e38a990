"""Conjugate residuals solve each sample by itself, and tell a breakdown from convergence."""

from __future__ import annotations

import torch

from matopt.physics.flow.conjugate_residuals import solve


class Dense:
    """Systems of three unknowns each, with the identity for a preconditioner."""

    def __init__(self, matrices: torch.Tensor) -> None:
        self.matrices = matrices

    @property
    def batch(self) -> int:
        return len(self.matrices)

    def apply(self, x, out=None):
        product = (self.matrices @ x.view(-1, 3, 1)).flatten()
        return product if out is None else out.copy_(product)

    def precondition(self, residual, out=None):
        found = residual.clone() if out is None else out.copy_(residual)
        return found, self.dot(residual, residual)

    def dot(self, a, b):
        return (a * b).view(-1, 3).sum(1, dtype=torch.float64)

    def add(self, to, scalars, other, out=None):
        total = to + scalars.repeat_interleave(3).to(to) * other
        (to if out is None else out).copy_(total)

    def unknowns(self, chosen):
        return chosen.repeat_interleave(3)

    def select(self, samples):
        return Dense(self.matrices[samples])


def test_a_force_that_nothing_balances_is_a_breakdown_and_leaves_the_others_alone():
    solvable, empty = torch.diag(torch.tensor([1.0, 2.0, 3.0])).double(), torch.zeros(3, 3).double()
    forces = torch.ones(9, dtype=torch.float64)
    found = solve(Dense(torch.stack([solvable, empty, 2 * solvable])), forces, 1e-8, 50)
    assert torch.allclose(found.x[:3], 1 / solvable.diagonal()) and torch.allclose(found.x[6:], found.x[:3] / 2)
    assert (found.residual <= 1e-8).tolist() == [True, False, True]
    assert found.residual[1] == 1 and found.iterations[1] < 10
