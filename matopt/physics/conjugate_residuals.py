"""Generalised conjugate residuals on a batch of systems of flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.errors import InputError
from matopt.physics.flow_system import FlowSystem
from matopt.physics.krylov import SMALLEST_TOLERANCE

MOST_DIRECTIONS = 10
"""Directions that are kept; the oldest are dropped. Nearly symmetric systems hardly need any but the last."""


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

    GCR: Eisenstat, Elman, Schultz, SIAM J. Numer. Anal. 20 (1983) 345, truncated. The error of the value is the
    residual's square in the norm of the inverse, which the preconditioner stands for.

    Args:
        systems: of flow.
        rhs: flat.
        tolerance: of the residual.
        max_iterations: a sample that is not done by then keeps its last iterate and residual.

    Raises:
        InputError: the precision of ``rhs`` cannot reach ``tolerance``.
    """
    if tolerance < SMALLEST_TOLERANCE[rhs.dtype]:
        raise InputError(
            f"a tolerance of {tolerance:g} is below what {rhs.dtype} resolves ({SMALLEST_TOLERANCE[rhs.dtype]:g}); "
            "use a larger tolerance or double precision"
        )
    result = torch.zeros_like(rhs)
    has_force = systems.dot(rhs, rhs) > 0
    rows, value, residual = has_force.nonzero()[:, 0], torch.zeros_like(has_force, dtype=torch.float64), has_force.double()
    iterations = torch.zeros(systems.batch, dtype=torch.int64, device=rhs.device)
    if not len(rows):
        return Flow(result, value, residual, iterations)
    places = torch.arange(len(rhs), device=rhs.device)
    if len(rows) < systems.batch:
        places, systems = places[systems.unknowns(has_force)], systems.select(has_force)
    b = rhs[places]
    x, r = torch.zeros_like(b), b.clone()
    directions: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for step in range(max_iterations + 1):
        z, error = systems.precondition(r)
        now = systems.dot(b, x) + systems.dot(r, x)
        relative = torch.where(now > 0, (error.abs() / now.clamp_min(1e-300)).sqrt(), 1.0).clamp_max(1)
        done = (relative <= tolerance) | (error == 0)
        if step == max_iterations:
            done = torch.ones_like(done)
        if done.any():
            left, leaving, keep = rows[done], systems.unknowns(done), ~done
            result[places[leaving]] = x[leaving]
            value[left], residual[left], iterations[left] = now[done], relative[done], step
            rows, stays = rows[keep], ~leaving
            if not len(rows):
                break
            places, systems = places[stays], systems.select(keep)
            b, x, r, z = b[stays], x[stays], r[stays], z[stays]
            directions = [(d[stays], q[stays], s[keep]) for d, q, s in directions]
        q = systems.apply(z)
        for d, image, square in directions:
            share = systems.spread(-systems.dot(q, image * systems.weight) / square, q)
            q.addcmul_(share, image)
            z.addcmul_(share, d)
        heavy = q * systems.weight
        square = systems.dot(q, heavy).clamp_min(1e-300)
        step_length = systems.spread(systems.dot(r, heavy) / square, q)
        x.addcmul_(step_length, z)
        # Not by recursion, which in single precision forgets what x really leaves.
        r = b - systems.apply(x)
        directions = [*directions[1 - MOST_DIRECTIONS :], (z, q, square)]
    return Flow(result, value, residual, iterations)
