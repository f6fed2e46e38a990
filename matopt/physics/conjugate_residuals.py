"""Generalised conjugate residuals on a batch of systems of flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.physics.flow_system import FlowSystem
from matopt.physics.krylov import check_tolerance

MOST_DIRECTIONS = 5
"""Directions that are kept; the oldest are dropped. Nearly symmetric systems hardly need any but the last."""

REFRESH = 8
"""Iterations after which the preconditioned residual is taken anew."""


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


def solve(systems: FlowSystem, rhs: torch.Tensor, tolerance: float, max_iterations: int) -> Flow:
    """Solve from ``x = 0``, each sample by itself; samples that are done leave the batch.

    GCR: Eisenstat, Elman, Schultz, SIAM J. Numer. Anal. 20 (1983) 345, truncated, for the smallest residual in the norm
    of the preconditioner. Its square estimates the error of the value; it is taken anew before a sample is done.

    Args:
        systems: of flow.
        rhs: flat.
        tolerance: of the residual.
        max_iterations: a sample that is not done by then keeps its last iterate and residual.

    Raises:
        InputError: the precision of ``rhs`` cannot reach ``tolerance``.
    """
    check_tolerance(rhs, tolerance)
    result = torch.zeros_like(rhs)
    has_force = systems.dot(rhs, rhs) > 0
    rows, residual = has_force.nonzero()[:, 0], has_force.double()
    value = torch.zeros_like(residual)
    iterations = torch.zeros(systems.batch, dtype=torch.int64, device=rhs.device)
    if not len(rows):
        return Flow(result, value, residual, iterations)
    is_busy = systems.unknowns(has_force)
    b = rhs
    if len(rows) < systems.batch:
        b, systems = rhs[is_busy], systems.select(has_force)
    x, r = torch.zeros_like(b), b
    z, dual = systems.precondition(b)
    directions: list[tuple[torch.Tensor, ...]] = []
    for step in range(1, max_iterations + 1):
        image, direction = systems.apply(z), z.clone()
        back, heavy = systems.precondition(image)
        square = systems.dot(image, heavy)
        for *old, old_heavy, old_square in directions:
            share = systems.dot(image, old_heavy) / old_square
            square = square - share.square() * old_square
            for t, other in zip((direction, back, heavy), (*old, old_heavy), strict=True):
                t.addcmul_(systems.spread(share, t), other, value=-1)
        # By rounding alone is it not positive; such a direction has no part.
        square = torch.where(square > 0, square, torch.inf)
        length = systems.dot(r, heavy) / square
        x.addcmul_(systems.spread(length, x), direction)
        z.addcmul_(systems.spread(length, z), back, value=-1)
        dual.addcmul_(systems.spread(length, z), heavy, value=-1)
        # Not by recursion, which in single precision forgets what x really leaves.
        r = b - systems.apply(x)
        now = systems.dot(b, x) + systems.dot(r, x)
        directions = [*directions[1 - MOST_DIRECTIONS :], (direction, back, heavy, square)]
        if step % REFRESH and step < max_iterations and not (_relative(systems.dot(r, dual), now) <= tolerance).any():
            continue
        z, dual = systems.precondition(r)
        relative = _relative(systems.dot(r, dual), now)
        done = (relative <= tolerance) | (step == max_iterations)
        left, leaving, keep = rows[done], systems.unknowns(done), ~done
        result[is_busy.masked_scatter(is_busy, leaving)] = x[leaving]
        value[left], residual[left], iterations[left] = now[done], relative[done], step
        rows, stays = rows[keep], ~leaving
        if not len(rows):
            break
        if len(left):
            is_busy, systems = is_busy.masked_scatter(is_busy, stays), systems.select(keep)
            b, x, r, z, dual = b[stays], x[stays], r[stays], z[stays], dual[stays]
            directions = [(*(t[stays] for t in d[:-1]), d[-1][keep]) for d in directions]
    return Flow(result, value, residual, iterations)


def _relative(error: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """The root of the relative error, at most 1."""
    return torch.where(value > 0, (error.abs() / value.clamp_min(1e-300)).sqrt(), 1.0).clamp_max(1)
