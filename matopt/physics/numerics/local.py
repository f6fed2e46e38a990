"""Runs what is told of binary samples beside their values: voxel by voxel, or change by change."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from matopt.errors import InputError
from matopt.physics.base import Sensitivity, Solution
from matopt.physics.numerics.batching import CACHE_BYTES, check_density, joined

VOXELS_TOGETHER = {"cpu": 2**16, "cuda": 2**22}
"""How many voxels of patches are solved for at once."""


def check_binary(density: torch.Tensor) -> None:
    """Refuse anything but ``(N, 1, *S)`` floating zeros and ones.

    Raises:
        InputError: a grey voxel.
        ValueError: as :func:`check_density`.
    """
    check_density(density)
    if not bool(((density == 0) | (density == 1)).all()):
        raise InputError("flips and changes are those of binary samples; round the densities to 0 or 1")


def sensitivity(
    density: torch.Tensor, vectors: int, tell: Callable[[torch.Tensor], Sensitivity], cache: int = CACHE_BYTES
) -> Sensitivity:
    """Tell the sensitivities of a batch, a few samples at a time, as many as the cache holds.

    Args:
        density: ``(N, 1, *S)``.
        vectors: how many numbers a voxel ``tell`` holds.
        tell: of ``(n, 1, *S)``.
        cache: bytes of the working set on a CPU.
    """
    check_binary(density)
    if not len(density):
        return _of_none(sensitivity(density.new_ones(1, *density.shape[1:]), vectors, tell, cache))
    with torch.no_grad():
        parts = [tell(chunk) for chunk in chunks(density.detach(), vectors, cache)]
    solution = joined([part.solution for part in parts])
    is_ok = torch.from_numpy(solution.is_ok).to(density.device).view(-1, *[1] * (density.ndim - 1))
    derivative, flip = (torch.cat(each) for each in ([p.derivative for p in parts], [p.flip for p in parts]))
    return Sensitivity(solution, torch.where(is_ok, derivative, 0.0), torch.where(is_ok, flip, 0.0))


def estimated_changes(
    density: torch.Tensor,
    moved: torch.Tensor,
    sample: torch.Tensor,
    vectors: int,
    tell: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[Solution, torch.Tensor]],
    cache: int = CACHE_BYTES,
) -> torch.Tensor:
    """Estimate changes, a few samples at a time.

    Args:
        density: ``(N, 1, *S)``.
        moved: ``(M, 1, *S)``.
        sample: ``(M,)`` int64.
        vectors: how many numbers a voxel ``tell`` holds.
        tell: the solution of ``(n, 1, *S)``, and the changes ``(m,)`` of ``(m, 1, *S)``, given with the index of each
            one's sample.
        cache: bytes of the working set on a CPU.
    """
    check_binary(density)
    check_binary(moved)
    if moved.shape[1:] != density.shape[1:] or sample.shape != (len(moved),):
        raise ValueError(
            f"moved and sample must have shapes (M, {', '.join(map(str, density.shape[1:]))}) and (M,); "
            f"got {tuple(moved.shape)} and {tuple(sample.shape)}"
        )
    out = moved.new_zeros(len(moved))
    first = 0
    with torch.no_grad():
        for chunk in chunks(density.detach(), vectors, cache):
            rows = ((sample >= first) & (sample < first + len(chunk))).nonzero()[:, 0]
            if len(rows):
                solution, changes = tell(chunk, moved.detach()[rows], sample[rows] - first)
                is_ok = torch.from_numpy(solution.is_ok).to(density.device)
                out[rows] = torch.where(is_ok[sample[rows] - first], changes.to(out), 0.0)
            first += len(chunk)
    return out


def _of_none(told: Sensitivity) -> Sensitivity:
    """The sensitivities of no samples, in the shapes of those of some."""
    of = told.solution
    solution = Solution(of.values[:0], of.tensor[:0], of.status[:0], of.residual[:0], of.iterations[:0])
    return Sensitivity(solution, told.derivative[:0], told.flip[:0])


def chunks(density: torch.Tensor, vectors: int, cache: int = CACHE_BYTES) -> Iterator[torch.Tensor]:
    """Cut a batch into as many samples as are quick, and fit, together; an empty one into none."""
    if not len(density):
        return
    budget = torch.cuda.mem_get_info(density.device)[0] // 2 if density.is_cuda else cache
    yield from density.split(max(1, budget // max(1, density[:1].numel() * density.element_size() * vectors)))
