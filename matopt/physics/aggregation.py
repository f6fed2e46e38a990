"""Multigrid by aggregation for what the unknowns of images exchange, as an approximate inverse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components

from matopt.physics import sparse

RELAXATION = 1.25
"""Of sweeps by colours, which it makes smooth better than those of Gauss and Seidel."""

JACOBI = 0.8
"""Share of a step of Jacobi's, which damps the upper three quarters of a spectrum from 0 to 2 alike."""

STRETCH = 1.6
"""Of corrections that are constant in cubes of two voxels to a side. These conduct twice too well, as they are twice as
far apart as voxels are (Braess, Computing 55 (1995) 379). Each level adds to what is overcorrected: at 2 or near it the
cycle times its matrix leaves (0, 2) in wide pores, where many levels matter, and iterations stall."""


@dataclass(frozen=True, eq=False)
class Links:
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

    def coarser(self, block: np.ndarray, grids: np.ndarray) -> Links:
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
        return Links(grids, ahead, held, owner)


def colours(shape: tuple[int, ...]) -> np.ndarray:
    """``shape`` uint8, so that no two neighbours on a periodic grid have the same colour.

    They are a chessboard's two, or three where an axis is odd. Along an axis of one voxel there are no neighbours.
    """
    total, count = np.zeros((), np.uint8), 3 if any(n % 2 and n > 1 for n in shape) else 2
    for n in shape:
        along = np.arange(n, dtype=np.uint8) % 2
        along[-1] = 2 if n % 2 and n > 1 else along[-1]
        total = (total[..., None] + along) % count
    return total


@dataclass(frozen=True, eq=False)
class Level:
    """One grid.

    Attributes:
        matrix: sparse, ``(n, n)``.
        inverse_diagonal: ``(n,)``, 0 where the diagonal is.
        owner: ``(n,)`` int32, the sample of each unknown.
        sweeps: ``(n,)`` inverse diagonals by which the unknowns are relaxed, one colour after the other.
        prolong: sparse, from the next grid; None on the last.
        restrict: sparse, to the next grid.
        stretch: of the next grid's correction.
    """

    matrix: torch.Tensor
    inverse_diagonal: torch.Tensor
    owner: torch.Tensor
    sweeps: tuple[torch.Tensor, ...] = ()
    prolong: torch.Tensor | None = None
    restrict: torch.Tensor | None = None
    stretch: float = 1.0


@dataclass(frozen=True, eq=False)
class Aggregation:
    """A V-cycle for symmetric positive semidefinite matrices of samples side by side.

    On grids it relaxes one colour after the other on the way down, and in reverse on the way up.

    Attributes:
        levels: from fine to coarse.
    """

    levels: tuple[Level, ...]

    @staticmethod
    def held(links: Links, like: torch.Tensor) -> Aggregation:
        """For links of which something near holds most: interpolation is constant in cubes.

        Args:
            links: of the finest level.
            like: of the precision and on the device that are asked for.
        """
        levels = []
        while max(links.number.shape[1:]) > 1:
            block, grids = links.blocks()
            levels.append(_level(links.matrix(), links.owner, like, _onto(block, links), links.colour))
            links = links.coarser(block, grids)
        return Aggregation((*levels, _level(links.matrix(), links.owner, like)))

    @staticmethod
    def free(links: Links, like: torch.Tensor) -> Aggregation:
        """For links that nothing holds, strong and weak: aggregates are what is connected within cubes.

        After the first level interpolation is smoothed: Vanek, Mandel, Brezina, Computing 56 (1996) 179.
        """
        matrix, owner = links.matrix(), links.owner
        block, grids = links.blocks()
        place = np.stack(np.nonzero(grids >= 0), 1)
        aggregate = _connected(matrix, block)
        # What is on no grid is in no aggregate.
        is_first = np.zeros(aggregate.max(initial=-1) + 1, bool)
        is_first[aggregate[links.here]] = True
        aggregate = (np.cumsum(is_first, dtype=np.int32) - 1)[aggregate]
        levels = [_level(matrix, owner, like, _onto(aggregate, links), links.colour)]
        first = np.zeros(int(is_first.sum()), np.int32)
        first[aggregate[links.here]] = links.here
        owner, place = owner[first], place[block[first]]
        matrix = _merged(matrix, aggregate, len(first))
        while (matrix.indices != _rows(matrix)).any():
            place[:, 1:] //= 2
            aggregate = _connected(matrix, np.ravel_multi_index(tuple(place.T), place.max(0) + 1))
            prolong = _smoothed(matrix, aggregate)
            levels.append(_level(matrix, owner, like, prolong))
            first = np.zeros(prolong.shape[1], np.int32)
            first[aggregate] = np.arange(len(aggregate), dtype=np.int32)
            matrix = _without_row_sums((prolong.T.tocsr() @ (matrix @ prolong)).tocsr())
            owner, place = owner[first], place[first]
        return Aggregation((*levels, _level(matrix, owner, like)))

    def __call__(self, r: torch.Tensor, depth: int = 0) -> torch.Tensor:
        """An approximate solution of ``A x = r``, flat vectors."""
        level = self.levels[depth]
        if level.prolong is None or level.restrict is None:
            return level.inverse_diagonal * r
        x = level.sweeps[0] * r
        for sweep in level.sweeps[1:]:
            x.addcmul_(sweep, sparse.product(level.matrix, x, r, -1))
        coarse = self(sparse.product(level.restrict, sparse.product(level.matrix, x, r, -1)), depth + 1)
        x = sparse.product(level.prolong, coarse, x, level.stretch)
        for sweep in reversed(level.sweeps):
            x.addcmul_(sweep, sparse.product(level.matrix, x, r, -1))
        return x

    def select(self, chosen: torch.Tensor) -> Aggregation:
        """Of the samples that a mask ``(B,)`` chooses."""
        number = chosen.cumsum(0, dtype=torch.int32) - 1
        kept = [chosen[level.owner] for level in self.levels]
        levels = []
        for level, keep, below in zip(self.levels, kept, [*kept[1:], None], strict=True):
            prolong, restrict = level.prolong, level.restrict
            if prolong is not None and restrict is not None and below is not None:
                prolong, restrict = sparse.part(prolong, keep, below), sparse.part(restrict, below, keep)
            matrix = sparse.part(level.matrix, keep, keep)
            owner = number[level.owner[keep]]
            inverse = level.inverse_diagonal[keep]
            sweeps = tuple(sweep[keep] for sweep in level.sweeps)
            levels.append(Level(matrix, inverse, owner, sweeps, prolong, restrict, level.stretch))
        return Aggregation(tuple(levels))


def _level(
    matrix: csr_array,
    owner: np.ndarray,
    like: torch.Tensor,
    prolong: csr_array | None = None,
    colour: np.ndarray | None = None,
) -> Level:
    """Of the colours of a grid, or without them, of Jacobi's steps."""
    inverse = torch.from_numpy(_inverse_diagonal(matrix)).to(like)
    on_device, owners = sparse.on_device(matrix, like), torch.from_numpy(owner.astype(np.int32)).to(like.device)
    if prolong is None:
        return Level(on_device, inverse, owners)
    there, back = sparse.on_device(prolong, like), sparse.on_device(prolong.T.tocsr(), like)
    if colour is None:
        return Level(on_device, inverse, owners, (JACOBI * inverse,), there, back)
    which = torch.from_numpy(colour).to(like.device)
    sweeps = tuple(RELAXATION * inverse * (which == c) for c in range(max(2, int(colour.max(initial=0)) + 1)))
    return Level(on_device, inverse, owners, sweeps, there, back, STRETCH)


def _inverse_diagonal(matrix: csr_array) -> np.ndarray:
    """One over the diagonal, or over half the sum of magnitudes in the row where that is more.

    So nothing times the matrix has an eigenvalue above 2: Baker, Falgout, Kolev, Yang, SIAM J. Sci. Comput. 33 (2011)
    2864. Coarse levels whose interpolation is smoothed are dense, and their diagonals small.
    """
    magnitudes = csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
    diagonal = np.maximum(matrix.diagonal(), magnitudes @ np.full(matrix.shape[1], 0.5, matrix.dtype))
    return np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1), 0).astype(matrix.dtype)


def _onto(aggregate: np.ndarray, links: Links) -> csr_array:
    """Constant interpolation, of nothing to what is on no grid."""
    values = np.zeros(len(aggregate), links.held.dtype)
    values[links.here] = 1
    starts = np.arange(len(aggregate) + 1, dtype=np.int32)
    return csr_array((values, aggregate, starts), shape=(len(aggregate), int(aggregate.max(initial=-1)) + 1))


def _rows(matrix: csr_array) -> np.ndarray:
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def _connected(matrix: csr_array, block: np.ndarray) -> np.ndarray:
    """Numbers of what is connected within each block."""
    row = _rows(matrix)
    inside = (row < matrix.indices) & (matrix.data != 0)
    inside &= block[row] == block[matrix.indices]
    graph = coo_array((np.ones(inside.sum(), bool), (row[inside], matrix.indices[inside])), shape=matrix.shape)
    return connected_components(graph, directed=False)[1]


def _merged(matrix: csr_array, aggregate: np.ndarray, count: int) -> csr_array:
    """The matrix of aggregates whose rows sum to 0."""
    row, column = aggregate[_rows(matrix)], aggregate[matrix.indices]
    between = (row != column) & (matrix.data != 0)
    entries = (matrix.data[between], (row[between], column[between]))
    return _without_row_sums(csr_array(entries, shape=(count, count)))


def _smoothed(matrix: csr_array, aggregate: np.ndarray) -> csr_array:
    """Constant interpolation after a step of Jacobi's; rows still sum to 1."""
    data = matrix.data * (-2 / 3 * _inverse_diagonal(matrix))[_rows(matrix)]
    data[matrix.indices == _rows(matrix)] += 1
    shape = (matrix.shape[0], int(aggregate.max(initial=-1)) + 1)
    prolong = csr_array((data.astype(matrix.dtype), aggregate[matrix.indices], matrix.indptr.copy()), shape=shape)
    prolong.sum_duplicates()
    return prolong


def _without_row_sums(matrix: csr_array) -> csr_array:
    """With the diagonal that makes rows sum to 0, which sums of large numbers would miss by their rounding."""
    matrix.data[matrix.indices == _rows(matrix)] = 0
    return (matrix - diags_array(matrix @ np.ones(matrix.shape[0], matrix.dtype))).tocsr()
