"""Blocks of an image, one a split and a buffer apart, so that windows of two splits share no voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

import numpy as np

Block = tuple[int, int]
"""The first voxel of a block along an axis, and the first behind it."""


@dataclass(frozen=True)
class Grid:
    """A regular grid of windows of one size in an image of three axes.

    Attributes:
        shape: of the image.
        size: of a window.
        step: between neighbouring windows.
    """

    shape: tuple[int, int, int]
    size: tuple[int, int, int]
    step: tuple[int, int, int]

    def counts(self, shape: tuple[int, int, int]) -> tuple[int, ...]:
        """Count the windows side by side along each axis of a box of this shape."""
        axes = zip(shape, self.size, self.step, strict=True)
        return tuple(max(0, (length - size) // step + 1) for length, size, step in axes)

    def corners(self, axis: int, block: Block, chosen: np.ndarray) -> np.ndarray:
        """Return the ``(M, 3)`` first voxels of the windows numbered ``chosen`` in a block along ``axis``."""
        places = np.stack(np.unravel_index(chosen, self.counts(self._box(axis, block))), axis=-1)
        corners = places * np.array(self.step)
        corners[:, axis] += block[0]
        return corners

    def number(self, axis: int, block: Block) -> int:
        """Count the windows in a block along ``axis``."""
        return prod(self.counts(self._box(axis, block)))

    def length_for(self, axis: int, count: int) -> int:
        """Return the least length along ``axis`` of a block that holds ``count`` windows; -1 where no length does."""
        if count == 0:
            return 0
        layer = prod(n for a, n in enumerate(self.counts(self.shape)) if a != axis)
        if layer == 0:
            return -1
        return (ceil(count / layer) - 1) * self.step[axis] + self.size[axis]

    def _box(self, axis: int, block: Block) -> tuple[int, int, int]:
        first, second, third = (block[1] - block[0] if a == axis else n for a, n in enumerate(self.shape))
        return first, second, third


def blocks(grid: Grid, axis: int, counts: Sequence[int], buffer: int) -> list[Block] | None:
    """Lay out a block along ``axis`` for each count of windows, ``buffer`` voxels apart; None if they do not fit.

    What is left of the axis is shared out in proportion, so that windows come from all over the image.
    """
    lengths = [grid.length_for(axis, count) for count in counts]
    used = [length for length in lengths if length]
    if min(used, default=0) < 0:
        return None
    spare = grid.shape[axis] - sum(used) - buffer * max(0, len(used) - 1)
    if spare < 0:
        return None
    edges, start, taken, given = [], 0, 0, 0
    for length in lengths:
        taken += length
        extra = spare * taken // sum(used) - given if used else 0
        given += extra
        edges.append((start, start + length + extra))
        start += length + extra + (buffer if length else 0)
    return edges


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
