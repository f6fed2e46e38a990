"""Finite-volume operators in divergence form on regular grids, in any number of dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch


def ends(x: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The values behind and ahead of each inner face across ``axis``, as views of ``x``."""
    n = x.shape[axis]
    return x.narrow(axis, 0, n - 1), x.narrow(axis, 1, n - 1)


def sides(x: torch.Tensor, axis: int, periodic: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The values behind and ahead of each face across ``axis``; the last face of a periodic grid is the seam."""
    return (x, x.roll(-1, axis)) if periodic else ends(x, axis)


def add_to_sides(cells: torch.Tensor, behind: torch.Tensor, ahead: torch.Tensor, axis: int) -> None:
    """Add values of faces to the cells behind and ahead of them, as :func:`sides` has them."""
    if behind.shape[axis] == cells.shape[axis]:
        cells += behind
        cells += ahead.roll(1, axis)
    else:
        cells.narrow(axis, 0, behind.shape[axis]).add_(behind)
        cells.narrow(axis, 1, ahead.shape[axis]).add_(ahead)


@dataclass(frozen=True, eq=False)
class DivergenceForm:
    """B operators ``d x - div(c grad x)`` on cells, in voxel units: symmetric, positive semidefinite.

    Attributes:
        faces: one tensor an axis, the coefficients c on faces, ``(B, *S)`` with the seam's faces where periodic, else
            one layer less along the axis. Without them an outer face lets nothing through.
        extra: ``(B, *S)``, d.
        periodic: whether the grid is.
    """

    faces: tuple[torch.Tensor, ...]
    extra: torch.Tensor
    periodic: bool

    @cached_property
    def diagonal(self) -> torch.Tensor:
        """The diagonals ``(B, *S)`` of the operators."""
        total = self.extra.clone()
        for axis, c in enumerate(self.faces, start=1):
            add_to_sides(total, c, c, axis)
        return total

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply the operators by ``x``, ``(B, *S)``."""
        out = self.diagonal * x
        for axis, c in enumerate(self.faces, start=1):
            behind, ahead = ends(x, axis)
            out_behind, out_ahead = ends(out, axis)
            inner = c.narrow(axis, 0, x.shape[axis] - 1)
            out_behind.addcmul_(inner, ahead, value=-1)
            out_ahead.addcmul_(inner, behind, value=-1)
            if self.periodic:
                seam = c.narrow(axis, -1, 1)
                out.narrow(axis, -1, 1).addcmul_(seam, x.narrow(axis, 0, 1), value=-1)
                out.narrow(axis, 0, 1).addcmul_(seam, x.narrow(axis, -1, 1), value=-1)
        return out

    def select(self, rows: torch.Tensor) -> DivergenceForm:
        """The operators of these rows."""
        return DivergenceForm(tuple(c[rows] for c in self.faces), self.extra[rows], self.periodic)
