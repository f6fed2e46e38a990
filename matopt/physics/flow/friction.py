"""Viscous friction of a slow flow on no-slip walls, and the drag within grey voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from matopt.physics.flow import chords
from matopt.physics.numerics.divergence_form import DivergenceForm, add_to_sides, sides

GREY_DRAG = 12.0
"""Brinkman drag of a voxel that is half closed, in voxel units: closed by a share s it has the permeability
``(1 - s) / s`` times that of a voxel-wide slit, h^2/12. That the drag is convex in the share follows Borrvall and
Petersson, Int. J. Numer. Meth. Fluids 41 (2003) 77.
"""


def drag(closed: torch.Tensor) -> torch.Tensor:
    """The Brinkman drag in a voxel or face that is closed by a share; infinite where it is all closed."""
    return GREY_DRAG * closed / (1 - closed)


def wall(chord: torch.Tensor) -> torch.Tensor:
    """The viscous coupling of a velocity to a wall beside it, in a pore of a chord of so many cells across the wall.

    It is the flux of Poiseuille's profile at the wall over its mean in the outermost cell, so that slits of any width
    are exact, ``6 h / (3 h - 2)``: 6 where they are one cell wide, 3, 18/7 and so on, and 2 in wide pores, as half a
    cell away.
    """
    return (3 * chord).sub_(2).reciprocal_().mul_(4).add_(2)


def couplings(open_share: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """The viscous couplings of velocities in cells that follow each other along an axis, and of them to walls between.

    They are 1 where both cells are open, and :func:`wall` of the open one's chord where one is closed. So slits have
    Poiseuille's flow, in between it is smooth in every density, and it falls as any density rises.

    Args:
        open_share: ``(B, *S)`` of the cells, 0 to 1.
        axis: of ``open_share``.
        periodic: whether the grid is; else it ends in mirrors.
    """
    # With the axis first, what is done cell by cell runs along memory.
    share = open_share.movedim(axis, 0).contiguous()
    behind, ahead = sides(share, 0, periodic)
    beside = wall(_chord(share, 0, periodic)).sub_(1)
    return beside.mul_(1 - behind * ahead).add_(1).movedim(0, axis).contiguous()


def couplings_slope(open_share: torch.Tensor, weight: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """The derivative ``(B, *S)`` of the sum of ``weight`` times :func:`couplings` with respect to the open shares."""
    behind, ahead = sides(open_share, axis, periodic)
    chord = _chord(open_share, axis, periodic)
    by_length = -12 * weight * (1 - behind * ahead) / (3 * chord - 2).square()
    on_length = torch.zeros_like(open_share)
    add_to_sides(on_length, by_length, by_length, axis)
    slope = chords.lengths_slope(open_share, on_length, axis, periodic)
    by_wall = -weight * (wall(chord) - 1)
    add_to_sides(slope, by_wall * ahead, by_wall * behind, axis)
    return slope


def _chord(open_share: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    """The chord that ends at each face: of the two cells beside a wall one is closed, and its own is 1."""
    behind, ahead = sides(chords.lengths(open_share, axis, periodic), axis, periodic)
    return behind + ahead - 1


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
        drags: ``(B, d, *S)`` on the velocity through a face, infinite where it is closed.
        open_share: ``(B, d, *S)`` of the faces, beside those of which that are closed there are walls; None where there
            are no walls.
    """

    drags: torch.Tensor
    open_share: torch.Tensor | None = None

    def couplings(self, normal: int) -> list[torch.Tensor]:
        """The couplings of neighbouring velocities normal to an axis, counted from 1, and of them to walls between."""
        here = self.drags[:, normal - 1]
        return [
            torch.ones_like(here)
            if self.open_share is None or axis == normal
            else couplings(self.open_share[:, normal - 1], axis, periodic=True)
            for axis in range(1, here.ndim)
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
