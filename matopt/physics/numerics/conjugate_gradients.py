"""Preconditioned Krylov solvers on a batch of systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

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


class Vectors(Protocol):
    """The vectors of conjugate gradients: x, the residual r, the direction p, and what goes with them."""

    x: torch.Tensor

    def precondition(self) -> torch.Tensor:
        """``z = M r``; ``(B,)`` float64, r.z."""
        ...

    def update_direction(self, beta: torch.Tensor) -> torch.Tensor:
        """``p = z + beta p``; ``(B,)`` float64, p.A p. At first beta is 0."""
        ...

    def update_solution(self, alpha: torch.Tensor) -> torch.Tensor:
        """``x += alpha p`` and ``r -= alpha A p``; ``(B,)`` float64, r.r."""
        ...

    def select(self, rows: torch.Tensor) -> Vectors:
        """The vectors of these rows (indices)."""
        ...


class TensorVectors:
    """Vectors for any systems, by operations on tensors; z and A p are held while they are needed.

    Attributes:
        systems: A and M.
        x: ``(B, ...)``.
        r: ``(B, ...)``.
        p: ``(B, ...)``.
    """

    def __init__(self, systems: Systems, x: torch.Tensor, r: torch.Tensor, p: torch.Tensor | None = None) -> None:
        self.systems, self.x, self.r = systems, x, r
        self.p = torch.zeros_like(r) if p is None else p

    def precondition(self) -> torch.Tensor:
        """``z = M r``; ``(B,)`` float64, r.z."""
        self.z = self.systems.precondition(self.r)
        return dot(self.r, self.z)

    def update_direction(self, beta: torch.Tensor) -> torch.Tensor:
        """``p = z + beta p``; ``(B,)`` float64, p.A p."""
        self.p.mul_(_column(beta, self.p)).add_(self.z)
        del self.z
        self.image = self.systems.apply(self.p)
        return dot(self.p, self.image)

    def update_solution(self, alpha: torch.Tensor) -> torch.Tensor:
        """``x += alpha p`` and ``r -= alpha A p``; ``(B,)`` float64, r.r."""
        step = _column(alpha, self.x)
        self.x.addcmul_(step, self.p)
        self.r.addcmul_(step, self.image, value=-1)
        del self.image
        return dot(self.r, self.r)

    def select(self, rows: torch.Tensor) -> TensorVectors:
        """The vectors of these rows (indices)."""
        return TensorVectors(self.systems.select(rows), self.x[rows], self.r[rows], self.p[rows])


def conjugate_gradients(
    systems: Systems,
    rhs: torch.Tensor,
    tolerance: float,
    max_iterations: int,
    out: torch.Tensor | None = None,
    vectors: Callable[[Any, torch.Tensor, torch.Tensor], Vectors] = TensorVectors,
) -> Solved:
    """Solve ``A x = b`` from ``x = 0`` until ``|r| <= tolerance |b|``, each row by itself.

    Rows that are done leave the batch. Dot products are accumulated in float64. A singular system is solved where its
    right-hand side is in the range.

    Args:
        systems: the operators, positive semidefinite, and their preconditioners.
        rhs: ``(B, ...)``, sums of terms of the order of 1; overwritten. Where its root mean square is nothing but their
            rounding, as in homogeneous samples, it is taken as zero.
        tolerance: of the relative residual.
        max_iterations: a row that is not done by then keeps its last iterate and residual.
        out: ``(B, ...)`` where the solution is to go.
        vectors: made from systems, x and r, which they may overwrite.

    Raises:
        InputError: the precision of ``rhs`` cannot reach ``tolerance``.
    """
    check_tolerance(rhs, tolerance)
    batch = len(rhs)
    norm = dot(rhs, rhs).sqrt()
    size = max(rhs[0].numel(), 1) if batch else 1
    busy = norm > 16 * torch.finfo(rhs.dtype).eps * size**0.5
    residual = torch.where(busy, 1.0, 0.0).to(norm)
    iterations = torch.zeros(batch, dtype=torch.int64, device=rhs.device)
    result = torch.zeros_like(rhs) if out is None else out.zero_()

    rows = busy.nonzero()[:, 0]
    if not len(rows):
        return Solved(result, residual, iterations)
    if len(rows) < batch:
        at = vectors(systems.select(rows), torch.zeros_like(rhs[rows]), rhs[rows])
        norm = norm[rows]
    else:
        at = vectors(systems, result, rhs)
    del rhs
    rz = at.precondition()
    beta = torch.zeros_like(rz)
    for step in range(1, max_iterations + 1):
        # p.A p is 0 only where r is (rounding); the row then stays as it is.
        alpha = _ratio(rz, at.update_direction(beta))
        relative = at.update_solution(alpha).sqrt() / norm
        done = (relative <= tolerance) | (alpha == 0)
        if step == max_iterations:
            done = torch.ones_like(done)
        if done.any():
            left = rows[done]
            residual[left], iterations[left] = relative[done], step
            if len(left) == batch:
                break  # x is the result.
            result[left] = at.x[done]
            keep = (~done).nonzero()[:, 0]
            rows, norm, rz = rows[keep], norm[keep], rz[keep]
            if not len(rows):
                break
            at = at.select(keep)
        new = at.precondition()
        rz, beta = new, _ratio(new, rz)
    return Solved(result, residual, iterations)


def check_tolerance(rhs: torch.Tensor, tolerance: float) -> None:
    """Refuse a tolerance that the precision of ``rhs`` cannot reach.

    Raises:
        InputError: it cannot.
    """
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
    return torch.where(denominator > 0, numerator / denominator, 0.0)


def _column(scalars: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return scalars.to(like.dtype).view(-1, *[1] * (like.ndim - 1))
