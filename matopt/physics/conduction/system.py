"""Systems of conductances between the cells of grids, and their solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from matopt.physics.conduction.cells import Cells, by_colour, by_sample
from matopt.physics.conduction.multigrid import Level, joined, reciprocal
from matopt.physics.conduction.null_space import Constants
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult, conjugate_gradients, dot


@dataclass(frozen=True, eq=False)
class Conduction:
    """B symmetric systems of conductances between cells and to fixed values.

    They are solved by conjugate gradients with multigrid, scaled to a diagonal of ones. The cells of the first colour,
    which have no neighbours among each other, are eliminated: it halves the vectors, and no iteration is lost, as a
    cycle leaves no residual there. Rows are ``(B, n)``, the numbers of a sample by colour as :class:`Cells` has them,
    without the first colour.

    Attributes:
        scale: ``(N,)`` one over the root of the diagonal, 0 where nothing conducts.
        finest: the scaled systems.
        constants: the null space, a constant in each cluster of cells; None where every cluster has a fixed value.
    """

    scale: torch.Tensor
    finest: Level
    constants: Constants | None

    @staticmethod
    def of(
        cells: Cells, ahead: Sequence[torch.Tensor], dirichlet: torch.Tensor, cluster: torch.Tensor | None = None
    ) -> Conduction:
        """Assemble the systems.

        Args:
            cells: of the grids.
            ahead: conductances to the neighbours ahead, ``(N,)`` an axis.
            dirichlet: ``(N,)`` conductances to fixed values (Dirichlet).
            cluster: ``(N,)`` the cluster of each cell within its sample, numbered from 1, 0 for spare numbers; without
                it each sample is one. Clusters exchange nothing with each other.
        """
        finest, root = Level.of(cells, ahead, dirichlet)
        constants = Constants.of(cells, root, dirichlet, cluster)
        return Conduction(reciprocal(root), finest, constants)

    def solve(
        self, rhs: torch.Tensor, tolerance: float, max_iterations: int, energy: torch.Tensor | None = None
    ) -> ConjugateGradientsResult:
        """Solve for right-hand sides ``(N,)`` by :func:`conjugate_gradients`; x is ``(N,)`` too.

        Args:
            rhs: of the systems, in their range.
            tolerance: of the residual.
            max_iterations: at which a sample is given up.
            energy: ``(B,)`` float64, of which the product of ``rhs`` with x is taken, see :func:`conjugate_gradients`.
        """
        first, *others = (rhs * self.scale).split(self.finest.sizes)
        if energy is not None:
            own = first.view(self.finest.batch, -1)
            energy = energy - dot(own, own)  # what the first colour takes by itself
        known = [first, *(torch.zeros_like(part) for part in others)]
        reduced = [self.finest.relaxed(part, known, colour) for colour, part in enumerate(others, start=1)]
        solved = conjugate_gradients(
            self, self._in_range(self._rows(reduced)), tolerance, max_iterations, energy=energy
        )
        x = self._parts(solved.x)
        x[0] = self.finest.relaxed(first, x, 0)
        return replace(solved, x=torch.cat(x) * self.scale)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply the systems by ``x``."""
        parts = self._parts(x)
        parts[0] = self.finest.relaxed(None, parts, 0)
        product = self._rows([part - self.finest.relaxed(None, parts, c) for c, part in enumerate(parts) if c])
        return self._in_range(product)

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Apply the multigrid cycle to a residual: a symmetric positive definite approximate inverse."""
        parts = self._parts(residual)
        x = self.finest.sweeps(parts, settled=True) if self.finest.inverse is None else self.finest.cycle(parts)
        return self._in_range(self._rows(x[1:]))

    def select(self, rows: torch.Tensor) -> Conduction:
        """Keep the systems of some samples (indices, each once and in order); the scale stays that of all."""
        if len(rows) == self.finest.batch:
            return self
        constants = None if self.constants is None else self.constants.select(rows)
        return replace(self, finest=self.finest.select(rows), constants=constants)

    def _in_range(self, rows: torch.Tensor) -> torch.Tensor:
        """Project ``(B, n)`` onto the systems' range; rounding outside of it would be amplified by each level."""
        return rows if self.constants is None else self.constants.removed_from(rows)

    def _parts(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Split rows by colour, with zeros for the first."""
        first, *others = self.finest.sizes
        return [x.new_zeros(first), *by_colour(x, self.finest.counts[1:]).split(others)]

    def _rows(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return by_sample(joined(parts), self.finest.counts[1:])
