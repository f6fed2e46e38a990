"""Preconditioned conjugate gradients on a batch of systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from matopt.physics.numerics.systems import Systems, check_tolerance

CANCELLED = 10.0
"""How much larger b.x may be than what it leaves of an energy. Beyond, the residual counts for more in proportion:
where half as much is left, the softest modes, in which errors stay longest, are about half as stiff."""

UNRESOLVED = 2.0**16
"""Rounding errors of an energy, of which no less may be left: a matrix of rounded numbers says nothing about it."""


class RowSystems(Systems, Protocol):
    """Positive semidefinite systems with preconditioners, one a row of ``(B, ...)`` tensors."""

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Apply approximate inverses, symmetric positive semidefinite, to ``residual``."""
        ...


@dataclass(frozen=True, eq=False)
class ConjugateGradientsResult:
    """The solution, and how well it solves each row; one has converged where its residual is at most the tolerance.

    Attributes:
        x: ``(B, ...)``.
        residual: ``(B,)`` float64, ``|r| / |b|``, larger where little is left of an energy; 0 where b is 0.
        iterations: ``(B,)`` int64; fewer than were allowed in a row that has not converged but broken down.
    """

    x: torch.Tensor
    residual: torch.Tensor
    iterations: torch.Tensor


class Vectors(Protocol):
    """The vectors of conjugate gradients: the solution x, the residual r, the direction p, and how they are updated."""

    x: torch.Tensor

    def precondition(self) -> torch.Tensor:
        """Compute ``z = M r``; returns r.z, ``(B,)`` float64."""
        ...

    def update_direction(self, beta: torch.Tensor) -> torch.Tensor:
        """Compute ``p = z + beta p``; returns p.A p, ``(B,)`` float64. At first beta is 0."""
        ...

    def update_solution(self, alpha: torch.Tensor) -> torch.Tensor:
        """Add ``alpha p`` to x and ``-alpha A p`` to r; returns r.r, ``(B,)`` float64."""
        ...

    def select(self, rows: torch.Tensor) -> Vectors:
        """Keep the vectors of some rows (indices)."""
        ...


class TensorVectors:
    """Vectors of any systems, by operations on tensors; z and A p live as long as they are needed.

    Attributes:
        systems: A and M.
        x: ``(B, ...)``.
        r: ``(B, ...)``.
        p: ``(B, ...)``.
    """

    def __init__(self, systems: RowSystems, x: torch.Tensor, r: torch.Tensor, p: torch.Tensor | None = None) -> None:
        self.systems, self.x, self.r = systems, x, r
        self.p = torch.zeros_like(r) if p is None else p

    def precondition(self) -> torch.Tensor:
        """Compute ``z = M r``; returns r.z, ``(B,)`` float64."""
        self.z = self.systems.precondition(self.r)
        return dot(self.r, self.z)

    def update_direction(self, beta: torch.Tensor) -> torch.Tensor:
        """Compute ``p = z + beta p``; returns p.A p, ``(B,)`` float64."""
        self.p.mul_(_column(beta, self.p)).add_(self.z)
        del self.z
        self.image = self.systems.apply(self.p)
        return dot(self.p, self.image)

    def update_solution(self, alpha: torch.Tensor) -> torch.Tensor:
        """Add ``alpha p`` to x and ``-alpha A p`` to r; returns r.r, ``(B,)`` float64."""
        step = _column(alpha, self.x)
        self.x.addcmul_(step, self.p)
        self.r.addcmul_(step, self.image, value=-1)
        del self.image
        return dot(self.r, self.r)

    def select(self, rows: torch.Tensor) -> TensorVectors:
        """Keep the vectors of some rows (indices)."""
        return TensorVectors(self.systems.select(rows), self.x[rows], self.r[rows], self.p[rows])


def conjugate_gradients(
    systems: RowSystems,
    rhs: torch.Tensor,
    tolerance: float,
    max_iterations: int,
    out: torch.Tensor | None = None,
    vectors: Callable[[Any, torch.Tensor, torch.Tensor], Vectors] = TensorVectors,
    energy: torch.Tensor | None = None,
) -> ConjugateGradientsResult:
    """Solve ``A x = b`` from ``x = 0`` until the residual is at most ``tolerance``, each row by itself.

    Hestenes and Stiefel, J. Res. Nat. Bur. Stand. 49 (1952) 409. Rows that are done leave the batch, and so do rows in
    which the method breaks down: rounding has made ``p.A p`` or ``r.z`` other than positive, or hides what is left
    of the energy. Dot products are accumulated in float64. A singular system is solved where its right-hand side is in
    the range.

    Args:
        systems: the operators, positive semidefinite, and their preconditioners.
        rhs: ``(B, ...)``, sums of terms of the order of 1; overwritten. Where its root mean square is nothing but their
            rounding, as in homogeneous samples, it is taken as zero.
        tolerance: of the residual.
        max_iterations: a row that is not done by then keeps its last iterate and residual.
        out: ``(B, ...)`` where the solution is to go.
        vectors: made from systems, x and r, which they may overwrite.
        energy: ``(B,)`` float64, where ``energy - b.x`` is what is wanted, else infinite. The less of it is left, the
            larger is the error of b.x beside it, and the residual counts for more; see :data:`CANCELLED`.

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
        return ConjugateGradientsResult(result, residual, iterations)
    if len(rows) < batch:
        at = vectors(systems.select(rows), torch.zeros_like(rhs[rows]), rhs[rows])
        norm = norm[rows]
    else:
        at = vectors(systems, result, rhs)
    del rhs
    rz = at.precondition()
    beta, gained = torch.zeros_like(rz), torch.zeros_like(rz)
    unresolved = UNRESOLVED * torch.finfo(result.dtype).eps
    energy = torch.full_like(rz, torch.inf) if energy is None else energy[rows]
    for step in range(1, max_iterations + 1):
        alpha = _ratio(rz, at.update_direction(beta))
        relative = at.update_solution(alpha).sqrt() / norm
        gained.addcmul_(alpha, rz)
        breaks_down = alpha <= 0
        if (breaks_down | (relative <= tolerance)).any() or step == max_iterations:
            left_over = energy - gained
            is_hidden = left_over < unresolved * energy
            relative = torch.where(is_hidden, 1.0, relative * (gained / left_over / CANCELLED).clamp_min(1))
            leaves = (relative <= tolerance) | breaks_down | is_hidden | (step == max_iterations)
            left = rows[leaves]
            residual[left], iterations[left] = relative[leaves], step
            if len(left) == batch:
                break  # x is the result.
            result[left] = at.x[leaves]
            keep = (~leaves).nonzero()[:, 0]
            rows, norm, rz = rows[keep], norm[keep], rz[keep]
            gained, energy = gained[keep], energy[keep]
            if not len(rows):
                break
            if len(left):
                at = at.select(keep)
        new = at.precondition()
        rz, beta = new, _ratio(new, rz)
    return ConjugateGradientsResult(result, residual, iterations)


def dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Compute the dot products of rows, ``(B,)`` float64; the later axes of grids are summed in their precision."""
    if a.ndim == 2:
        return (a * b).sum(1, dtype=torch.float64)
    return torch.linalg.vecdot(a.flatten(2), b.flatten(2)).sum(1, dtype=torch.float64)


def _ratio(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    return torch.where(denominator > 0, numerator / denominator, 0.0)


def _column(scalars: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return scalars.to(like.dtype).view(-1, *[1] * (like.ndim - 1))
