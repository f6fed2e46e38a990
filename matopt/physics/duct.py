"""Slow flow along the axis of an extruded section."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.grid import DivergenceForm, sides
from matopt.physics.krylov import Solved, conjugate_gradients

GREY_DRAG = 12.0
"""A voxel of density s resists by Brinkman's drag with the permeability ``(1 - s) / s`` of a voxel-wide slit's, h^2/12.

The form with a drag that is convex in s follows Borrvall and Petersson, Int. J. Numer. Meth. Fluids 41 (2003) 77.
"""


@dataclass(frozen=True, eq=False)
class Duct:
    """``-laplace u + drag u = 1`` in pores, u = 0 in grains, in voxel units, for a batch of sections.

    A face between densities a and b has the coefficient ``2 - (1 - a)(1 - b)``: 1 between pores, and 2 at a grain, as u
    vanishes on the voxel's face, half a voxel away. So binary sections are exact, in between the mean velocity is
    smooth in every density, and it falls as any density rises. A window's edge is a mirror, or the seam of a periodic
    section.

    Attributes:
        solid: ``(B, *S)`` densities.
        faces: the coefficients, an axis each, walls included.
        interior: the operator on voxels that are not full.
    """

    solid: torch.Tensor
    faces: tuple[torch.Tensor, ...]
    interior: DivergenceForm

    @staticmethod
    def of(solid: torch.Tensor, periodic: bool) -> Duct:
        """From densities ``(B, *S)``."""
        is_open = solid < 1
        extra = torch.where(is_open, GREY_DRAG * solid / (1 - solid), 0.0)
        faces, inner = [], []
        for axis in range(1, solid.ndim):
            a, b = sides(solid, axis, periodic)
            open_a, open_b = sides(is_open, axis, periodic)
            c = 2 - (1 - a) * (1 - b)
            faces.append(c)
            inner.append(torch.where(open_a & open_b, c, 0.0))
            _add_to_sides(extra, torch.where(open_a & ~open_b, c, 0.0), torch.where(open_b & ~open_a, c, 0.0), axis)
        return Duct(solid, tuple(faces), DivergenceForm(tuple(inner), extra, periodic))

    def solve(self, tolerance: float, max_iterations: int) -> Solved:
        """The velocities; a section without anything to hold the flow stays at 0 with the residual 1."""
        is_held = (self.interior.extra > 0).flatten(1).any(1)
        is_open = self.solid < 1
        rhs = (is_open & is_held.view(-1, *[1] * (is_open.ndim - 1))).to(self.solid)
        solved = conjugate_gradients(_Jacobi.of(self.interior), rhs, tolerance, max_iterations)
        endless = ~is_held & is_open.flatten(1).any(1)
        return replace(solved, residual=torch.where(endless, 1.0, solved.residual))

    def sensitivity(self, u: torch.Tensor) -> torch.Tensor:
        """``(B, *S)`` derivative of the summed velocity with respect to the densities.

        The summed velocity is the maximum over u of ``sum(2 u) - energy(u)``, so it is the explicit derivative of the
        energy. In full voxels it is the limit from below, where u over the pore share of the voxel stays finite.
        """
        periodic = self.interior.periodic
        slope, balance = torch.zeros_like(u), torch.ones_like(u)
        for axis, c in enumerate(self.faces, start=1):
            a, b = sides(self.solid, axis, periodic)
            u_a, u_b = sides(u, axis, periodic)
            drop = u_b - u_a
            _add_to_sides(slope, (b - 1) * drop.square(), (a - 1) * drop.square(), axis)
            _add_to_sides(balance, c * drop, -c * drop, axis)
        # u / (1 - s) from the momentum balance, where that is the better conditioned of the two.
        is_mostly_solid = self.solid > 0.5
        in_pore = torch.where(
            is_mostly_solid,
            balance / (GREY_DRAG * self.solid.clamp_min(0.5)),
            u / (1 - self.solid).clamp_min(0.5),
        )
        return slope - GREY_DRAG * in_pore.square()


def _add_to_sides(cells: torch.Tensor, behind: torch.Tensor, ahead: torch.Tensor, axis: int) -> None:
    """Add values of faces to the cells on their two sides; the last face of a periodic grid is the seam."""
    if behind.shape[axis] == cells.shape[axis]:
        cells += behind + ahead.roll(1, axis)
    else:
        cells.narrow(axis, 0, behind.shape[axis]).add_(behind)
        cells.narrow(axis, 1, ahead.shape[axis]).add_(ahead)


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
