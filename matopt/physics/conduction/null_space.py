"""The null space of systems of conductances: a constant in each cluster of cells without a fixed value."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.physics.conduction.cells import Cells, by_sample
from matopt.physics.numerics.conjugate_gradients import dot


@dataclass(frozen=True, eq=False)
class Constants:
    """Orthonormal vectors of B samples, one for each cluster, in rows as those of the systems.

    Clusters share no cell, so a row holds all vectors of its sample.

    Attributes:
        vectors: ``(B, n)``, 0 in clusters with a fixed value.
        cluster: ``(B, n)`` int64, which vector a number belongs to; None where each sample has one.
        most: how many clusters the sample with the most of them has.
    """

    vectors: torch.Tensor
    cluster: torch.Tensor | None
    most: int

    @staticmethod
    def of(cells: Cells, root: torch.Tensor, dirichlet: torch.Tensor, cluster: torch.Tensor | None) -> Constants | None:
        """Find the vectors; None where every cluster has a fixed value.

        Args:
            cells: of the grids.
            root: ``(N,)`` roots of the diagonal, which a constant is in systems that are scaled to a diagonal of ones.
            dirichlet: ``(N,)`` conductances to fixed values.
            cluster: ``(N,)`` of the cells, numbered from 1 in each sample; None where each sample is one.
        """
        if cluster is None and (by_sample(dirichlet, cells.counts) > 0).any(1).all():
            return None  # as between outer faces, without a number for each cell
        most = 1 if cluster is None else max(int(cluster.max()), 1)
        within = torch.zeros_like(cells.sample) if cluster is None else (cluster - 1).clamp_min_(0)
        place = cells.sample.long() * most + within
        is_fixed = torch.zeros(cells.batch * most, dtype=torch.bool, device=dirichlet.device)
        is_fixed[place[dirichlet > 0]] = True
        if is_fixed.all():
            return None
        rows = cells.batch * cells.counts[0]  # the first colour is eliminated
        free, within = (by_sample(t[rows:], cells.counts[1:]) for t in (root * ~is_fixed[place], within.long()))
        raw = Constants(free, within if most > 1 else None, most)
        lengths = raw._products(free).sqrt_()
        return Constants(free / raw._spread(lengths.clamp_min_(torch.finfo(root.dtype).tiny)), raw.cluster, most)

    def removed_from(self, rows: torch.Tensor) -> torch.Tensor:
        """Project ``(B, n)`` onto the complement of the vectors."""
        return torch.addcmul(rows, self.vectors, self._spread(self._products(rows)), value=-1)

    def select(self, rows: torch.Tensor) -> Constants:
        """Keep the vectors of some samples (indices)."""
        return Constants(self.vectors[rows], None if self.cluster is None else self.cluster[rows], self.most)

    def _products(self, rows: torch.Tensor) -> torch.Tensor:
        """Compute the ``(B, most)`` float64 products of ``(B, n)`` with each vector."""
        if self.cluster is None:
            return dot(self.vectors, rows)[:, None]
        total = rows.new_zeros(len(rows), self.most, dtype=torch.float64)
        return total.scatter_add_(1, self.cluster, (self.vectors * rows).double())

    def _spread(self, of_vectors: torch.Tensor) -> torch.Tensor:
        """Put numbers ``(B, most)`` of the vectors where these are not zero: ``(B, n)``, or ``(B, 1)`` of one."""
        found = of_vectors if self.cluster is None else of_vectors.gather(1, self.cluster)
        return found.to(self.vectors.dtype)
