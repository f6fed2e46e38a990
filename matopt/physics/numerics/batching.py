"""Cuts batches to fit the machine's memory and cache, and joins their solutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from matopt.errors import FailureError
from matopt.physics.base import Solution
from matopt.physics.numerics.systems import SMALLEST_TOLERANCE
from matopt.properties import NON_PERCOLATING, NOT_CONVERGED, OK

CACHE_BYTES = 2**23
"""Working set at which solvers on a CPU are quickest: they are bound by memory traffic once it leaves the cache."""

TRUSTED_TOLERANCE = 1e-4
"""Smaller ones single precision may reach or only seem to, as the processor rounds: then it is double that is taken."""

OUT_OF_MEMORY = (
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUFFT_ALLOC_FAILED",
    "CUSPARSE_STATUS_ALLOC_FAILED",
)


def check_density(density: torch.Tensor) -> None:
    """Refuse anything but ``(N, 1, *S)`` floating solid fractions.

    Raises:
        ValueError: another shape or dtype, or a value that is not in [0, 1].
    """
    if density.ndim not in (4, 5) or density.shape[1] != 1 or 0 in density.shape[2:]:
        raise ValueError(f"density must have shape (N, 1, *S), S of 2 or 3 axes; got {tuple(density.shape)}")
    if density.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"density must be float32 or float64; got {density.dtype}")
    # A comparison with NaN is False, so that NaN is refused too.
    if not bool(((density >= 0) & (density <= 1)).all()):
        raise ValueError("density must be finite and in [0, 1]")


def check_voxel_size(voxel_size: float) -> None:
    """Refuse what is no length.

    Raises:
        ValueError: it is not positive and finite.
    """
    if not (math.isfinite(voxel_size) and voxel_size > 0):
        raise ValueError(f"voxel_size must be positive, in metres; got {voxel_size}")


def solve_in_chunks(
    density: torch.Tensor,
    vectors: int,
    solve: Callable[[torch.Tensor], Solution],
    tensor_shape: tuple[int, ...],
    tolerance: float,
    max_iterations: int,
    cache: int = CACHE_BYTES,
) -> Solution:
    """Solve a batch a few samples at a time, as many as fit; half as many whenever memory runs out.

    Samples that single precision does not resolve are solved again in double precision, and all of them at once where
    it cannot be trusted with the tolerance.

    Args:
        density: ``(N, 1, *S)``, checked.
        vectors: how many numbers a voxel ``solve`` holds.
        solve: solves ``(n, 1, *S)``.
        tensor_shape: of one sample's tensor, for an empty batch.
        tolerance: of the residual.
        max_iterations: a sample that has not converged in fewer has broken down.
        cache: bytes of the working set on a CPU.

    Raises:
        FailureError: memory runs out with a single sample.
    """
    is_single = density.dtype == torch.float32
    if is_single and SMALLEST_TOLERANCE[density.dtype] <= tolerance < TRUSTED_TOLERANCE:
        found = solve_in_chunks(density.double(), vectors, solve, tensor_shape, tolerance, max_iterations, cache)
        return replace(found, values=found.values.float(), tensor=found.tensor.float())
    sample = density[0].numel() * density.element_size() * vectors if len(density) else 1
    budget = torch.cuda.mem_get_info(density.device)[0] // 2 if density.is_cuda else cache
    parts = []
    step = min(max(1, budget // sample), max(1, len(density)))
    while (done := sum(len(p.values) for p in parts)) < len(density):
        # A slice of everything would have its gradient copied.
        chunk = density[done : done + step] if step < len(density) else density
        part = _solve_or_run_out(solve, chunk)
        if part is not None:
            broken = (part.status == NOT_CONVERGED) & (part.iterations > 0) & (part.iterations < max_iterations)
            rows = torch.from_numpy(np.flatnonzero(broken)).to(density.device)
            if len(rows) and is_single:
                again = chunk[rows].double()
                again = solve_in_chunks(again, vectors, solve, tensor_shape, tolerance, max_iterations, cache)
                part = _replaced(part, rows, again)
            parts.append(part)
        elif step > 1:
            # Other processes may hold memory too, so the first guess can be too high.
            step = (step + 1) // 2
        else:
            voxels = "x".join(map(str, density.shape[2:]))
            raise FailureError(
                f"not enough memory on {density.device} for one sample of {voxels} voxels; "
                "use a smaller window, single precision or another device"
            )
    if not parts:
        values = density.new_zeros(0)
        return Solution(
            values, density.new_zeros(0, *tensor_shape), np.zeros(0, "<U15"), np.zeros(0), np.zeros(0, np.int64)
        )
    return joined(parts)


def joined(parts: Sequence[Solution]) -> Solution:
    """Join the solutions of the parts of a batch; at least one."""
    return Solution(
        torch.cat([p.values for p in parts]),
        torch.cat([p.tensor for p in parts]),
        np.concatenate([p.status for p in parts]),
        np.concatenate([p.residual for p in parts]),
        np.concatenate([p.iterations for p in parts]),
    )


def _replaced(solution: Solution, rows: torch.Tensor, other: Solution) -> Solution:
    """The solution with that of some of its samples replaced; values and tensors keep their precision."""
    at = rows.cpu().numpy()
    status, residual, iterations = (a.copy() for a in (solution.status, solution.residual, solution.iterations))
    status[at], residual[at], iterations[at] = other.status, other.residual, other.iterations
    values = solution.values.index_copy(0, rows, other.values.to(solution.values.dtype))
    tensor = solution.tensor.index_copy(0, rows, other.tensor.to(solution.tensor.dtype))
    return Solution(values, tensor, status, residual, iterations)


def _solve_or_run_out(solve: Callable[[torch.Tensor], Solution], chunk: torch.Tensor) -> Solution | None:
    """The solution, or None where memory runs out; what the attempt held is free again on return."""
    try:
        return solve(chunk)
    except torch.OutOfMemoryError:
        pass
    except RuntimeError as error:
        # The CPU's allocator and the workspaces of CUDA's libraries have no exception of their own.
        if not any(sign in str(error) for sign in OUT_OF_MEMORY):
            raise
    if chunk.is_cuda:
        torch.cuda.empty_cache()
    return None


def statuses(carries: np.ndarray, residual: np.ndarray, tolerance: float) -> np.ndarray:
    """Judge each sample: its status ``(N,)``, out of :data:`matopt.properties.STATUSES`.

    Args:
        carries: ``(N,)`` bool, something carries along axis x.
        residual: ``(N,)`` the largest over load cases.
        tolerance: that the residual had to reach.
    """
    return np.where(~carries, NON_PERCOLATING, np.where(residual <= tolerance, OK, NOT_CONVERGED)).astype("<U15")
