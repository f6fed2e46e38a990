"""Preconditioned Krylov solvers on a batch of systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from matopt.errors import InputError

SMALLEST_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}
"""Rounding hides smaller relative residuals."""


class Systems(Protocol):
    """B symmetric systems, one a row of ``(B, ...)`` tensors."""

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """The operators times ``x``."""
        ...

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Approximate inverses times ``residual``; symmetric positive semidefinite."""
        ...

    def select(self, rows: torch.Tensor) -> Systems:
        """The systems of these rows (indices)."""
        ...


@dataclass(frozen=True, eq=False)
class Solved:
    """What the iterations reached.

    Attributes:
        x: ``(B, ...)``.
        residual: ``(B,)`` float64, ``|r| / |b|``; 0 where b is 0.
        iterations: ``(B,)`` int64.
    """

    x: torch.Tensor
    residual: torch.Tensor
    iterations: torch.Tensor


def conjugate_gradients(
    systems: Systems,
    rhs: torch.Tensor,
    tolerance: float,
    max_iterations: int,
    scale: float = 1.0,
    out: torch.Tensor | None = None,
) -> Solved:
    """Solve ``A x = b`` from ``x = 0`` until ``|r| <= tolerance |b|``, each row by itself.

    Rows that are done leave the batch. Dot products are accumulated in float64. A singular system is solved where its
    right-hand side is in the range.

    Args:
        systems: the operators, positive semidefinite, and their preconditioners.
        rhs: ``(B, ...)``; overwritten.
        tolerance: of the relative residual.
        max_iterations: a row that is not done by then keeps its last iterate and residual.
        scale: of the terms that the right-hand side is a sum of; where its root mean square is nothing but their
            rounding, as in homogeneous samples, it is taken as zero.
        out: ``(B, ...)`` where the solution is to go.

    Raises:
        InputError: the precision of ``rhs`` cannot reach ``tolerance``.
    """
    _check_tolerance(rhs, tolerance)
    batch = len(rhs)
    norm = dot(rhs, rhs).sqrt()
    size = max(rhs[0].numel(), 1) if batch else 1
    busy = norm > 16 * torch.finfo(rhs.dtype).eps * scale * size**0.5
    residual = torch.where(busy, 1.0, 0.0).to(norm)
    iterations = torch.zeros(batch, dtype=torch.int64, device=rhs.device)
    result = torch.zeros_like(rhs) if out is None else out.zero_()

    rows = busy.nonzero()[:, 0]
    if not len(rows):
        return Solved(result, residual, iterations)
    if len(rows) < batch:
        systems, norm, rhs = systems.select(rows), norm[rows], rhs[rows]
    r, x = rhs, result if len(rows) == batch else torch.zeros_like(rhs)
    z = systems.precondition(r)
    p = z.clone()
    rz = dot(r, z)
    del z
    for step in range(1, max_iterations + 1):
        q = systems.apply(p)
        # p.q is 0 only where r is (rounding); the row then stays as it is.
        alpha = _ratio(rz, dot(p, q))
        x.addcmul_(_column(alpha, p), p)
        r.addcmul_(_column(alpha, p), q, value=-1)
        del q
        relative = dot(r, r).sqrt() / norm
        done = (relative <= tolerance) | (alpha == 0)
        if step == max_iterations:
            done = torch.ones_like(done)
        if done.any():
            left = rows[done]
            residual[left], iterations[left] = relative[done], step
            if len(left) == batch:
                break  # x is the result.
            result[left] = x[done]
            keep = (~done).nonzero()[:, 0]
            rows, norm, rz = rows[keep], norm[keep], rz[keep]
            x, r, p = x[keep], r[keep], p[keep]
            if not len(rows):
                break
            systems = systems.select(keep)
        z = systems.precondition(r)
        new = dot(r, z)
        p.mul_(_column(_ratio(new, rz), p)).add_(z)
        rz = new
        del z
    return Solved(result, residual, iterations)


def minimal_residuals(
    systems: Systems, rhs: torch.Tensor, tolerance: float | torch.Tensor, max_iterations: int
) -> Solved:
    """Solve symmetric indefinite systems from ``x = 0``, each row by itself.

    Preconditioned MINRES: Elman, Silvester, Wathen, Finite Elements and Fast Iterative Solvers (2014), algorithm 4.1.
    The residual is measured in the norm of the preconditioner. Rows that are done leave the batch.

    Args:
        systems: the operators, symmetric, and their preconditioners, positive semidefinite.
        rhs: ``(B, ...)``.
        tolerance: of the relative residual, for all rows or ``(B,)``.
        max_iterations: a row that is not done by then keeps its last iterate and residual.

    Raises:
        InputError: the precision of ``rhs`` cannot reach ``tolerance``.
    """
    limit = torch.as_tensor(tolerance, dtype=torch.float64, device=rhs.device).expand(len(rhs))
    if len(rhs):
        _check_tolerance(rhs, float(limit.min()))
    result = torch.zeros_like(rhs)
    z = systems.precondition(rhs)
    gamma = dot(rhs, z).clamp_min(0).sqrt()
    residual = (gamma > 0).to(gamma)
    iterations = torch.zeros(len(rhs), dtype=torch.int64, device=rhs.device)
    rows = (gamma > 0).nonzero()[:, 0]
    if not len(rows):
        return Solved(result, residual, iterations)
    systems = systems.select(rows)
    v, z, gamma = rhs[rows], z[rows], gamma[rows]
    v_old, x, w, w_old = (torch.zeros_like(v) for _ in range(4))
    first, eta, gamma_old = gamma.clone(), gamma.clone(), torch.ones_like(gamma)
    c = c_old = torch.ones_like(gamma)
    s = s_old = torch.zeros_like(gamma)
    for step in range(1, max_iterations + 1):
        z = z * _column(_ratio(torch.ones_like(gamma), gamma), z)
        q = systems.apply(z)
        delta = dot(q, z)
        q.addcmul_(_column(_ratio(delta, gamma), v), v, value=-1)
        q.addcmul_(_column(_ratio(gamma, gamma_old), v), v_old, value=-1)
        v_old, v = v, q
        z_new = systems.precondition(v)
        gamma_new = dot(v, z_new).clamp_min(0).sqrt()
        a0 = c * delta - c_old * s * gamma
        a1 = (a0.square() + gamma_new.square()).sqrt()
        a2 = s * delta + c_old * c * gamma
        a3 = s_old * gamma
        c_old, s_old = c, s
        c, s = _ratio(a0.abs(), a1) * a0.sign(), _ratio(gamma_new, a1)
        z.addcmul_(_column(a3, z), w_old, value=-1).addcmul_(_column(a2, z), w, value=-1)
        w_old, w = w, z.mul_(_column(_ratio(torch.ones_like(a1), a1), z))
        x.addcmul_(_column(c * eta, x), w)
        eta = -s * eta
        relative = eta.abs() / first
        z, gamma_old, gamma = z_new, gamma, gamma_new
        done = (relative <= limit[rows]) | (a1 == 0)
        if step == max_iterations:
            done = torch.ones_like(done)
        if done.any():
            left = rows[done]
            result[left], residual[left], iterations[left] = x[done], relative[done], step
            keep = (~done).nonzero()[:, 0]
            rows = rows[keep]
            if not len(rows):
                break
            systems = systems.select(keep)
            v, v_old, x, w, w_old, z = (t[keep] for t in (v, v_old, x, w, w_old, z))
            first, eta, gamma, gamma_old, c, c_old, s, s_old = (
                t[keep] for t in (first, eta, gamma, gamma_old, c, c_old, s, s_old)
            )
    return Solved(result, residual, iterations)


def _check_tolerance(rhs: torch.Tensor, tolerance: float) -> None:
    smallest = SMALLEST_TOLERANCE[rhs.dtype]
    if tolerance < smallest:
        raise InputError(
            f"a tolerance of {tolerance:g} is below what {rhs.dtype} resolves ({smallest:g}); "
            "use a larger tolerance or double precision"
        )


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``(B,)`` float64 dot products of rows; only the later axes of grids are summed in the precision of the rows."""
    if a.ndim == 2:
        return (a * b).sum(1, dtype=torch.float64)
    return torch.linalg.vecdot(a.flatten(2), b.flatten(2)).sum(1, dtype=torch.float64)


def _ratio(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    return torch.where(denominator > 0, numerator / denominator.clamp_min(1e-300), 0.0)


def _column(scalars: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return scalars.to(like.dtype).view(-1, *[1] * (like.ndim - 1))
