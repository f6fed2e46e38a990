"""The cells of grids that conduct, numbered, with their neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of B grids that conduct, ``(B, n)``: a sample a row, sorted by colour, filled up to the longest row.

    No two neighbours have the same colour: parities of a chessboard, with a third colour where a periodic grid is odd.
    Grids are framed by one layer on all sides, so that each cell has its neighbours at the same steps.

    Attributes:
        shape: of the grids.
        periodic: whether the grids are.
        place: ``(B, n)`` of the cells in the framed grids, all in one line behind some empty places. Rows are filled up
            with one of those.
        number: of each place in ``(B, n)``, ``B * n`` where nothing conducts. The frame of periodic grids repeats them.
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
        return Cells._framed(functional.pad(conducts, (1, 1) * (conducts.ndim - 1)), periodic)

    @staticmethod
    def _framed(conducts: torch.Tensor, periodic: bool) -> Cells:
        batch, shape = len(conducts), tuple(n - 2 for n in conducts.shape[1:])
        colours = _colours(shape, periodic, conducts.device)
        rows, bounds = [], [0]
        for colour in range(3 if periodic and any(n % 2 for n in shape) else 2):
            chosen = conducts & (colours == colour)
            place = chosen.view(-1).nonzero()[:, 0]
            ends = torch.arange(batch + 1, device=place.device) * chosen[0].numel()
            counts = torch.searchsorted(place, ends).diff()
            place += _front(shape)
            longest = max(int(counts.max()), colour == 0)  # a row is never empty
            if len(place) < batch * longest:
                first = longest * torch.arange(batch, device=place.device) - counts.cumsum(0) + counts
                row = place.new_full((batch * longest,), _empty(shape))
                row[first.repeat_interleave(counts) + torch.arange(len(place), device=place.device)] = place
                place = row
            if longest:
                rows.append(place.view(batch, longest))
                bounds.append(bounds[-1] + longest)
        place = torch.cat(rows, 1)
        kind = torch.int32 if place.numel() * 2 * len(shape) < 2**31 else torch.int64
        number = torch.full((_front(shape) + conducts.numel(),), place.numel(), dtype=kind, device=place.device)
        number[place.view(-1)] = torch.arange(place.numel(), dtype=kind, device=place.device)
        number[_empty(shape)] = place.numel()
        if periodic:
            grid = number[_front(shape) :].view(conducts.shape)
            for axis in range(1, grid.ndim):
                for frame, wrapped in ((0, -2), (-1, 1)):
                    _layer(grid, axis, frame).copy_(_layer(grid, axis, wrapped))
        return Cells(shape, periodic, place, number, tuple(bounds))

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """From a place to its neighbours: ahead along each axis, then behind."""
        strides = _strides(self.shape)
        return (*strides, *(-stride for stride in strides))

    @cached_property
    def neighbours(self) -> tuple[torch.Tensor, ...]:
        """``(B * n,)`` a step, the numbers of the neighbours, ``B * n`` where none conducts."""
        line = self.place.view(-1)
        return tuple(self.number.index_select(0, line + step) for step in self.steps)

    def walls(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The cells that have no neighbour at the end of a step, and the places of what is there instead."""
        cells = (self.neighbours[step] == self.place.numel()).nonzero()[:, 0]
        return cells, self.place.view(-1)[cells] + self.steps[step]

    def within(self, index: torch.Tensor) -> torch.Tensor:
        """Numbers, a multiple of the cells, with those of no cell replaced by one of the same sample."""
        batch, n = self.place.shape
        last = torch.arange(n - 1, batch * n, n, dtype=index.dtype, device=index.device)
        return torch.minimum(index.view(batch, -1), last[:, None]).view(index.shape)

    def at_edge(self, ahead: bool) -> torch.Tensor:
        """``(B, n)`` bool, the cells of the last layer along the first axis of space, or of the first."""
        stride = _strides(self.shape)[0]
        in_sample = self._in_sample
        return in_sample >= self.shape[0] * stride if ahead else (in_sample < 2 * stride) & (in_sample > 0)

    def gather(self, grids: torch.Tensor) -> torch.Tensor:
        """``(B, n)`` the values of ``(B, *S)`` at the cells, 0 where rows are filled up."""
        line = grids.new_zeros(len(self.number))
        self.inner(line).copy_(grids)
        return line.index_select(0, self.place.view(-1)).view(self.place.shape)

    def inner(self, line: torch.Tensor) -> torch.Tensor:
        """The view ``(B, *S)`` of the values of all places, without frames."""
        grids = self._framed_grids(line)
        for axis, n in enumerate(self.shape, start=1):
            grids = grids.narrow(axis, 1, n)
        return grids

    def fold(self, line: torch.Tensor) -> None:
        """Add the values in the frame of periodic grids to the places that it repeats."""
        if self.periodic:
            grids = self._framed_grids(line)
            for axis in range(1, grids.ndim):
                for frame, wrapped in ((0, -2), (-1, 1)):
                    _layer(grids, axis, wrapped).add_(_layer(grids, axis, frame))

    def _framed_grids(self, line: torch.Tensor) -> torch.Tensor:
        return line[_front(self.shape) :].view(len(self.place), *(n + 2 for n in self.shape))

    @property
    def _in_sample(self) -> torch.Tensor:
        """``(B, n)`` places in the framed grid of their sample, 0 where rows are filled up."""
        batch = len(self.place)
        size = math.prod(n + 2 for n in self.shape)
        starts = _front(self.shape) + size * torch.arange(batch, device=self.place.device)
        return (self.place - starts[:, None]).clamp_min_(0)

    def blocks(self) -> tuple[Cells, torch.Tensor]:
        """The blocks of two cells an edge that conduct, and each cell's number ``(B, n)`` among them."""
        coarse = tuple((n + 1) // 2 for n in self.shape)
        place = self.place.new_zeros(())
        for n, stride in zip(self.shape, _strides(coarse), strict=True):
            along = torch.arange(-1, n + 1, device=place.device).div(2, rounding_mode="floor") + 1
            place = place[..., None] + stride * along
        block = place.view(-1).index_select(0, self._in_sample.view(-1)).view(self.place.shape)
        batch, size = len(block), math.prod(n + 2 for n in coarse)
        conducts = torch.zeros(batch, size, dtype=torch.bool, device=block.device)
        conducts.scatter_(1, block, True)
        conducts[:, 0] = False  # where rows are filled up
        cells = Cells._framed(conducts.view(batch, *(n + 2 for n in coarse)), self.periodic)
        block += _front(coarse) + size * torch.arange(batch, device=block.device)[:, None]
        return cells, cells.within(cells.number.index_select(0, block.view(-1))).view(block.shape)


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of framed grids."""
    return tuple(math.prod(n + 2 for n in shape[axis + 1 :]) for axis in range(len(shape)))


def _empty(shape: tuple[int, ...]) -> int:
    """An empty place with nothing but empty places around it."""
    return _strides(shape)[0]


def _front(shape: tuple[int, ...]) -> int:
    """How many empty places there are before the first grid."""
    return 2 * _empty(shape) + 1


def _layer(grid: torch.Tensor, axis: int, at: int) -> torch.Tensor:
    """A layer of framed grids ``(B, *S)`` across an axis, without the frame of the other axes."""
    layer = grid.select(axis, at)
    for other in range(1, layer.ndim):
        layer = layer.narrow(other, 1, layer.shape[other] - 2)
    return layer


def _colours(shape: tuple[int, ...], periodic: bool, device: torch.device) -> torch.Tensor:
    odd = periodic and any(n % 2 for n in shape)
    total = torch.zeros((), dtype=torch.uint8, device=device)
    for n in shape:
        along = torch.arange(1, n + 3, device=device) % 2
        if odd and n % 2 and n > 1:
            along[n] = 2
        total = total[..., None] + along.to(torch.uint8)
    return total % (3 if odd else 2)
