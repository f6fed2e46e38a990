"""Generalised conjugate residuals on a batch of systems of flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from matopt.physics.krylov import check_tolerance

REFRESH = 1e-4
"""Fall of the squared residual after which it is taken anew, long before the rounding of single precision tells."""


class Systems(Protocol):
    """B nearly symmetric systems side by side, of flat vectors."""

    @property
    def batch(self) -> int:
        """B."""
        ...

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The systems times ``x``."""
        ...

    def precondition(self, residual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Approximate solutions for ``residual``, and ``residual`` times the matrix of its norm."""
        ...

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """``(B,)`` float64 dot products."""
        ...

    def add(self, to: torch.Tensor, scalars: torch.Tensor, other: torch.Tensor) -> None:
        """Add ``other`` times the scalars ``(B,)`` of the samples."""
        ...

    def unknowns(self, chosen: torch.Tensor) -> torch.Tensor:
        """``(n,)`` bool, the unknowns of the samples that a mask ``(B,)`` chooses."""
        ...

    def select(self, chosen: torch.Tensor) -> Systems:
        """The systems of the samples that a mask ``(B,)`` chooses."""
        ...


@dataclass(frozen=True, eq=False)
class Flow:
    """What the iterations reached.

    Attributes:
        x: flat vectors, see :class:`~matopt.physics.flow_system.FlowSystem`.
        value: ``(B,)`` float64, ``2 b.x - x.A x``, whose error is the square of that of x.
        residual: ``(B,)`` float64, the root of the estimated error of the value over the value.
        iterations: ``(B,)`` int64.
    """

    x: torch.Tensor
    value: torch.Tensor
    residual: torch.Tensor
    iterations: torch.Tensor


def solve(systems: Systems, rhs: torch.Tensor, tolerance: float, max_iterations: int) -> Flow:
    """Solve from ``x = 0``, each sample by itself; samples that are done leave the batch.

    GCR: Eisenstat, Elman, Schultz, SIAM J. Numer. Anal. 20 (1983) 345, truncated, for the smallest residual in the norm
    of the preconditioner. Its square estimates the error of the value. It goes by recursion, which forgets what x
    really leaves, and is taken anew now and then and before a sample is done.

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
        return Flow(torch.zeros_like(rhs), value, residual, iterations)
    is_busy = systems.unknowns(has_force)
    # A single sample leaves as a whole.
    b, result = rhs, torch.zeros_like(rhs) if systems.batch > 1 else rhs
    if len(rows) < systems.batch:
        b, systems = rhs[is_busy], systems.select(has_force)
    x = torch.zeros_like(b)
    z, dual = systems.precondition(b)
    error = taken = systems.dot(b, dual)
    last: tuple[torch.Tensor, ...] = ()
    for step in range(1, max_iterations + 1):
        image = systems.apply(z)
        back, heavy = systems.precondition(image)
        square = systems.dot(image, heavy)
        # What the last direction did to the residual has no share in it any more.
        slope = systems.dot(image, dual)
        # Of symmetric systems, no direction but the last has a share in the next.
        share = systems.dot(image, last[2]) / last[3] if last else torch.zeros_like(square)
        del image
        direction = z.clone()
        if last:
            square = square - share.square() * last[3]
            for t, other in zip((direction, back, heavy), last, strict=False):
                systems.add(t, -share, other)
        # By rounding alone is it not positive; such a direction has no part.
        square = torch.where(square > 0, square, torch.inf)
        last = direction, back, heavy, square
        length = slope / square
        systems.add(x, length, direction)
        systems.add(z, -length, back)
        systems.add(dual, -length, heavy)
        error = error - length * slope
        seems_done = _relative(error, systems.dot(b, x)) <= tolerance
        if not (seems_done | (error < REFRESH * taken)).any() and step < max_iterations:
            continue
        r = torch.sub(b, systems.apply(x))
        now = systems.dot(b, x) + systems.dot(r, x)
        relative = _relative(systems.dot(r, dual), now)
        done = (relative <= tolerance) | (step == max_iterations)
        left, leaving, keep = rows[done], systems.unknowns(done), ~done
        value[left], residual[left], iterations[left] = now[done], relative[done], step
        if len(left) == len(value):
            return Flow(x, value, residual, iterations)
        result[is_busy.masked_scatter(is_busy, leaving)] = x[leaving]
        rows, stays = rows[keep], ~leaving
        if not len(rows):
            break
        if len(left):
            is_busy, systems = is_busy.masked_scatter(is_busy, stays), systems.select(keep)
            b, x, r = b[stays], x[stays], r[stays]
            last = *(t[stays] for t in last[:3]), last[3][keep]
        z, dual = systems.precondition(r)
        error = taken = systems.dot(r, dual)
        del r
    return Flow(result, value, residual, iterations)


def _relative(error: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The root of the relative error, at most 1."""
    return torch.where(value > 0, (error.abs() / value.clamp_min(1e-300)).sqrt(), 1.0).clamp_max(1)
