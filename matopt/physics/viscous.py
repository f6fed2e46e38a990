"""Friction of a slow viscous flow between no-slip walls, and its derivative with respect to the walls."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from matopt.physics.grid import DivergenceForm, add_to_sides, sides

GREY_DRAG = 12.0
"""What is closed by a share s resists by Brinkman's drag with the permeability ``(1 - s) / s`` of a voxel-wide slit's,
h^2/12. A drag that is convex in the share follows Borrvall and Petersson, Int. J. Numer. Meth. Fluids 41 (2003) 77.
"""


@dataclass(frozen=True, eq=False)
class Viscous:
    """``-laplace u + drag u`` for B fields of one velocity component each, on places closed by a share in [0, 1].

    Two neighbouring places closed by a and b are coupled by ``2 - (1 - a)(1 - b)``: by 1 where both are open, and by 2
    at a wall, as u vanishes half a voxel away. So binary shares are exact, in between the flow is smooth in every share,
    and it falls as any share rises. In units of voxels. A grid that is not periodic ends in mirrors.

    Attributes:
        closed: ``(B, *S)`` shares.
        couplings: an axis each, walls included.
        interior: the operator on places that are not fully closed; u is 0 on the others.
        normal: ``(B,)`` the axis of each component, along which its neighbours are a whole voxel away from each other
            whether closed or not, as faces of a staggered grid are; or None for flow out of the plane.
    """

    closed: torch.Tensor
    couplings: tuple[torch.Tensor, ...]
    interior: DivergenceForm
    normal: torch.Tensor | None = None

    @staticmethod
    def of(closed: torch.Tensor, periodic: bool, normal: torch.Tensor | None = None) -> Viscous:
        """From the shares; the other arguments as the attributes."""
        is_open = closed < 1
        extra = torch.where(is_open, GREY_DRAG * closed / (1 - closed), 0.0)
        couplings, inner = [], []
        for axis in range(1, closed.ndim):
            a, b = sides(closed, axis, periodic)
            open_a, open_b = sides(is_open, axis, periodic)
            c = 2 - (1 - a) * (1 - b)
            if normal is not None:
                c = torch.where(_column(normal == axis - 1, c), 1.0, c)
            couplings.append(c)
            inner.append(torch.where(open_a & open_b, c, 0.0))
            add_to_sides(extra, torch.where(open_a & ~open_b, c, 0.0), torch.where(open_b & ~open_a, c, 0.0), axis)
        return Viscous(closed, tuple(couplings), DivergenceForm(tuple(inner), extra, periodic), normal)

    def select(self, rows: torch.Tensor) -> Viscous:
        """The fields of these rows."""
        return replace(
            self,
            closed=self.closed[rows],
            couplings=tuple(c[rows] for c in self.couplings),
            interior=self.interior.select(rows),
            normal=None if self.normal is None else self.normal[rows],
        )

    def sensitivity(self, u: torch.Tensor, force: torch.Tensor | float) -> torch.Tensor:
        """``(B, *S)`` derivative of ``sum(2 force u - u (-laplace + drag) u)`` with respect to the shares at fixed u.

        At a solution this is the derivative of the summed velocity, which is the maximum of that expression over u. On
        closed places it is the limit from below, where u over the open share stays finite.

        Args:
            u: ``(B, *S)`` velocities.
            force: what drives them, ``(B, *S)`` or one number.
        """
        periodic = self.interior.periodic
        slope = torch.zeros_like(u)
        balance = slope + force
        for axis, c in enumerate(self.couplings, start=1):
            a, b = sides(self.closed, axis, periodic)
            u_a, u_b = sides(u, axis, periodic)
            drop = u_b - u_a
            tilt = drop.square()
            if self.normal is not None:
                tilt = torch.where(_column(self.normal == axis - 1, tilt), 0.0, tilt)
            add_to_sides(slope, (b - 1) * tilt, (a - 1) * tilt, axis)
            add_to_sides(balance, c * drop, -c * drop, axis)
        # u / (1 - s) from the momentum balance, where that is the better conditioned of the two.
        in_pore = torch.where(
            self.closed > 0.5,
            balance / (GREY_DRAG * self.closed.clamp_min(0.5)),
            u / (1 - self.closed).clamp_min(0.5),
        )
        return slope - GREY_DRAG * in_pore.square()


def _column(flags: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return flags.view(-1, *[1] * (like.ndim - 1))
