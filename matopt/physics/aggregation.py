"""Algebraic multigrid for diffusion-like matrices on the voxels or faces of images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from scipy.sparse.csgraph import connected_components

from matopt.physics import sparse

@dataclass(frozen=True, eq=False)
class Level:
    """One grid.

    Attributes:
        matrix: sparse, ``(n, n)``.
        inverse_diagonal: ``(n,)``, 0 where the diagonal is.
        prolong: sparse, from the next grid.
        restrict: sparse, to the next grid.
        owner: ``(n,)`` the sample of each unknown.
    """

    matrix: torch.Tensor
    inverse_diagonal: torch.Tensor
    prolong: torch.Tensor | None
    restrict: torch.Tensor | None
    owner: torch.Tensor


@dataclass(frozen=True, eq=False)
class Aggregation:
    """One V-cycle for symmetric matrices of samples side by side, as an approximate inverse.

    Aggregates are what is connected within cubes of two to a side (Vanek, Mandel, Brezina, Computing 56 (1996) 179,
    with the geometry at hand). The smoother is Chebyshev's polynomial in the matrix over its diagonal.

    Attributes:
        levels: from fine to coarse.
        degree: of the smoother.
        stretch: of coarse corrections. Constant interpolation makes coarse matrices twice as stiff as they should be.
    """

    levels: tuple[Level, ...]
    degree: int
    stretch: float

    @staticmethod
    def constant(matrix: csr_array, group: np.ndarray, place: np.ndarray, owner: np.ndarray, like: torch.Tensor):
        """With constant interpolation: least memory and set-up; for what walls hold.

        Args:
            matrix: symmetric; a row without a diagonal has no part in it.
            group: ``(n,)`` unknowns that may be aggregated have the same number, from 0.
            place: ``(n, d)`` integer coordinates.
            owner: ``(n,)`` samples.
            like: of the precision and on the device that are asked for.
        """
        return Aggregation(_coarsen(matrix, group, place, owner, like, smooth=False), 2, 1.8)

    @staticmethod
    def smoothed(matrix: csr_array, group: np.ndarray, place: np.ndarray, owner: np.ndarray, like: torch.Tensor):
        """With smoothed interpolation: for matrices whose rows sum to 0, with strong and weak links.

        Arguments are those of :meth:`constant`.
        """
        return Aggregation(_coarsen(matrix, group, place, owner, like, smooth=True), 1, 1.0)

    def __call__(self, r: torch.Tensor, depth: int = 0) -> torch.Tensor:
        """An approximate solution of ``A x = r``, flat vectors."""
        level = self.levels[depth]
        if level.prolong is None:
            return level.inverse_diagonal * r
        x = self._smooth(level, r)
        coarse = self(level.restrict @ (r - level.matrix @ x), depth + 1)
        x.add_(level.prolong @ coarse, alpha=self.stretch)
        return x.add_(self._smooth(level, r - level.matrix @ x))

    def _smooth(self, level: Level, r: torch.Tensor) -> torch.Tensor:
        """Chebyshev's polynomial on the part of the spectrum from 1/2 to 2."""
        centre, half = 1.25, 0.75
        step = level.inverse_diagonal * r / centre
        x = step
        ratio = half / centre
        for _ in range(1, self.degree):
            r = r - level.matrix @ step
            after = 1 / (2 * centre / half - ratio)
            step = ratio * after * step + (2 * after / half) * level.inverse_diagonal * r
            ratio = after
            x = x + step
        return x

    def select(self, rows: torch.Tensor, batch: int) -> Aggregation:
        """Of these samples out of so many, in ascending order."""
        chosen = torch.zeros(batch, dtype=torch.bool, device=rows.device)
        chosen[rows] = True
        number = chosen.cumsum(0, dtype=torch.int32) - 1
        kept = [chosen[level.owner.long()] for level in self.levels]
        levels = []
        for depth, (level, keep) in enumerate(zip(self.levels, kept, strict=True)):
            last = level.prolong is None
            levels.append(
                Level(
                    sparse.part(level.matrix, keep, keep),
                    level.inverse_diagonal[keep],
                    None if last else sparse.part(level.prolong, keep, kept[depth + 1]),
                    None if last else sparse.part(level.restrict, kept[depth + 1], keep),
                    number[level.owner[keep].long()],
                )
            )
        return replace(self, levels=tuple(levels))


def _coarsen(
    matrix: csr_array, group: np.ndarray, place: np.ndarray, owner: np.ndarray, like: torch.Tensor, smooth: bool
) -> tuple[Level, ...]:
    levels = []
    while True:
        diagonal = matrix.diagonal()
        has_part = diagonal > 0
        inverse = np.where(has_part, 1 / np.where(has_part, diagonal, 1), 0).astype(matrix.dtype)
        on_grid = (
            sparse.on_device(matrix, like),
            torch.from_numpy(inverse).to(like),
            torch.from_numpy(owner.astype(np.int32)).to(like.device),
        )
        row = np.repeat(np.arange(len(diagonal), dtype=np.int32), np.diff(matrix.indptr))
        linked = bool(((matrix.indices != row) & (matrix.data != 0)).any())
        if not linked and not (place.any() and not smooth):
            levels.append(Level(on_grid[0], on_grid[1], None, None, on_grid[2]))
            return tuple(levels)
        place = place // 2
        sides = place.max(0) + 1
        block = np.ravel_multi_index((group, *place.T), (group.max() + 1, *sides))
        aggregate = _connected(matrix, block) if smooth else block
        seen = np.zeros(aggregate.max() + 1, bool)
        seen[aggregate[has_part]] = True
        aggregate = (np.cumsum(seen, dtype=np.int32) - 1)[aggregate]
        count = int(seen.sum())
        fine = np.flatnonzero(has_part).astype(np.int32)
        first = np.zeros(count, np.int32)
        first[aggregate[fine]] = fine
        starts = np.concatenate([[0], np.cumsum(has_part)]).astype(np.int32)
        prolong = csr_array(
            (np.ones(len(fine), matrix.dtype), aggregate[fine], starts), shape=(len(diagonal), count)
        )
        if smooth:
            prolong = (prolong - diags_array(2 / 3 * inverse) @ (matrix @ prolong)).tocsr().astype(matrix.dtype)
        restrict = prolong.T.tocsr()
        matrix = (restrict @ (matrix @ prolong)).tocsr()
        if smooth:
            matrix = _without_row_sums(matrix)
        levels.append(
            Level(
                on_grid[0],
                on_grid[1],
                sparse.on_device(prolong, like),
                sparse.on_device(restrict, like),
                on_grid[2],
            )
        )
        group, place, owner = group[first], place[first], owner[first]


def _connected(links: csr_array, block: np.ndarray) -> np.ndarray:
    """Numbers of what is connected within each block."""
    row = np.repeat(np.arange(len(block), dtype=np.int32), np.diff(links.indptr))
    inside = block[row] == block[links.indices]
    graph = csr_array((np.ones(inside.sum(), bool), (row[inside], links.indices[inside])), shape=links.shape)
    return connected_components(graph, directed=False)[1]


def _without_row_sums(matrix: csr_array) -> csr_array:
    """With the diagonal that makes rows sum to 0 without the rounding of large sums."""
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    return (matrix - diags_array(matrix @ np.ones(matrix.shape[0], matrix.dtype))).tocsr()
