"""Conduction between the cells of grids, on the cells that conduct alone, with multigrid as its preconditioner."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from matopt.physics.cells import Cells

FEWEST_CELLS = 64
"""Grids of no more cells than this are solved directly."""

STIFFNESS_OF_BLOCKS = 2
"""How much too well blocks of two voxels an edge conduct where each has one concentration, as they are twice as far
apart as voxels are: Braess, Towards algebraic multigrid for elliptic problems of second order (1995)."""

GROUND = 1e-3
"""Of the diagonal, added to it in direct solutions: clusters that nothing holds have a singular system."""


@dataclass(frozen=True, eq=False)
class Multigrid:
    """B symmetric systems of conductances between cells and to what holds them, and their preconditioner.

    The preconditioner is a W-cycle over blocks of two cells an edge, one Gauss-Seidel sweep by colours before and one
    in reverse after. With exact solutions on the next coarser level its spectrum times the system's is in (0, 2): its
    coarse correction is twice a projection. Two cycles make that (0, 1], so that the same holds one level up: the
    preconditioner is positive definite whatever the conductances are.

    Rows are ``(B, n)`` as in :class:`Cells`.

    Attributes:
        bounds: of the colours in rows.
        conductances: ``(B, c, 2 d)`` a colour, to the neighbours ahead along each axis and those behind.
        columns: ``(B, c, 2 d)`` a colour, the neighbours' indices in ``(B, n)``; any where the conductance is 0.
        diagonal: ``(B, n)``.
        inverse: ``(B, n, n)`` of the system, on the coarsest level.
        parent: ``(B, m)`` the index in the coarser level of all cells but those of the last colour.
        coarser: the next level.
    """

    bounds: tuple[int, ...]
    conductances: tuple[torch.Tensor, ...]
    columns: tuple[torch.Tensor, ...]
    diagonal: torch.Tensor
    inverse: torch.Tensor | None
    parent: torch.Tensor | None
    coarser: Multigrid | None

    @staticmethod
    def of(cells: Cells, ahead: Sequence[torch.Tensor], held: torch.Tensor) -> Multigrid:
        """From conductances to the neighbours ahead, ``(B, n)`` an axis, and to what is held, ``(B, n)``."""
        dimensions, diagonal = len(ahead), held.clone()
        columns = torch.empty(*held.shape, 2 * dimensions, dtype=cells.number.dtype, device=held.device)
        conductances = held.new_empty(columns.shape)
        for axis, forward in enumerate(ahead):
            backward = behind(cells, forward, axis)
            diagonal += forward
            diagonal += backward
            for entry, values in ((axis, forward), (dimensions + axis, backward)):
                conductances[..., entry] = values
                columns[..., entry] = cells.within(cells.neighbours[entry]).view(held.shape)
        parts = [slice(*pair) for pair in itertools.pairwise(cells.bounds)]
        level = Multigrid(
            cells.bounds,
            tuple(conductances[:, part].contiguous() for part in parts),
            tuple(columns[:, part].contiguous() for part in parts),
            diagonal,
            None,
            None,
            None,
        )
        if math.prod(cells.shape) <= FEWEST_CELLS:
            return replace(level, inverse=_dense_inverse(conductances, columns, diagonal))
        blocks, parent = cells.blocks()
        parent = parent.long()
        line = torch.cat([parent.view(-1), parent.new_full((1,), -1)])
        coarse = [held.new_zeros(blocks.place.numel()) for _ in range(dimensions + 1)]
        for axis, forward in enumerate(ahead):
            leaves = line.index_select(0, cells.neighbours[axis]) != line[:-1]
            coarse[axis].scatter_add_(0, line[:-1], forward.view(-1) * leaves)
        coarse[-1].scatter_add_(0, line[:-1], held.view(-1))
        *coarse_ahead, coarse_held = (c.div_(STIFFNESS_OF_BLOCKS).view(blocks.place.shape) for c in coarse)
        coarser = Multigrid.of(blocks, coarse_ahead, coarse_held)
        return replace(level, parent=parent[:, : cells.bounds[-2]].contiguous(), coarser=coarser)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The systems times ``x``."""
        flat, out = x.reshape(-1), self.diagonal * x
        for colour, part in enumerate(self._parts):
            out[:, part] -= self._from_neighbours(colour, flat)
        return out

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """A cycle: approximate inverses times ``residual``; symmetric positive definite."""
        if self.inverse is not None:
            return (residual[:, None] @ self.inverse)[:, 0]  # symmetric; quicker than the other way round
        x = torch.zeros_like(residual)
        flat = x.view(-1)
        first, *others = self._parts
        torch.mul(self._reciprocal[:, first], residual[:, first], out=x[:, first])
        for colour, part in enumerate(others, start=1):
            self._relax(x, flat, residual, colour, part)
        if self.coarser is not None and self.parent is not None:
            # The last colour has no residual, and what it is given is not looked at.
            rest = [self._from_neighbours(0, flat)]
            for colour, part in enumerate(others[:-1], start=1):
                left = residual[:, part] - self.diagonal[:, part] * x[:, part]
                rest.append(left + self._from_neighbours(colour, flat))
            parent, shape = self.parent.view(-1), self.parent.shape
            below = rest[0] if len(rest) == 1 else torch.cat(rest, 1)
            coarse = torch.zeros_like(self.coarser.diagonal)
            coarse.view(-1).scatter_add_(0, parent, below.view(-1))
            correction = self.coarser.precondition(coarse)
            if self.coarser.inverse is None:
                correction += self.coarser.precondition(coarse - self.coarser.apply(correction))
            x[:, : shape[1]] += correction.view(-1).index_select(0, parent).view(shape)
        for colour, part in reversed(list(enumerate(self._parts))):
            self._relax(x, flat, residual, colour, part)
        return x

    def select(self, rows: torch.Tensor) -> Multigrid:
        """The systems of these rows, each of them once and in order."""
        if len(rows) == len(self.diagonal):
            return self
        moved = torch.arange(len(rows), device=rows.device) - rows
        shift = (moved * self.diagonal.shape[1])[:, None, None]
        parent, coarser = self.parent, self.coarser
        if parent is not None and coarser is not None:
            parent = parent[rows] + (moved * coarser.diagonal.shape[1])[:, None]
            coarser = coarser.select(rows)
        return Multigrid(
            self.bounds,
            tuple(c[rows] for c in self.conductances),
            tuple((c[rows] + shift).to(c.dtype) for c in self.columns),
            self.diagonal[rows],
            None if self.inverse is None else self.inverse[rows],
            parent,
            coarser,
        )

    def _relax(self, x: torch.Tensor, flat: torch.Tensor, residual: torch.Tensor, colour: int, part: slice) -> None:
        """Solve the equations of a colour's cells for these."""
        balance = self._from_neighbours(colour, flat).add_(residual[:, part])
        torch.mul(balance, self._reciprocal[:, part], out=x[:, part])

    def _from_neighbours(self, colour: int, flat: torch.Tensor) -> torch.Tensor:
        """``(B, c)`` the sums over the neighbours of conductance times value."""
        return self._matrices[colour].mv(flat).view(len(self.diagonal), -1)

    @cached_property
    def _parts(self) -> tuple[slice, ...]:
        return tuple(slice(*pair) for pair in itertools.pairwise(self.bounds))

    @cached_property
    def _reciprocal(self) -> torch.Tensor:
        return torch.where(self.diagonal > 0, 1 / self.diagonal, 0.0)

    @cached_property
    def _matrices(self) -> tuple[torch.Tensor, ...]:
        matrices = []
        for conductances, columns in zip(self.conductances, self.columns, strict=True):
            entries = conductances.shape[-1]
            size = (conductances.numel() // entries, self.diagonal.numel())
            starts = torch.arange(0, conductances.numel() + 1, entries, dtype=columns.dtype, device=columns.device)
            matrices.append(
                torch.sparse_csr_tensor(starts, columns.view(-1), conductances.view(-1), size, check_invariants=False)
            )
        return tuple(matrices)


def behind(cells: Cells, ahead: torch.Tensor, axis: int) -> torch.Tensor:
    """``(B, n)`` what the neighbours behind along an axis have ahead of them, 0 where there is none."""
    padded = torch.cat([ahead.view(-1), ahead.new_zeros(1)])
    return padded.index_select(0, cells.neighbours[len(cells.shape) + axis]).view(ahead.shape)


def _dense_inverse(conductances: torch.Tensor, columns: torch.Tensor, diagonal: torch.Tensor) -> torch.Tensor:
    batch, n = diagonal.shape
    matrix = torch.zeros(batch * n, n, dtype=torch.float64, device=diagonal.device)
    matrix.scatter_add_(1, columns.long().view(batch * n, -1) % n, -conductances.double().view(batch * n, -1))
    matrix = matrix.view(batch, n, n)
    ground = torch.where(diagonal > 0, (1 + GROUND) * diagonal.double(), 1.0)
    matrix.diagonal(dim1=1, dim2=2).add_(ground)
    return torch.linalg.inv(matrix).to(diagonal.dtype)
