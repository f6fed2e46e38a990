"""Slow flow along the axis of an extruded section."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.grid import DivergenceForm
from matopt.physics.krylov import Solved, conjugate_gradients
from matopt.physics.viscous import Viscous


def solve_duct(viscous: Viscous, tolerance: float, max_iterations: int) -> Solved:
    """``-laplace u + drag u = 1`` in pores, u = 0 in grains, for a batch of sections.

    A section without anything to hold the flow stays at 0 with the residual 1.
    """
    is_open = viscous.closed < 1
    is_held = (viscous.interior.extra > 0).flatten(1).any(1)
    rhs = (is_open & is_held.view(-1, *[1] * (is_open.ndim - 1))).to(viscous.closed)
    solved = conjugate_gradients(_Jacobi.of(viscous.interior), rhs, tolerance, max_iterations)
    endless = ~is_held & is_open.flatten(1).any(1)
    return replace(solved, residual=torch.where(endless, 1.0, solved.residual))


@dataclass(frozen=True, eq=False)
class _Jacobi:
    """The operator preconditioned by its diagonal: pores are small, and walls hold each by itself."""

    operator: DivergenceForm
    inverse_diagonal: torch.Tensor

    @staticmethod
    def of(operator: DivergenceForm) -> _Jacobi:
        diagonal = operator.diagonal
        return _Jacobi(operator, torch.where(diagonal > 0, 1 / diagonal, 0.0))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return self.operator.apply(x)

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        return residual * self.inverse_diagonal

    def select(self, rows: torch.Tensor) -> _Jacobi:
        return _Jacobi(self.operator.select(rows), self.inverse_diagonal[rows])
