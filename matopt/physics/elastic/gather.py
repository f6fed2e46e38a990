"""Gathers the corners of elements on periodic grids of nodes, block by block, and sums forces back to the nodes.

Within a block the nodes lie in one line, with a wrapped layer behind the last of each axis, so that a corner of all
elements is that line shifted by a fixed number of positions. Positions that no element belongs to are in the line too;
their density is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from operator import mul

import torch
from torch.nn.functional import pad

from matopt.physics.elastic import element

NUMBERS_TOGETHER = {"cpu": 2**19, "cuda": 2**26}
"""How many displacements of corners are gathered at once: what a processor's cache holds, or what fills a GPU."""


@dataclass(frozen=True)
class Block:
    """A block of elements: some rows, and some layers along the first axis of space, of ``(R, ..., *S)``.

    Attributes:
        rows: which samples.
        first: the first layer of elements.
        shape: of the elements, ``(layers, *S[1:])``.
        period: how many layers a row has.
    """

    rows: slice
    first: int
    shape: tuple[int, ...]
    period: int

    @property
    def samples(self) -> int:
        """How many rows the block has, r."""
        return self.rows.stop - self.rows.start

    @property
    def line(self) -> tuple[int, ...]:
        """The shape of the line of nodes, ``(r, layers + 1, *(S[1:] + 1))``."""
        return (self.samples, *(n + 1 for n in self.shape))

    @property
    def layers(self) -> slice:
        """The layers of elements of the block."""
        return slice(self.first, self.first + self.shape[0])

    def elements(self, values: torch.Tensor) -> torch.Tensor:
        """Cut the block out of ``(R, *S)`` in line, ``(P,)``; zero at positions that no element belongs to."""
        return pad(values[self.rows, self.layers], (0, 1) * len(self.shape)).flatten()

    def corners(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Gather the displacements ``(C, P)`` of the corners, in the order of :mod:`~matopt.physics.elastic.element`.

        Args:
            x: ``(R, d, *S)``, displacements of nodes.
            weights: ``(P,)``, by which those of each element are multiplied.
        """
        shifts, positions = self._shifts, prod(self.line)
        nodes = x.new_zeros(x.shape[1], positions + shifts[-1])
        grid = nodes[:, :positions].view(-1, *self.line)
        inner = self._inner(grid)
        inner[:, :, :-1] = x[self.rows, :, self.layers].movedim(1, 0)
        inner[:, :, -1] = x[self.rows, :, self._behind].movedim(1, 0)
        for axis in range(3, grid.ndim):
            grid.select(axis, -1).copy_(grid.select(axis, 0))
        out = x.new_empty(len(shifts), len(nodes), positions)
        for shift, corner in zip(shifts, out, strict=True):
            moved = nodes[:, shift : shift + positions]
            if weights is None:
                corner.copy_(moved)
            else:
                torch.mul(moved, weights, out=corner)
        return out.flatten(0, 1)

    def add_corners(self, out: torch.Tensor, forces: torch.Tensor) -> None:
        """Add forces ``(C, P)`` on corners of elements to the nodes ``(R, d, *S)``: :meth:`corners` transposed."""
        shifts, positions = self._shifts, forces.shape[1]
        nodes = forces.new_zeros(out.shape[1], positions + shifts[-1])
        for shift, force in zip(shifts, forces.view(len(shifts), -1, positions), strict=True):
            nodes[:, shift : shift + positions] += force
        grid = nodes[:, :positions].view(-1, *self.line)
        for axis in range(3, grid.ndim):
            grid.select(axis, 0).add_(grid.select(axis, -1))
        inner = self._inner(grid)
        out[self.rows, :, self.layers] += inner[:, :, :-1].movedim(0, 1)
        out[self.rows, :, self._behind] += inner[:, :, -1].movedim(0, 1)

    @property
    def _behind(self) -> int:
        """The layer of nodes behind the last layer of elements."""
        return (self.first + self.shape[0]) % self.period

    @property
    def _shifts(self) -> list[int]:
        """How many positions ahead of its element each corner is."""
        strides = [prod(self.line[axis + 1 :]) for axis in range(1, len(self.line))]
        return [sum(map(mul, corner, strides)) for corner in element.corners(len(self.shape))]

    def _inner(self, grid: torch.Tensor) -> torch.Tensor:
        """The nodes ``(d, r, layers + 1, *S[1:])`` of ``(d, *line)``, without the wrapped layers of the later axes."""
        return grid[(slice(None), slice(None), slice(None), *[slice(0, n) for n in self.shape[1:]])]


def blocks(values: torch.Tensor) -> Iterator[Block]:
    """Cut ``(R, *S)`` into blocks: rows as a whole, or layers of a row where one is too large."""
    shape = tuple(values.shape[1:])
    layer = prod(n + 1 for n in shape[1:]) * len(shape) * 2 ** len(shape)
    room = NUMBERS_TOGETHER[values.device.type] // layer
    together = max(1, room // (shape[0] + 1))
    step = max(1, min(shape[0], room // together - 1))
    for row in range(0, len(values), together):
        rows = slice(row, min(row + together, len(values)))
        for first in range(0, shape[0], step):
            yield Block(rows, first, (min(step, shape[0] - first), *shape[1:]), shape[0])
