"""Systems of conductances between the cells of grids, and their solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from matopt.physics.conduction.cells import Cells, by_colour, by_sample
from matopt.physics.conduction.multigrid import Level, joined, reciprocal
from matopt.physics.numerics.conjugate_gradients import Solved, conjugate_gradients, dot


@dataclass(frozen=True, eq=False)
class Conduction:
    """B symmetric systems of conductances between cells and to what holds them.

    They are solved by conjugate gradients with multigrid, scaled to a diagonal of ones. The cells of the first colour,
    which have no neighbours among each other, are eliminated: it halves the vectors, and no iteration is lost, as a
    cycle leaves no residual there. Rows are ``(B, n)``, the numbers of a sample by colour as :class:`Cells` has them,
    without the first colour.

    Attributes:
        scale: ``(N,)`` one over the root of the diagonal, 0 where nothing conducts.
        finest: the scaled systems.
        constant: ``(B, n)`` unit vectors, what a constant is in the scaled systems; None where something is held.
            Rounding in a direction that a system does not see would be amplified by each level.
    """

    scale: torch.Tensor
    finest: Level
    constant: torch.Tensor | None

    @staticmethod
    def of(cells: Cells, ahead: Sequence[torch.Tensor], held: torch.Tensor) -> Conduction:
        """From conductances to the neighbours ahead, ``(N,)`` an axis, and to what is held, ``(N,)``."""
        finest, root = Level.of(cells, ahead, held)
        if held.any():
            return Conduction(reciprocal(root), finest, None)
        constant = by_sample(root[finest.sizes[0] :], finest.counts[1:])
        return Conduction(reciprocal(root), finest, functional.normalize(constant))

    def solve(self, rhs: torch.Tensor, tolerance: float, max_iterations: int) -> Solved:
        """By conjugate gradients, for right-hand sides ``(N,)``; as :func:`conjugate_gradients`, x is ``(N,)`` too."""
        first, *others = (rhs * self.scale).split(self.finest.sizes)
        known = [first, *(torch.zeros_like(part) for part in others)]
        reduced = [self.finest.relaxed(part, known, colour) for colour, part in enumerate(others, start=1)]
        solved = conjugate_gradients(self, self._rows(reduced), tolerance, max_iterations)
        x = self._parts(solved.x)
        x[0] = self.finest.relaxed(first, x, 0)
        return replace(solved, x=torch.cat(x) * self.scale)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The systems times ``x``."""
        parts = self._parts(x)
        parts[0] = self.finest.relaxed(None, parts, 0)
        return self._rows([part - self.finest.relaxed(None, parts, c) for c, part in enumerate(parts) if c])

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Approximate inverses times ``residual``; symmetric positive definite."""
        parts = self._parts(self._without_constant(residual))
        x = self.finest.sweeps(parts, settled=True) if self.finest.inverse is None else self.finest.cycle(parts)
        return self._without_constant(self._rows(x[1:]))

    def select(self, rows: torch.Tensor) -> Conduction:
        """The systems of these samples, each of them once and in order; the scale stays that of all."""
        if len(rows) == self.finest.batch:
            return self
        constant = None if self.constant is None else self.constant[rows]
        return replace(self, finest=self.finest.select(rows), constant=constant)

    def _without_constant(self, x: torch.Tensor) -> torch.Tensor:
        if self.constant is None:
            return x
        share = dot(self.constant, x).to(x.dtype)
        return torch.addcmul(x, self.constant, share[:, None], value=-1)

    def _parts(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The colours of rows, zeros for the first."""
        first, *others = self.finest.sizes
        return [x.new_zeros(first), *by_colour(x, self.finest.counts[1:]).split(others)]

    def _rows(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return by_sample(joined(parts), self.finest.counts[1:])
