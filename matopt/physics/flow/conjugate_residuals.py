"""Generalised conjugate residuals on a batch of systems of flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from matopt.physics.numerics.systems import Systems, check_tolerance

REFRESH = 1e-4
"""Fall of the squared residual after which it is taken anew, long before the rounding of single precision tells."""


class FlatSystems(Systems, Protocol):
    """Nearly symmetric systems with preconditioners, samples side by side in flat vectors."""

    @property
    def batch(self) -> int:
        """B."""
        ...

    def apply(self, x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Multiply the systems by ``x``; the result is put in ``out`` where it is given."""
        ...

    def precondition(
        self, residual: torch.Tensor, out: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Solve approximately for ``residual``, into ``out`` where it is given; returns its squared norms, too.

        Leaves ``residual`` times the matrix of the norm in its place.
        """
        ...

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Compute the dot products of the samples, ``(B,)`` float64."""
        ...

    def add(
        self, to: torch.Tensor, scalars: torch.Tensor, other: torch.Tensor, out: torch.Tensor | None = None
    ) -> None:
        """Add ``other`` times the scalars ``(B,)`` of the samples to ``to``, or into ``out`` where it is given."""
        ...

    def unknowns(self, chosen: torch.Tensor) -> torch.Tensor:
        """Mark the unknowns ``(n,)`` of the samples that a mask ``(B,)`` chooses."""
        ...


@dataclass(frozen=True, eq=False)
class ConjugateResidualsResult:
    """The solution, its value and how good they are.

    Attributes:
        x: flat vectors, see :class:`~matopt.physics.flow.system.FlowSystem`.
        value: ``(B,)`` float64, ``2 b.x - x.A x``, whose error is the square of that of x.
        residual: ``(B,)`` float64, the root of the estimated error of the value over the value.
        iterations: ``(B,)`` int64; fewer than were allowed in a sample that has not converged but broken down.
    """

    x: torch.Tensor
    value: torch.Tensor
    residual: torch.Tensor
    iterations: torch.Tensor


def solve(systems: FlatSystems, rhs: torch.Tensor, tolerance: float, max_iterations: int) -> ConjugateResidualsResult:
    """Solve from ``x = 0``, each sample by itself; samples that are done leave the batch.

    GCR: Eisenstat, Elman, Schultz, SIAM J. Numer. Anal. 20 (1983) 345, truncated, for the smallest residual in the norm
    of the preconditioner. Its square estimates the error of the value. It goes by recursion, which forgets what x
    really leaves, and is taken anew now and then and before a sample is done. A sample that finds no direction right
    after that has broken down, and leaves too.

    Args:
        systems: of flow.
        rhs: flat.
        tolerance: of the residual.
        max_iterations: a sample that is not done by then keeps its last iterate and residual.

    Raises:
        InputError: the precision of ``rhs`` cannot reach ``tolerance``.
    """
    check_tolerance(rhs, tolerance)
    has_force = systems.dot(rhs, rhs) > 0
    rows, residual = has_force.nonzero()[:, 0], has_force.double()
    value = torch.zeros_like(residual)
    iterations = torch.zeros(systems.batch, dtype=torch.int64, device=rhs.device)
    if not len(rows):
        return ConjugateResidualsResult(torch.zeros_like(rhs), value, residual, iterations)
    is_busy = systems.unknowns(has_force)
    # A single sample leaves as a whole.
    b, result = rhs, torch.zeros_like(rhs) if systems.batch > 1 else rhs
    if len(rows) < systems.batch:
        b, systems = rhs[is_busy], systems.select(rows)
    dual = b.clone()
    z, error = systems.precondition(dual)
    taken, x, square = error, torch.zeros_like(b), torch.full_like(error, torch.inf)
    # None anew in an iteration: that would cost the first touch of its memory.
    direction, back, heavy, spare, image = (torch.empty_like(b) for _ in range(5))
    for step in range(1, max_iterations + 1):
        systems.apply(z, image)
        # Of symmetric systems, no direction but the last has a share in the next, and none in what is left.
        overlap = systems.dot(image, heavy) if step > 1 else torch.zeros_like(square)
        slope, share = systems.dot(image, dual), overlap / square
        square = systems.precondition(image, spare)[1] - share * overlap
        # By rounding alone is it not positive; such a direction has no part, and the residual is taken anew.
        has_part = square > 0
        square = torch.where(has_part, square, torch.inf)
        for t, last in ((z, direction), (spare, back), (image, heavy)):
            if step == 1:
                last.copy_(t)
            else:
                systems.add(t, -share, last, out=last)
        length = slope / square
        for t, rate, other in ((x, length, direction), (z, -length, back), (dual, -length, heavy)):
            systems.add(t, rate, other)
        error = error - length * slope
        seems_done = _relative(error, systems.dot(b, x)) <= tolerance
        if not (seems_done | ~has_part | (error < REFRESH * taken)).any() and step < max_iterations:
            continue
        r = torch.sub(b, systems.apply(x, image), out=image)
        now = systems.dot(b, x) + systems.dot(r, x)
        relative = _relative(systems.dot(r, dual), now)
        breaks_down = ~has_part & (error == taken)  # although it had just been taken anew
        done = (relative <= tolerance) | breaks_down | (step == max_iterations)
        left, leaving, keep = rows[done], systems.unknowns(done), ~done
        value[left], residual[left], iterations[left] = now[done], relative[done], step
        if len(left) == len(value):
            return ConjugateResidualsResult(x, value, residual, iterations)
        result[is_busy.masked_scatter(is_busy, leaving)] = x[leaving]
        rows, stays = rows[keep], ~leaving
        if not len(rows):
            break
        if len(left):
            is_busy, systems, square = (
                is_busy.masked_scatter(is_busy, stays),
                systems.select(keep.nonzero()[:, 0]),
                square[keep],
            )
            b, x, z, dual, image = (t[stays] for t in (b, x, z, dual, image))
            direction, back, heavy, spare = (t[stays] for t in (direction, back, heavy, spare))
        dual, image = image, dual
        error = taken = systems.precondition(dual, z)[1]
    return ConjugateResidualsResult(result, value, residual, iterations)


def _relative(error: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Take the root of the relative error, at most 1."""
    return torch.where(value > 0, (error.abs() / value.clamp_min(1e-300)).sqrt(), 1.0).clamp_max(1)
