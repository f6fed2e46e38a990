"""Couplings between neighbouring unknowns on periodic grids: the stencil of a diffusion or friction matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.sparse import csr_array

from matopt.physics.numerics.colouring import colouring


@dataclass(frozen=True, eq=False)
class GridCouplings:
    """The matrix ``d x - div(c grad x)`` on G periodic grids, by its conductances between neighbouring unknowns.

    Attributes:
        number: ``(G, *S)`` int32 index of the unknown in each grid cell, ascending, -1 where there is none.
        ahead: ``(n, d)`` conductances c to the next unknown along each axis, 0 where there is none.
        dirichlet: ``(n,)`` conductances d to where the value is 0: walls and drags.
        owner: ``(n,)`` the sample of each unknown.
    """

    number: np.ndarray
    ahead: np.ndarray
    dirichlet: np.ndarray
    owner: np.ndarray

    @cached_property
    def at(self) -> np.ndarray:
        """Flat indices of the grid cells that have an unknown; not every unknown need be on the grids."""
        return np.flatnonzero(self.number >= 0)

    @cached_property
    def here(self) -> np.ndarray:
        """The numbers of the unknowns in those cells."""
        return self.number.reshape(-1)[self.at]

    def there(self, axis: int, step: int) -> np.ndarray:
        """The numbers of the unknowns a step of 1 or -1 away along an axis, -1 where there is none."""
        return np.roll(self.number, -step, axis + 1).reshape(-1)[self.at]

    @cached_property
    def colour(self) -> np.ndarray:
        """``(n,)`` the colour of each unknown, see :func:`colours`; 0 where it is on no grid."""
        colour = np.zeros(len(self.dirichlet), np.uint8)
        grid = colours(self.number.shape[1:])
        colour[self.here] = np.broadcast_to(grid, self.number.shape).reshape(-1)[self.at]
        return colour

    def matrix(self) -> csr_array:
        """Assemble ``d x - div(c grad x)`` as a sparse matrix ``(n, n)``."""
        size, dimensions = self.ahead.shape
        columns = np.repeat(np.arange(size, dtype=np.int32), 2 * dimensions + 1).reshape(size, 2 * dimensions + 1)
        values = np.zeros(columns.shape, self.ahead.dtype)
        for axis in range(dimensions):
            for slot, step in ((2 * axis + 1, 1), (2 * axis + 2, -1)):
                there = self.there(axis, step)
                is_other = (there >= 0) & (there != self.here)
                columns[self.here, slot] = np.where(is_other, there, self.here)
                conductance = self.ahead[self.here if step == 1 else there, axis]
                values[self.here, slot] = np.where(is_other, -conductance, 0)
        values[:, 0] = self.dirichlet - values[:, 1:].sum(1)
        starts = np.arange(0, columns.size + 1, columns.shape[1], dtype=np.int32)
        matrix = csr_array((values.reshape(-1), columns.reshape(-1), starts), shape=(size, size))
        matrix.eliminate_zeros()
        return matrix

    def blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """Group the unknowns into cubes of two grid cells to a side, the unknowns of the next coarser level.

        Returns:
            ``(n,)`` the cube of each unknown, 0 where it is on no grid; and the cubes' numbers on their own grids.
        """
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
        block = np.zeros(len(self.dirichlet), np.int32)
        block[self.here] = coarse.reshape(-1)[flat]
        return block, coarse

    def coarser(self, block: np.ndarray, grids: np.ndarray) -> GridCouplings:
        """The couplings between the cubes of :meth:`blocks`: sums of those of their unknowns (Galerkin)."""
        count = int(grids.max()) + 1
        ahead = np.zeros((count, self.ahead.shape[1]), self.ahead.dtype)
        for axis in range(self.ahead.shape[1]):
            there, conductance = self.there(axis, 1), self.ahead[self.here, axis]
            leaves = (there >= 0) & (block[there] != block[self.here])
            ahead[:, axis] = np.bincount(block[self.here[leaves]], conductance[leaves], count)
        dirichlet = np.bincount(block, self.dirichlet, count).astype(self.dirichlet.dtype)
        owner = np.zeros(count, self.owner.dtype)
        owner[block[self.here]] = self.owner[self.here]
        return GridCouplings(grids, ahead, dirichlet, owner)


@lru_cache(maxsize=32)
def colours(shape: tuple[int, ...]) -> np.ndarray:
    """Colour a periodic grid, ``shape`` uint8, so that no two neighbours have the same colour.

    The colours are a chessboard's two, or three where an axis is odd. Along an axis of one voxel there are no
    neighbours. Do not edit the result: it is cached.
    """
    return colouring(shape, 3 if any(n % 2 and n > 1 for n in shape) else 2).numpy()
