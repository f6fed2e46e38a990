"""Conduction between the cells of grids, on the cells that conduct alone, with multigrid as its preconditioner."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch

FEWEST_CELLS = 64
"""Grids of no more cells than this are solved directly."""

STIFFNESS_OF_BLOCKS = 2
"""How much too well blocks of two voxels an edge conduct where each has one concentration, as they are twice as far
apart as voxels are: Braess, Towards algebraic multigrid for elliptic problems of second order (1995)."""

GROUND = 1e-3
"""Of the diagonal, added to it in direct solutions: clusters that nothing holds have a singular system."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of B grids that conduct, ``(B, n)``: a sample a row, sorted by colour, filled up to the longest row.

    No two neighbours have the same colour: parities of a chessboard, with a third colour where a periodic grid is odd.

    Attributes:
        shape: of the grids.
        periodic: whether the grids are.
        place: ``(B, n)`` index of the cell in the batch of grids, B times the cells of a grid where the row is filled up.
        number: ``(B * cells + 1,)`` int, index of each cell of the grids in ``(B, n)``, ``B * n`` where none conducts.
        bounds: of the colours in rows, one more than there are colours.
    """

    shape: tuple[int, ...]
    periodic: bool
    place: torch.Tensor
    number: torch.Tensor
    bounds: tuple[int, ...]

    @staticmethod
    def of(conducts: torch.Tensor, periodic: bool) -> Cells:
        """From ``(B, *S)`` bool."""
        batch, shape = len(conducts), tuple(conducts.shape[1:])
        place = conducts.reshape(-1).nonzero()[:, 0]
        along = [_coordinate(place, shape, axis) for axis in range(len(shape))]
        colour = sum(c % 2 for c in along)
        if periodic and any(n % 2 and n > 1 for n in shape):
            thirds = (torch.where((c == n - 1) & (n % 2 == 1), 2, c % 2) for c, n in zip(along, shape, strict=True))
            colour = sum(thirds) % 3
        else:
            colour = colour % 2
        rows, bounds = [], [0]
        for which in range(3):
            chosen = place[colour == which]
            sample = chosen // math.prod(shape)
            counts = torch.bincount(sample, minlength=batch)
            longest = max(int(counts.max()), which == 0)  # a row is never empty
            if longest:
                row = place.new_full((batch, longest), conducts.numel())
                rank = torch.arange(len(chosen), device=place.device) - (counts.cumsum(0) - counts)[sample]
                row[sample, rank] = chosen
                rows.append(row)
                bounds.append(bounds[-1] + longest)
        place = torch.cat(rows, 1)
        kind = torch.int32 if place.numel() * 2 * len(shape) < 2**31 else torch.int64
        number = torch.full((conducts.numel() + 1,), place.numel(), dtype=kind, device=place.device)
        number[place.view(-1)] = torch.arange(place.numel(), dtype=kind, device=place.device)
        number[-1] = place.numel()
        return Cells(shape, periodic, place, number, tuple(bounds))

    def along(self, axis: int) -> torch.Tensor:
        """``(B, n)`` the cells' coordinates."""
        return _coordinate(self.place, self.shape, axis)

    def within(self, index: torch.Tensor) -> torch.Tensor:
        """Indices ``(B, ...)`` in ``(B, n)`` with those that are of no cell replaced by one of the same sample."""
        batch, n = self.place.shape
        last = torch.arange(n - 1, batch * n, n, dtype=index.dtype, device=index.device)
        return torch.minimum(index, last.view(-1, *[1] * (index.ndim - 1)))

    def neighbour(self, axis: int, step: int) -> torch.Tensor:
        """``(B, n)`` the place one step of +1 or -1 along an axis, that of filled up rows where there is none."""
        size, stride = self.shape[axis], math.prod(self.shape[axis + 1 :])
        last = self.along(axis) == (size - 1 if step > 0 else 0)
        nowhere = len(self.number) - 1
        beyond = self.place - step * (size - 1) * stride if self.periodic and size > 1 else nowhere
        return torch.where(last, beyond, self.place + step * stride).clamp_max_(nowhere)


def _coordinate(place: torch.Tensor, shape: tuple[int, ...], axis: int) -> torch.Tensor:
    return place // math.prod(shape[axis + 1 :]) % shape[axis]


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
    def of(cells: Cells, ahead: torch.Tensor, held: torch.Tensor) -> Multigrid:
        """From conductances to the neighbours ahead, ``(B, n, d)``, and to what is held, ``(B, n)``."""
        dimensions = len(cells.shape)
        steps = [(axis, step) for step in (1, -1) for axis in range(dimensions)]
        columns = torch.stack([cells.number[cells.neighbour(axis, step)] for axis, step in steps], -1)
        padded = torch.cat([ahead.reshape(-1, dimensions), ahead.new_zeros(1, dimensions)])
        behind = [padded[:, axis][columns[..., dimensions + axis]] for axis in range(dimensions)]
        conductances = torch.cat([ahead, torch.stack(behind, -1)], -1)
        columns = cells.within(columns)
        diagonal = conductances.sum(-1) + held
        parts = [slice(*pair) for pair in zip(cells.bounds, cells.bounds[1:], strict=False)]
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
        coarse_cells, parent = _blocks(cells)
        coarse_ahead = ahead.new_zeros(coarse_cells.place.numel(), dimensions)
        for axis in range(dimensions):
            at = cells.along(axis)
            leaves = (at % 2 == 1) | (at == cells.shape[axis] - 1)
            if coarse_cells.shape[axis] > 1:
                coarse_ahead[:, axis].index_add_(0, parent.view(-1), (ahead[..., axis] * leaves).view(-1))
        coarse_held = held.new_zeros(coarse_cells.place.numel()).index_add_(0, parent.view(-1), held.view(-1))
        coarse_held, coarse_ahead = (
            (t / STIFFNESS_OF_BLOCKS).unflatten(0, coarse_cells.place.shape) for t in (coarse_held, coarse_ahead)
        )
        coarser = Multigrid.of(coarse_cells, coarse_ahead, coarse_held)
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
            return (self.inverse @ residual[..., None])[..., 0]
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
            parent = self.parent.view(-1)
            coarse = residual.new_zeros(self.coarser.diagonal.shape)
            coarse.view(-1).index_add_(0, parent, torch.cat(rest, 1).view(-1) if len(rest) > 1 else rest[0].reshape(-1))
            correction = self.coarser.precondition(coarse)
            if self.coarser.inverse is None:
                correction += self.coarser.precondition(coarse - self.coarser.apply(correction))
            x[:, : self.parent.shape[1]] += correction.view(-1)[parent].view(self.parent.shape)
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
        return tuple(slice(*pair) for pair in zip(self.bounds, self.bounds[1:], strict=False))

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


def _blocks(cells: Cells) -> tuple[Cells, torch.Tensor]:
    """The blocks of two cells an edge that conduct, and each cell's index ``(B, n)`` among them."""
    shape = tuple((n + 1) // 2 for n in cells.shape)
    batch, nowhere = len(cells.place), len(cells.place) * math.prod(shape)
    block = cells.place // math.prod(cells.shape)
    for axis, n in enumerate(shape):
        block = block * n + cells.along(axis) // 2
    block = block.clamp_max_(nowhere)
    conducts = torch.zeros(nowhere + 1, dtype=torch.bool, device=block.device)
    conducts[block.view(-1)] = True
    coarse = Cells.of(conducts[:-1].view(batch, *shape), cells.periodic)
    return coarse, coarse.within(coarse.number[block]).long()


def _dense_inverse(conductances: torch.Tensor, columns: torch.Tensor, diagonal: torch.Tensor) -> torch.Tensor:
    batch, n = diagonal.shape
    matrix = torch.zeros(batch * n, n, dtype=torch.float64, device=diagonal.device)
    matrix.scatter_add_(1, columns.long().view(batch * n, -1) % n, -conductances.double().view(batch * n, -1))
    matrix = matrix.view(batch, n, n)
    ground = torch.where(diagonal > 0, (1 + GROUND) * diagonal.double(), 1.0)
    matrix.diagonal(dim1=1, dim2=2).add_(ground)
    return torch.linalg.inv(matrix).to(diagonal.dtype)
