"""Slow flow through ducts: along the axis of an extruded section."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.flow.friction import GREY_DRAG, couplings_slope, drag, friction, velocity_in_pores
from matopt.physics.flow.friction import couplings as couplings_across
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult, conjugate_gradients
from matopt.physics.numerics.divergence_form import DivergenceForm, sides


@dataclass(frozen=True, eq=False)
class Duct:
    """The axial velocity in B sections: ``-laplace u + drag u = 1`` in pores, u = 0 in grains, in voxel units.

    Attributes:
        solid: ``(B, *S)`` densities.
        couplings: viscous, of neighbouring voxels, an axis each.
        operator: the friction, on voxels that are not full.
        inverse_diagonal: Jacobi's preconditioner; it suffices as pores are small and walls are near.
    """

    solid: torch.Tensor
    couplings: tuple[torch.Tensor, ...]
    operator: DivergenceForm
    inverse_diagonal: torch.Tensor

    @staticmethod
    def of(solid: torch.Tensor, periodic: bool) -> Duct:
        """Set up the flow through densities ``(B, *S)``, whose edges are the seam of a periodic section, or mirrors."""
        couplings = tuple(couplings_across(1 - solid, axis, periodic) for axis in range(1, solid.ndim))
        operator = friction(drag(solid), couplings, periodic)
        diagonal = operator.diagonal
        return Duct(solid, couplings, operator, torch.where(diagonal > 0, 1 / diagonal, 0.0))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply the operators by ``x``."""
        return self.operator.apply(x)

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Multiply ``residual`` by the approximate inverses."""
        return residual * self.inverse_diagonal

    def select(self, rows: torch.Tensor) -> Duct:
        """The systems of these rows."""
        return replace(self, operator=self.operator.select(rows), inverse_diagonal=self.inverse_diagonal[rows])

    def solve(self, tolerance: float, max_iterations: int) -> ConjugateGradientsResult:
        """Solve for the velocities; a section without anything that resists stays at 0 with the residual 1."""
        is_open = self.solid < 1
        is_resisted = (self.operator.extra > 0).flatten(1).any(1)
        rhs = (is_open & is_resisted.view(-1, *[1] * (is_open.ndim - 1))).to(self.solid)
        solved = conjugate_gradients(self, rhs, tolerance, max_iterations)
        endless = ~is_resisted & is_open.flatten(1).any(1)
        return replace(solved, residual=torch.where(endless, 1.0, solved.residual))

    def sensitivity(self, u: torch.Tensor) -> torch.Tensor:
        """The derivative ``(B, *S)`` of the summed velocity with respect to the densities.

        The summed velocity is the maximum over u of ``sum(2 u) - friction(u)``, so it is the explicit derivative of the
        friction at the solution.
        """
        periodic = self.operator.periodic
        in_pores = velocity_in_pores(self.solid, self.couplings, periodic, u, torch.ones_like(u))
        slope = -GREY_DRAG * in_pores.square()
        for axis in range(1, u.ndim):
            behind, ahead = sides(u, axis, periodic)
            slope += couplings_slope(1 - self.solid, (ahead - behind).square(), axis, periodic)
        return slope
