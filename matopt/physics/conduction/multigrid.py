"""Multigrid for systems of conductances between the cells of grids."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from matopt.physics.conduction.cells import Cells, by_colour, by_sample
from matopt.physics.numerics import sparse

FEWEST_CELLS = 64
"""Grids of no more cells than this are solved directly."""

STIFFNESS_OF_BLOCKS = 2
"""How much too well blocks of two cells an edge conduct where each has one concentration, as they are twice as far
apart as cells are: Braess, Towards algebraic multigrid for elliptic problems of second order (1995)."""

GROUND = 1e-3
"""Smallest eigenvalue, of systems with a diagonal of ones, that direct solutions resolve: clusters without a fixed
value have a singular system, and rounding must not be amplified there."""


@dataclass(frozen=True, eq=False)
class Level:
    """One level of multigrid: systems with a diagonal of ones, and their W-cycle over blocks of two cells an edge.

    A cycle has a Gauss-Seidel sweep by colours before and one in reverse after. With exact solutions on the next
    coarser level its spectrum times the system's is in (0, 2), as its coarse correction is twice a projection. Two
    cycles make that (0, 1], so that the same holds one level up: it is positive definite whatever the conductances are.

    Attributes:
        counts: how many numbers a sample has of each colour.
        conductances: ``(B * count, 2 d)`` a colour, scaled, to the neighbours ahead along each axis and those behind.
        columns: ``(B * count, 2 d)`` a colour, the neighbours' numbers among those of the other colours; any where the
            conductance is 0.
        inverse: ``(B, n, n)`` of the system, on the coarsest level.
        parent: ``(M,)`` the number in the coarser level of the cells of all colours but the last.
        weight: ``(M,)`` of those, by which the two levels' scalings differ.
        coarser: the next level.
    """

    counts: tuple[int, ...]
    conductances: tuple[torch.Tensor, ...]
    columns: tuple[torch.Tensor, ...]
    inverse: torch.Tensor | None = None
    parent: torch.Tensor | None = None
    weight: torch.Tensor | None = None
    coarser: Level | None = None

    @staticmethod
    def of(cells: Cells, ahead: Sequence[torch.Tensor], dirichlet: torch.Tensor) -> tuple[Level, torch.Tensor]:
        """Set up this level and all coarser ones; returns it, and the root of the diagonal ``(N,)``.

        Args:
            cells: of the grids.
            ahead: conductances to the neighbours ahead, ``(N,)`` an axis.
            dirichlet: ``(N,)``, conductances to fixed values.
        """
        dimensions, sizes = len(ahead), [cells.batch * count for count in cells.counts]
        root = dirichlet.clone()
        for axis, conductance in enumerate(ahead):
            root.add_(conductance).add_(cells.of_neighbours(conductance, dimensions + axis))
        root.sqrt_()
        scale = reciprocal(root)
        conductances = dirichlet.new_empty(len(dirichlet), 2 * dimensions)
        columns = torch.empty(conductances.shape, dtype=cells.number.dtype, device=dirichlet.device)
        for axis, conductance in enumerate(ahead):
            scaled = (conductance * scale).mul_(cells.of_neighbours(scale, axis))
            conductances[:, axis] = scaled
            conductances[:, dimensions + axis] = cells.of_neighbours(scaled, dimensions + axis)
        for step, neighbour in enumerate(cells.neighbours):
            columns[:, step] = neighbour
        split, end = columns.split(sizes), 0
        for part, size in zip(split, sizes, strict=True):
            # Without the colour's own numbers, and with any of the others' where there is no neighbour.
            end += size
            if end == size:
                part -= size
            elif end < len(dirichlet):
                part -= (part >= end).to(part.dtype) * size
            part.clamp_(0, len(dirichlet) - size - 1)
        level = Level(cells.counts, conductances.split(sizes), split)
        if math.prod(cells.shape) <= FEWEST_CELLS:
            return replace(level, inverse=_dense_inverse(cells, conductances)), root
        blocks, parent = cells.blocks()
        coarse = [dirichlet.new_zeros(len(blocks.place)) for _ in range(dimensions + 1)]
        within, parent = parent, parent.long()
        for axis, conductance in enumerate(ahead):
            leaves = cells.of_neighbours(within, axis) != within
            coarse[axis].scatter_add_(0, parent, conductance * leaves)
        coarse[-1].scatter_add_(0, parent, dirichlet)
        *coarse_ahead, coarse_dirichlet = (c.div_(STIFFNESS_OF_BLOCKS) for c in coarse)
        coarser, coarse_root = Level.of(blocks, coarse_ahead, coarse_dirichlet)
        parent = parent[: -sizes[-1]].clone()
        weight = root[: -sizes[-1]] * reciprocal(coarse_root).index_select(0, parent)
        return replace(level, parent=parent, weight=weight, coarser=coarser), root

    def relaxed(self, residual: torch.Tensor | None, x: Sequence[torch.Tensor], colour: int) -> torch.Tensor:
        """Solve the equations of one colour for it, all others given; without a residual, of a right-hand side of 0."""
        others = joined([part for c, part in enumerate(x) if c != colour])
        return sparse.product(self._matrices[colour], others, residual)

    def cycle(self, residual: list[torch.Tensor]) -> list[torch.Tensor]:
        """Apply two cycles to a residual, by colours; on the coarsest level, the inverse."""
        if self.inverse is not None:
            # The inverse is symmetric; this is quicker than the other way round.
            solved = (by_sample(torch.cat(residual), self.counts)[:, None] @ self.inverse)[:, 0]
            return list(by_colour(solved, self.counts).split(self.sizes))
        x = self.sweeps(residual)
        x[0] = self.relaxed(residual[0], x, 0)
        left = [self.relaxed(residual[c] - part, x, c) for c, part in enumerate(x) if c]
        more = self.sweeps([torch.zeros_like(x[0]), *left], settled=True)
        more[0] = self.relaxed(None, more, 0)
        return [a + b for a, b in zip(x, more, strict=True)]

    def sweeps(self, residual: list[torch.Tensor], settled: bool = False) -> list[torch.Tensor]:
        """Apply one cycle to a residual, but for its last step: the equations of the first colour are left.

        Args:
            residual: of each colour.
            settled: that of the first colour is zero.
        """
        x = [residual[0], *(torch.zeros_like(part) for part in residual[1:])]
        for colour in range(1, len(x)):
            is_known = settled and colour == 1  # all neighbours are zero
            x[colour] = residual[1] if is_known else self.relaxed(residual[colour], x, colour)
        if self.coarser is not None and self.parent is not None and self.weight is not None:
            # The last colour has no residual, and what it would be given is not looked at.
            below = [self.relaxed(residual[c] - x[c] if c else None, x, c) for c in range(len(x) - 1)]
            coarse = self.weight.new_zeros(sum(self.coarser.sizes))
            coarse.scatter_add_(0, self.parent, joined(below) * self.weight)
            correction = joined(self.coarser.cycle(list(coarse.split(self.coarser.sizes))))
            correction = correction.index_select(0, self.parent).mul_(self.weight)
            for colour, part in enumerate(correction.split(self.sizes[:-1])):
                x[colour] = x[colour] + part
        for colour in range(len(x) - 1, 0, -1):
            x[colour] = self.relaxed(residual[colour], x, colour)
        return x

    def select(self, rows: torch.Tensor) -> Level:
        """Keep the systems of some samples (indices, each once and in order)."""
        batch, conductances, columns = self.batch, [], []
        for colour, (values, column) in enumerate(zip(self.conductances, self.columns, strict=True)):
            entries = values.shape[1]
            others = [count for c, count in enumerate(self.counts) if c != colour]
            conductances.append(values.view(batch, -1)[rows].view(-1, entries))
            columns.append(_moved(column.view(batch, -1)[rows], others, batch, rows).view(-1, entries))
        level = Level(self.counts, tuple(conductances), tuple(columns))
        if self.inverse is not None:
            return replace(level, inverse=self.inverse[rows])
        if self.coarser is None or self.parent is None or self.weight is None:
            return level
        but_last = self.counts[:-1]
        weight, parent = (by_sample(t, but_last)[rows] for t in (self.weight, self.parent))
        return replace(
            level,
            parent=by_colour(_moved(parent, self.coarser.counts, batch, rows), but_last),
            weight=by_colour(weight, but_last),
            coarser=self.coarser.select(rows),
        )

    @property
    def batch(self) -> int:
        """The number of samples B."""
        return self.sizes[0] // self.counts[0]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many unknowns all samples have of each colour."""
        return tuple(len(part) for part in self.conductances)

    @cached_property
    def _matrices(self) -> tuple[torch.Tensor, ...]:
        matrices = []
        for values, columns in zip(self.conductances, self.columns, strict=True):
            starts = torch.arange(len(values) + 1, dtype=columns.dtype, device=columns.device) * values.shape[1]
            size = (len(values), sum(self.sizes) - len(values))
            matrices.append(sparse.compressed(starts, columns.view(-1), values.view(-1), size))
        return tuple(matrices)


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate the parts of the colours."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _dense_inverse(cells: Cells, conductances: torch.Tensor) -> torch.Tensor:
    """Invert systems of scaled conductances ``(N, 2 d)`` with a diagonal of ones, ``(B, n, n)``.

    An eigenvalue l comes back as ``l / (l + GROUND)^2``, so that what is singular comes back as 0.
    """
    batch, n = cells.batch, sum(cells.counts)
    row = by_colour(torch.arange(n, device=cells.place.device).expand(batch, n), cells.counts)
    matrix = torch.zeros(batch, n, n, dtype=torch.float64, device=row.device)
    for step, values in enumerate(conductances.T):
        index = (cells.sample * n + row) * n + cells.of_neighbours(row, step)
        matrix.view(-1).scatter_add_(0, index, -values.double())
    matrix.diagonal(dim1=1, dim2=2).add_(1)
    grounded = torch.linalg.inv(matrix + GROUND * torch.eye(n, dtype=matrix.dtype, device=matrix.device))
    return (grounded @ matrix @ grounded).to(conductances.dtype)


def _moved(numbers: torch.Tensor, counts: Sequence[int], batch: int, rows: torch.Tensor) -> torch.Tensor:
    """Renumber cells ``(b, m)`` of some samples as if there were no others.

    A number of another sample, which stands where nothing conducts, becomes any valid one.
    """
    shift = torch.arange(len(rows), device=rows.device) - rows
    first, moves = 0, torch.zeros_like(numbers)
    for count in counts:
        move = (shift * count + (len(rows) - batch) * first)[:, None].to(numbers.dtype)
        moves = torch.where(numbers >= batch * first, move, moves)
        first += count
    return (numbers + moves).clamp_(0, len(rows) * first - 1)


def reciprocal(root: torch.Tensor) -> torch.Tensor:
    """Take one over each number, and 0 of 0."""
    return root.reciprocal().nan_to_num_(posinf=0.0)
