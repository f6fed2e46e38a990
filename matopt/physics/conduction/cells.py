"""The numbering of the cells that conduct, and their neighbours: the unknowns of diffusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional

from matopt.physics.numerics.colouring import colouring


@dataclass(frozen=True, eq=False)
class Cells:
    """The N cells of B grids that conduct, numbered by colour, then by sample.

    No two neighbours have the same colour: parities of a chessboard, with a third colour where a periodic grid is odd.
    Each sample has as many numbers of a colour as the sample with the most cells of it; those to spare stand for
    nothing. Grids are framed by one layer on all sides, so that each cell has its neighbours at the same steps.

    Attributes:
        shape: of the grids.
        periodic: whether the grids are.
        counts: how many numbers a sample has of each colour.
        place: ``(N,)`` position of each cell in the framed grids, all in one line behind some empty positions, which
            spare numbers share.
        number: of the cell at each position, N where nothing conducts. The frame of periodic grids repeats them.
    """

    shape: tuple[int, ...]
    periodic: bool
    counts: tuple[int, ...]
    place: torch.Tensor
    number: torch.Tensor

    @staticmethod
    def of(conducts: torch.Tensor, periodic: bool) -> Cells:
        """Number the cells where ``(B, *S)`` bool says that they conduct."""
        return Cells._framed(functional.pad(conducts, (1, 1) * (conducts.ndim - 1)), periodic)

    @staticmethod
    def _framed(conducts: torch.Tensor, periodic: bool) -> Cells:
        """Number the cells of framed grids."""
        batch, shape = len(conducts), tuple(n - 2 for n in conducts.shape[1:])
        n_colours = 3 if periodic and any(n % 2 for n in shape) else 2
        colours = functional.pad(colouring(shape, n_colours, conducts.device), (1, 1) * len(shape))
        ends = torch.arange(batch + 1, device=conducts.device) * conducts[0].numel()
        places, most = [], []
        for colour in range(n_colours):
            place = (conducts & (colours == colour)).view(-1).nonzero()[:, 0]
            counts = torch.searchsorted(place, ends).diff()
            place += _front(shape)
            most.append(max(int(counts.max()), 1))
            if len(place) < batch * most[-1]:
                first = most[-1] * torch.arange(batch, device=place.device) - counts.cumsum(0) + counts
                filled = place.new_full((batch * most[-1],), _empty(shape))
                ranks = torch.arange(len(place), device=place.device)
                place = filled.scatter_(0, first.repeat_interleave(counts) + ranks, place)
            places.append(place)
        place = torch.cat(places)
        total = _front(shape) + conducts.numel()
        kind = torch.int32 if max(total, 2 * len(shape) * len(place)) < 2**31 else torch.int64
        number = torch.full((total,), len(place), dtype=kind, device=place.device)
        number.scatter_(0, place, torch.arange(len(place), dtype=kind, device=place.device))
        number[_empty(shape)] = len(place)
        if periodic:
            grids = number[_front(shape) :].view(conducts.shape)
            for axis in range(1, grids.ndim):
                for frame, wrapped in ((0, -2), (-1, 1)):
                    _layer(grids, axis, frame).copy_(_layer(grids, axis, wrapped))
        return Cells(shape, periodic, tuple(most), place.to(kind), number)

    @property
    def batch(self) -> int:
        """How many samples there are."""
        return len(self.place) // sum(self.counts)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The steps in line from a position to its neighbours: ahead along each axis, then behind."""
        strides = _strides(self.shape)
        return (*strides, *(-stride for stride in strides))

    @cached_property
    def neighbours(self) -> tuple[torch.Tensor, ...]:
        """The numbers ``(N,)`` of the neighbours, a tensor for each step, N where none conducts."""
        return tuple(self.number.index_select(0, self.place + step) for step in self.steps)

    @cached_property
    def sample(self) -> torch.Tensor:
        """The sample ``(N,)`` of each number."""
        samples = torch.arange(self.batch, dtype=self.place.dtype, device=self.place.device)
        if self.batch == 1:
            return samples.expand(len(self.place))
        return torch.cat([samples.repeat_interleave(count) for count in self.counts])

    def of_neighbours(self, values: torch.Tensor, step: int) -> torch.Tensor:
        """The values ``(N,)`` of the neighbours one step away, 0 where there is none."""
        return torch.cat([values, values.new_zeros(1)]).index_select(0, self.neighbours[step])

    def at_edge(self, ahead: bool) -> torch.Tensor:
        """Mark the cells, ``(N,)`` bool, of the last layer along the first axis of space (ahead), or of the first."""
        stride, place = _strides(self.shape)[0], self._in_sample
        return place >= self.shape[0] * stride if ahead else (place < 2 * stride) & (place > 0)

    def gather(self, grids: torch.Tensor) -> torch.Tensor:
        """Take the values ``(N,)`` of ``(B, *S)`` at the cells, 0 for spare numbers."""
        line = grids.new_zeros(len(self.number))
        self.inner(line).copy_(grids)
        return line.index_select(0, self.place)

    def inner(self, line: torch.Tensor) -> torch.Tensor:
        """View the values of all positions as grids ``(B, *S)`` without their frames."""
        grids = self._grids(line)
        for axis, n in enumerate(self.shape, start=1):
            grids = grids.narrow(axis, 1, n)
        return grids

    def on_grids(self, values: torch.Tensor) -> torch.Tensor:
        """Put values ``(N,)`` of the cells on grids ``(B, *S)``, 0 elsewhere: :meth:`gather` transposed."""
        line = values.new_zeros(len(self.number))
        line.scatter_(0, self.place.long(), values)
        return self.inner(line)

    def fold(self, line: torch.Tensor) -> None:
        """Add what the frame of periodic grids has to the positions that it repeats."""
        if self.periodic:
            grids = self._grids(line)
            for axis in range(1, grids.ndim):
                for frame, wrapped in ((0, -2), (-1, 1)):
                    _layer(grids, axis, wrapped).add_(_layer(grids, axis, frame))

    def blocks(self) -> tuple[Cells, torch.Tensor]:
        """Group the cells into blocks of two to an edge, the cells of the next coarser grid.

        Returns:
            The blocks, and ``(N,)`` the number of each cell's block, any number for spare ones.
        """
        coarse = tuple((n + 1) // 2 for n in self.shape)
        place = self.place.new_zeros(())
        for n, stride in zip(self.shape, _strides(coarse), strict=True):
            along = (
                torch.arange(0, n + 2, dtype=place.dtype, device=place.device).add_(1).div_(2, rounding_mode="floor")
            )
            place = place[..., None] + stride * along
        size = math.prod(n + 2 for n in coarse)
        block = place.view(-1).index_select(0, self._in_sample).add_(self.sample, alpha=size)
        conducts = torch.zeros(self.batch * size, dtype=torch.bool, device=block.device)
        conducts.scatter_(0, block.long(), True)
        conducts[::size] = False  # a corner of the frame, where spare numbers went
        cells = Cells._framed(conducts.view(self.batch, *(n + 2 for n in coarse)), self.periodic)
        parent = cells.number.index_select(0, block.add_(_front(coarse)))
        return cells, parent.clamp_max_(len(cells.place) - 1)

    @property
    def _in_sample(self) -> torch.Tensor:
        """The positions ``(N,)`` in the framed grid of each cell's own sample, 0 for spare numbers."""
        size = math.prod(n + 2 for n in self.shape)
        return (self.place - _front(self.shape)).sub_(self.sample, alpha=size).clamp_min_(0)

    def _grids(self, line: torch.Tensor) -> torch.Tensor:
        """View the values of all positions as framed grids."""
        return line[_front(self.shape) :].view(self.batch, *(n + 2 for n in self.shape))


def by_sample(values: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Sort values ``(N,)`` by sample: from ``counts`` of each colour a sample, colour by colour, to rows ``(B, n)``."""
    batch = len(values) // sum(counts)
    if batch == 1:
        return values.view(1, -1)
    parts = values.split([batch * count for count in counts])
    return torch.cat([part.view(batch, -1) for part in parts], 1)


def by_colour(rows: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Sort rows ``(B, n)`` by colour, ``(N,)``: the inverse of :func:`by_sample`."""
    if len(rows) == 1:
        return rows.reshape(-1)
    return torch.cat([part.reshape(-1) for part in rows.split(list(counts), 1)])


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of framed grids, in positions."""
    return tuple(math.prod(n + 2 for n in shape[axis + 1 :]) for axis in range(len(shape)))


def _empty(shape: tuple[int, ...]) -> int:
    """A position that is empty, as are all around it; where spare numbers are."""
    return _strides(shape)[0]


def _front(shape: tuple[int, ...]) -> int:
    """How many empty positions there are before the first grid."""
    return 2 * _empty(shape) + 1


def _layer(grids: torch.Tensor, axis: int, at: int) -> torch.Tensor:
    """View a layer of framed grids across an axis, without the frame of the other axes."""
    layer = grids.select(axis, at)
    for other in range(1, layer.ndim):
        layer = layer.narrow(other, 1, layer.shape[other] - 2)
    return layer
