"""Blocks of an image, one a split and a buffer apart, so that windows of two splits share no voxel."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import scipy.ndimage

Block = tuple[int, int]
"""The first voxel of a block along an axis, and the first behind it."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of windows of one size in an image of three axes.

    Attributes:
        shape: of the image.
        size: of a window.
        step: between neighbouring windows.
        blocked: of the image's shape, from :func:`blocked_corners`: where no window may begin; None if it may anywhere.
        origin: the first window's first voxel, along the axes that blocks do not lie along.
    """

    shape: tuple[int, int, int]
    size: tuple[int, int, int]
    step: tuple[int, int, int]
    blocked: np.ndarray | None = None
    origin: tuple[int, int, int] = (0, 0, 0)

    def counts(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """Count the windows side by side along each axis of a box of this shape."""
        axes = zip(shape, self.size, self.step, strict=True)
        return tuple(max(0, (length - size) // step + 1) for length, size, step in axes)

    def corners(self, axis: int, block: Block, chosen: np.ndarray) -> np.ndarray:
        """Return the ``(M, 3)`` first voxels of the windows numbered ``chosen`` in a block along ``axis``."""
        if self.blocked is not None:
            chosen = np.flatnonzero(self._free(axis, block))[chosen]
        places = np.stack(np.unravel_index(chosen, self.counts(self._box(axis, block))), axis=-1)
        return places * np.array(self.step) + self._first(axis, block)

    def number(self, axis: int, block: Block) -> int:
        """Count the windows in a block along ``axis``."""
        if self.blocked is not None:
            return int(np.count_nonzero(self._free(axis, block)))
        return prod(self.counts(self._box(axis, block)))

    def length_for(self, axis: int, start: int, count: int) -> int:
        """Return the least length along ``axis`` of a block from ``start`` that holds ``count`` windows; -1 if none."""
        if count == 0:
            return 0
        longest = self.shape[axis] - start
        if longest <= 0 or self.number(axis, (start, start + longest)) < count:
            return -1
        return 1 + bisect_left(range(1, longest), count, key=lambda n: self.number(axis, (start, start + n)))

    def _free(self, axis: int, block: Block) -> np.ndarray:
        """Tell of each window in a block along ``axis`` whether it may begin where it does, a bool for each place."""
        assert self.blocked is not None
        places = zip(self._first(axis, block), self.counts(self._box(axis, block)), self.step, strict=True)
        return ~self.blocked[tuple(slice(start, start + n * step, step) for start, n, step in places)]

    def _box(self, axis: int, block: Block) -> tuple[int, int, int]:
        ends = [block[1] if a == axis else n for a, n in enumerate(self.shape)]
        first, second, third = (end - start for end, start in zip(ends, self._first(axis, block), strict=True))
        return first, second, third

    def _first(self, axis: int, block: Block) -> list[int]:
        """The first voxel of the first window in a block along ``axis``."""
        return [block[0] if a == axis else start for a, start in enumerate(self.origin)]


def blocked_corners(outside: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Find where a window of this size would hold a voxel outside the sample, ``(a, b, c)`` bool by its first voxel."""
    blocked = outside.view(np.uint8)
    for axis, edge in enumerate(size):
        if edge > 1:  # the maximum over the window's voxels from its first on
            blocked = scipy.ndimage.maximum_filter1d(blocked, edge, axis, mode="nearest", origin=-(edge // 2))
    return blocked.view(bool)


def best_origin(blocked: np.ndarray, size: Sequence[int], step: Sequence[int]) -> tuple[int, int, int]:
    """Find the origin in the plane from which most windows may begin: in a core a grid from its corner has few."""
    free = np.count_nonzero(~blocked[:: step[0]], axis=0)[
        : blocked.shape[1] - size[1] + 1, : blocked.shape[2] - size[2] + 1
    ]
    padded = np.pad(free, [(0, -n % s) for n, s in zip(free.shape, step[1:], strict=True)])
    rows, columns = (n // s for n, s in zip(padded.shape, step[1:], strict=True))
    counts = padded.reshape(rows, step[1], columns, step[2]).sum((0, 2))
    first, second = np.unravel_index(counts.argmax(), counts.shape)
    return 0, int(first), int(second)


def blocks(grid: Grid, axis: int, counts: Sequence[int], buffer: int) -> list[Block] | None:
    """Lay out a block along ``axis`` for each count of windows, ``buffer`` voxels apart; None if they do not fit.

    What is left of the axis is shared out in proportion, so that windows come from all over the image.
    """
    lengths, least, start = [], [], 0
    for count in counts:
        length = grid.length_for(axis, start, count)
        if length < 0:
            return None
        lengths.append(length)
        least.append((start, start + length))
        start += length + (buffer if length else 0)
    used = [length for length in lengths if length]
    spare = grid.shape[axis] - sum(used) - buffer * max(0, len(used) - 1)
    edges, start, taken, given = [], 0, 0, 0
    for length in lengths:
        taken += length
        extra = spare * taken // sum(used) - given if used else 0
        given += extra
        edges.append((start, start + length + extra))
        start += length + extra + (buffer if length else 0)
    holds = [grid.number(axis, block) >= count for block, count in zip(edges, counts, strict=True)]
    return edges if all(holds) else least  # a block moved along may hold fewer, where part of the image is outside


def most(grid: Grid, axis: int, counts: Mapping[str, int], buffer: int) -> dict[str, int] | None:
    """Find the largest counts that fit, in the proportions of ``counts`` and at least one each; None if none do."""

    def scaled(parts: int) -> dict[str, int]:
        total = sum(counts.values())
        return {name: max(1, parts * count // total) if count else 0 for name, count in counts.items()}

    def fits(parts: int) -> bool:
        return blocks(grid, axis, list(scaled(parts).values()), buffer) is not None

    if not fits(0):
        return None
    low, high = 0, sum(counts.values())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return scaled(low)
