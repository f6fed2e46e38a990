"""Multigrid by aggregation for what the unknowns of images exchange, as an approximate inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components

from matopt.physics.flow.couplings import GridCouplings
from matopt.physics.numerics import sparse

RELAXATION = 1.25
"""Of sweeps by colours, which it makes smooth better than those of Gauss and Seidel."""

JACOBI = 0.8
"""Share of a step of Jacobi's, which damps the upper three quarters of a spectrum from 0 to 2 alike."""

STRETCH = 1.6
"""Of corrections that are constant in cubes of two voxels to a side. These conduct twice too well, as they are twice as
far apart as voxels are (Braess, Computing 55 (1995) 379). Each level adds to what is overcorrected: at 2 or near it the
cycle times its matrix leaves (0, 2) in wide pores, where many levels matter, and iterations stall."""


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
    def with_dirichlet(links: GridCouplings, like: torch.Tensor) -> Aggregation:
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
    def pure_neumann(links: GridCouplings, like: torch.Tensor) -> Aggregation:
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


def _onto(aggregate: np.ndarray, links: GridCouplings) -> csr_array:
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
