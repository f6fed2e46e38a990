"""Algebraic multigrid by aggregation for the matrices of slow flow, as an approximate inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components

from matopt.physics.flow.couplings import GridCouplings
from matopt.physics.numerics import sparse

RELAXATION = 1.25
"""Relaxation factor of Gauss-Seidel sweeps by colours (SOR), which smooth better with it."""

JACOBI = 0.8
"""Damping factor of Jacobi steps: it damps the upper three quarters of a spectrum from 0 to 2 alike."""

OVERCORRECTION = 1.6
"""Factor of coarse corrections that are constant in cubes of two voxels to a side. These cubes conduct twice too well,
as they are twice as far apart as voxels are (Braess, Computing 55 (1995) 379). Each level adds to it: at 2 or near that
the cycle times its matrix leaves (0, 2) in wide pores, where many levels matter, and iterations stall."""


@dataclass(frozen=True, eq=False)
class Level:
    """One level of the multigrid hierarchy.

    Attributes:
        matrix: sparse, ``(n, n)``.
        inverse_diagonal: ``(n,)``, 0 where the diagonal is.
        owner: ``(n,)`` int32, the sample of each unknown.
        sweeps: ``(n,)`` inverse diagonals by which the unknowns are relaxed, one colour after the other.
        prolong: sparse, from the next coarser level; None on the last.
        restrict: sparse, to the next coarser level.
        overcorrection: factor of the coarser level's correction.
    """

    matrix: torch.Tensor
    inverse_diagonal: torch.Tensor
    owner: torch.Tensor
    sweeps: tuple[torch.Tensor, ...] = ()
    prolong: torch.Tensor | None = None
    restrict: torch.Tensor | None = None
    overcorrection: float = 1.0


@dataclass(frozen=True, eq=False)
class Aggregation:
    """A multigrid V-cycle for the symmetric positive semidefinite matrices of samples side by side.

    On grids it relaxes one colour after the other on the way down, and in reverse on the way up.

    Attributes:
        levels: from fine to coarse.
    """

    levels: tuple[Level, ...]

    @staticmethod
    def with_dirichlet(couplings: GridCouplings, like: torch.Tensor) -> Aggregation:
        """Build the hierarchy for couplings with a Dirichlet condition near most unknowns, as walls of pores are.

        Interpolation is constant in cubes of two grid cells to a side.

        Args:
            couplings: of the finest level.
            like: of the precision and on the device that are asked for.
        """
        levels = []
        while max(couplings.number.shape[1:]) > 1:
            block, grids = couplings.blocks()
            levels.append(_level(couplings.matrix(), couplings.owner, like, _onto(block, couplings), couplings.colour))
            couplings = couplings.coarser(block, grids)
        return Aggregation((*levels, _level(couplings.matrix(), couplings.owner, like)))

    @staticmethod
    def pure_neumann(couplings: GridCouplings, like: torch.Tensor) -> Aggregation:
        """Build the hierarchy for couplings without a Dirichlet condition, strong and weak.

        Aggregates are what is connected within cubes. After the first level interpolation is smoothed: Vanek, Mandel,
        Brezina, Computing 56 (1996) 179.
        """
        matrix, owner = couplings.matrix(), couplings.owner
        block, grids = couplings.blocks()
        place = np.stack(np.nonzero(grids >= 0), 1)
        aggregate = _connected(matrix, block)
        # What is on no grid is in no aggregate.
        is_first = np.zeros(aggregate.max(initial=-1) + 1, bool)
        is_first[aggregate[couplings.here]] = True
        aggregate = (np.cumsum(is_first, dtype=np.int32) - 1)[aggregate]
        levels = [_level(matrix, owner, like, _onto(aggregate, couplings), couplings.colour)]
        first = np.zeros(int(is_first.sum()), np.int32)
        first[aggregate[couplings.here]] = couplings.here
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
        """Solve ``A x = r`` approximately, by one V-cycle from a level down; flat vectors."""
        level = self.levels[depth]
        if level.prolong is None or level.restrict is None:
            return level.inverse_diagonal * r
        x = level.sweeps[0] * r
        for sweep in level.sweeps[1:]:
            x.addcmul_(sweep, sparse.product(level.matrix, x, r, -1))
        coarse = self(sparse.product(level.restrict, sparse.product(level.matrix, x, r, -1)), depth + 1)
        x = sparse.product(level.prolong, coarse, x, level.overcorrection)
        for sweep in reversed(level.sweeps):
            x.addcmul_(sweep, sparse.product(level.matrix, x, r, -1))
        return x

    def select(self, chosen: torch.Tensor) -> Aggregation:
        """The hierarchy of the samples that a mask ``(B,)`` chooses."""
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
            levels.append(Level(matrix, inverse, owner, sweeps, prolong, restrict, level.overcorrection))
        return Aggregation(tuple(levels))


def _level(
    matrix: csr_array,
    owner: np.ndarray,
    like: torch.Tensor,
    prolong: csr_array | None = None,
    colour: np.ndarray | None = None,
) -> Level:
    """Build a level that is relaxed by the colours of its grid or, without them, by damped Jacobi steps."""
    inverse = torch.from_numpy(_inverse_diagonal(matrix)).to(like)
    on_device, owners = sparse.on_device(matrix, like), torch.from_numpy(owner.astype(np.int32)).to(like.device)
    if prolong is None:
        return Level(on_device, inverse, owners)
    there, back = sparse.on_device(prolong, like), sparse.on_device(prolong.T.tocsr(), like)
    if colour is None:
        return Level(on_device, inverse, owners, (JACOBI * inverse,), there, back)
    which = torch.from_numpy(colour).to(like.device)
    sweeps = tuple(RELAXATION * inverse * (which == c) for c in range(max(2, int(colour.max(initial=0)) + 1)))
    return Level(on_device, inverse, owners, sweeps, there, back, OVERCORRECTION)


def _inverse_diagonal(matrix: csr_array) -> np.ndarray:
    """The reciprocal of the diagonal, or of half the sum of magnitudes in the row where that is more.

    Its product with the matrix has no eigenvalue above 2: Baker, Falgout, Kolev, Yang, SIAM J. Sci. Comput. 33 (2011)
    2864. Coarse levels whose interpolation is smoothed are dense, and their diagonals small.
    """
    magnitudes = csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
    diagonal = np.maximum(matrix.diagonal(), magnitudes @ np.full(matrix.shape[1], 0.5, matrix.dtype))
    return np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1), 0).astype(matrix.dtype)


def _onto(aggregate: np.ndarray, couplings: GridCouplings) -> csr_array:
    """Interpolation that is constant in each aggregate, and 0 for unknowns that are on no grid."""
    values = np.zeros(len(aggregate), couplings.dirichlet.dtype)
    values[couplings.here] = 1
    starts = np.arange(len(aggregate) + 1, dtype=np.int32)
    return csr_array((values, aggregate, starts), shape=(len(aggregate), int(aggregate.max(initial=-1)) + 1))


def _rows(matrix: csr_array) -> np.ndarray:
    """The row of each entry."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))


def _connected(matrix: csr_array, block: np.ndarray) -> np.ndarray:
    """Number the connected parts of each block, ``(n,)``: the aggregates."""
    row = _rows(matrix)
    inside = (row < matrix.indices) & (matrix.data != 0)
    inside &= block[row] == block[matrix.indices]
    graph = coo_array((np.ones(inside.sum(), bool), (row[inside], matrix.indices[inside])), shape=matrix.shape)
    return connected_components(graph, directed=False)[1]


def _merged(matrix: csr_array, aggregate: np.ndarray, count: int) -> csr_array:
    """The couplings between aggregates (Galerkin), as a matrix whose rows sum to 0."""
    row, column = aggregate[_rows(matrix)], aggregate[matrix.indices]
    between = (row != column) & (matrix.data != 0)
    entries = (matrix.data[between], (row[between], column[between]))
    return _without_row_sums(csr_array(entries, shape=(count, count)))


def _smoothed(matrix: csr_array, aggregate: np.ndarray) -> csr_array:
    """Interpolation that is constant in each aggregate, smoothed by a Jacobi step; rows still sum to 1."""
    data = matrix.data * (-2 / 3 * _inverse_diagonal(matrix))[_rows(matrix)]
    data[matrix.indices == _rows(matrix)] += 1
    shape = (matrix.shape[0], int(aggregate.max(initial=-1)) + 1)
    prolong = csr_array((data.astype(matrix.dtype), aggregate[matrix.indices], matrix.indptr.copy()), shape=shape)
    prolong.sum_duplicates()
    return prolong


def _without_row_sums(matrix: csr_array) -> csr_array:
    """Set the diagonal so that rows sum to 0, which sums of large numbers would miss by their rounding."""
    matrix.data[matrix.indices == _rows(matrix)] = 0
    return (matrix - diags_array(matrix @ np.ones(matrix.shape[0], matrix.dtype))).tocsr()
