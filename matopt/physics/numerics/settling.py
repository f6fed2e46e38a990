"""Values in patches that settle while those at the border, and beyond, are held."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.physics.numerics.conjugate_gradients import conjugate_gradients
from matopt.physics.numerics.divergence_form import DivergenceForm

MARGIN = 3
"""How many voxels around a change settle with it."""

TOLERANCE = 0.1
"""Of the residual; the error of the energy is its square."""

MAX_ITERATIONS = 200
"""What has not settled by then is estimated from one side, further away."""


@dataclass(frozen=True, eq=False)
class Settling:
    """Operators on patches, on the values that are free: systems for conjugate gradients, by Jacobi's preconditioner.

    Attributes:
        operator: of the patches.
        free: ``(m, *S)`` 1 where a value is free, 0 where it is held.
        inverse_diagonal: ``(m, *S)``, 0 where a value is held.
    """

    operator: DivergenceForm
    free: torch.Tensor
    inverse_diagonal: torch.Tensor

    @staticmethod
    def of(operator: DivergenceForm, free: torch.Tensor) -> Settling:
        """Hold what is not ``free``, ``(m, *S)`` bool, or has nothing to settle by."""
        diagonal = operator.diagonal
        is_free = (free & (diagonal > 0)).to(diagonal)
        return Settling(operator, is_free, is_free / torch.where(diagonal > 0, diagonal, 1.0))

    def gain(self, force: torch.Tensor, energy: torch.Tensor | None = None) -> torch.Tensor:
        """How much energy ``(m,)`` float64 what is free gives up under forces ``(m, *S)``, twice the work.

        Args:
            force: on all values; those on what is held do nothing.
            energy: ``(m,)`` float64 of which that is taken, where what is left is wanted, else infinite.
        """
        push = force * self.free
        solved = conjugate_gradients(self, push.clone(), TOLERANCE, MAX_ITERATIONS, energy=energy)
        return (push * solved.x).flatten(1).sum(1, dtype=torch.float64)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply the operators by ``x``, which is 0 where it is held."""
        return self.operator.apply(x) * self.free

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Multiply ``residual`` by the approximate inverses."""
        return residual * self.inverse_diagonal

    def select(self, rows: torch.Tensor) -> Settling:
        """The systems of these rows."""
        return Settling(self.operator.select(rows), self.free[rows], self.inverse_diagonal[rows])


def inside(values: torch.Tensor) -> torch.Tensor:
    """Where values ``(m, *S)`` are not in the outermost layers, bool."""
    out = torch.zeros(values.shape, dtype=torch.bool, device=values.device)
    out[(slice(None), *[slice(1, -1)] * (values.ndim - 1))] = True
    return out
