"""Viscous friction of a slow flow on no-slip walls, and the drag within grey voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from matopt.physics.numerics.divergence_form import DivergenceForm, add_to_sides, sides

GREY_DRAG = 12.0
"""Brinkman drag of a voxel that is half closed, in voxel units: closed by a share s it has the permeability
``(1 - s) / s`` times that of a voxel-wide slit, h^2/12. That the drag is convex in the share follows Borrvall and
Petersson, Int. J. Numer. Meth. Fluids 41 (2003) 77.
"""


def drag(closed: torch.Tensor) -> torch.Tensor:
    """The Brinkman drag in a voxel or face that is closed by a share; infinite where it is all closed."""
    return GREY_DRAG * closed / (1 - closed)


def coupling(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The viscous coupling of the velocities, parallel to their face, in two neighbouring voxels of densities a and b.

    It is 1 where both are open, and 2 at a wall, as the velocity vanishes half a voxel away. So binary densities are
    exact, in between the flow is smooth in every density, and it falls as any density rises.
    """
    return 2 - (1 - a) * (1 - b)


def friction(drags: torch.Tensor, couplings: Sequence[torch.Tensor], periodic: bool) -> DivergenceForm:
    """Assemble ``-laplace u + drag u`` on the cells that are not fully closed, u = 0 on the others, in voxel units.

    Args:
        drags: ``(B, *S)``, infinite where a cell is closed.
        couplings: of neighbouring cells, an axis each, walls included.
        periodic: whether the grid is; else it ends in mirrors.
    """
    is_open = drags.isfinite()
    extra = torch.where(is_open, drags, 0.0)
    inner = []
    for axis, c in enumerate(couplings, start=1):
        open_a, open_b = sides(is_open, axis, periodic)
        inner.append(torch.where(open_a & open_b, c, 0.0))
        add_to_sides(extra, torch.where(open_a & ~open_b, c, 0.0), torch.where(open_b & ~open_a, c, 0.0), axis)
    return DivergenceForm(tuple(inner), extra, periodic)


@dataclass(frozen=True, eq=False)
class Friction:
    """The friction of the velocities on the faces of periodic grids, each face ahead of its voxel along an axis.

    Attributes:
        walls: ``(B, d, *S)``, how far there is a wall in a face, 0 to 1. Velocities along it on both sides of an edge
            between two walls are coupled by one more than the product of these.
        drags: ``(B, d, *S)`` on the velocity through a face, infinite where it is closed.
    """

    walls: torch.Tensor
    drags: torch.Tensor

    def couplings(self, normal: int) -> list[torch.Tensor]:
        """The couplings of neighbouring velocities normal to an axis, counted from 1, walls included."""
        return [
            torch.ones_like(wall) if axis == normal else 1 + wall * wall.roll(-1, normal)
            for axis, wall in enumerate(self.walls.unbind(1), start=1)
        ]

    def along(self, normal: int) -> DivergenceForm:
        """The friction operator of the velocities along an axis, counted from 1."""
        return friction(self.drags[:, normal - 1], self.couplings(normal), periodic=True)


def velocity_in_pores(
    closed: torch.Tensor, couplings: Sequence[torch.Tensor], periodic: bool, u: torch.Tensor, force: torch.Tensor
) -> torch.Tensor:
    """The velocity within the open share of each cell, ``u / (1 - closed)``; in closed cells its limit.

    Where a cell is mostly closed the momentum balance gives it, which is the better conditioned way.

    Args:
        closed: ``(B, *S)`` closed shares.
        couplings: as in :func:`friction`.
        periodic: as in :func:`friction`.
        u: ``(B, *S)`` velocities that solve the system.
        force: ``(B, *S)`` its right-hand side.
    """
    balance = force.clone()
    for axis, c in enumerate(couplings, start=1):
        u_a, u_b = sides(u, axis, periodic)
        flux = c * (u_b - u_a)
        add_to_sides(balance, flux, -flux, axis)
    mostly_closed = balance / (GREY_DRAG * closed.clamp_min(0.5))
    return torch.where(closed > 0.5, mostly_closed, u / (1 - closed).clamp_min(0.5))
