"""What the unknowns of images exchange with their neighbours on the grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class GridCouplings:
    """Unknowns on periodic grids, what each exchanges with the next along each axis, and what holds it.

    Attributes:
        number: ``(G, *S)`` int32 index of the unknown, ascending, -1 where there is none.
        ahead: ``(n, d)`` conductances of the links, 0 where there is no next unknown.
        held: ``(n,)`` to where the value is 0.
        owner: ``(n,)`` the sample of each unknown.
    """

    number: np.ndarray
    ahead: np.ndarray
    held: np.ndarray
    owner: np.ndarray

    @cached_property
    def at(self) -> np.ndarray:
        """The flat places of the unknowns; not all numbers need to be on the grids."""
        return np.flatnonzero(self.number >= 0)

    @cached_property
    def here(self) -> np.ndarray:
        """Their numbers."""
        return self.number.reshape(-1)[self.at]

    def there(self, axis: int, step: int) -> np.ndarray:
        """The numbers of their neighbours, -1 where there is none."""
        return np.roll(self.number, -step, axis + 1).reshape(-1)[self.at]

    @cached_property
    def colour(self) -> np.ndarray:
        """``(n,)``, see :func:`colours`; 0 of what is on no grid."""
        colour = np.zeros(len(self.held), np.uint8)
        grid = colours(self.number.shape[1:])
        colour[self.here] = np.broadcast_to(grid, self.number.shape).reshape(-1)[self.at]
        return colour

    def matrix(self) -> csr_array:
        """``held x - div(c grad x)``."""
        size, dimensions = self.ahead.shape
        columns = np.repeat(np.arange(size, dtype=np.int32), 2 * dimensions + 1).reshape(size, 2 * dimensions + 1)
        values = np.zeros(columns.shape, self.ahead.dtype)
        for axis in range(dimensions):
            for slot, step in ((2 * axis + 1, 1), (2 * axis + 2, -1)):
                there = self.there(axis, step)
                is_other = (there >= 0) & (there != self.here)
                columns[self.here, slot] = np.where(is_other, there, self.here)
                link = self.ahead[self.here if step == 1 else there, axis]
                values[self.here, slot] = np.where(is_other, -link, 0)
        values[:, 0] = self.held - values[:, 1:].sum(1)
        starts = np.arange(0, columns.size + 1, columns.shape[1], dtype=np.int32)
        matrix = csr_array((values.reshape(-1), columns.reshape(-1), starts), shape=(size, size))
        matrix.eliminate_zeros()
        return matrix

    def blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """``(n,)`` numbers of the cubes of two to a side, 0 for unknowns that are on no grid, and the cubes' grids."""
        shape = self.number.shape
        halves = [np.arange(n) // (1 if axis == 0 else 2) for axis, n in enumerate(shape)]
        coarse = np.full([h[-1] + 1 for h in halves], -1, np.int32)
        flat = np.zeros(shape, np.int64)
        for axis, h in enumerate(halves):
            flat = flat * coarse.shape[axis] + h.reshape(-1, *[1] * (len(shape) - 1 - axis))
        flat = flat.reshape(-1)[self.at]
        has_any = np.zeros(coarse.size, bool)
        has_any[flat] = True
        coarse.reshape(-1)[has_any] = np.arange(has_any.sum())
        block = np.zeros(len(self.held), np.int32)
        block[self.here] = coarse.reshape(-1)[flat]
        return block, coarse

    def coarser(self, block: np.ndarray, grids: np.ndarray) -> GridCouplings:
        """The links of blocks."""
        count = int(grids.max()) + 1
        ahead = np.zeros((count, self.ahead.shape[1]), self.ahead.dtype)
        for axis in range(self.ahead.shape[1]):
            there, link = self.there(axis, 1), self.ahead[self.here, axis]
            leaves = (there >= 0) & (block[there] != block[self.here])
            ahead[:, axis] = np.bincount(block[self.here[leaves]], link[leaves], count)
        held = np.bincount(block, self.held, count).astype(self.held.dtype)
        owner = np.zeros(count, self.owner.dtype)
        owner[block[self.here]] = self.owner[self.here]
        return GridCouplings(grids, ahead, held, owner)


@lru_cache(maxsize=32)
def colours(shape: tuple[int, ...]) -> np.ndarray:
    """``shape`` uint8, so that no two neighbours on a periodic grid have the same colour.

    They are a chessboard's two, or three where an axis is odd. Along an axis of one voxel there are no neighbours. Do
    not edit: it is cached.
    """
    total, count = np.zeros((), np.uint8), 3 if any(n % 2 and n > 1 for n in shape) else 2
    for n in shape:
        along = np.arange(n, dtype=np.uint8) % 2
        along[-1] = 2 if n % 2 and n > 1 else along[-1]
        total = (total[..., None] + along) % count
    return total
