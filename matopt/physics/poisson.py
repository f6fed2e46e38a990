"""The exact inverse of the unit-coefficient Laplacian on a periodic grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import torch


@dataclass(frozen=True, eq=False)
class PeriodicInverse:
    """Solves ``-laplace x = r`` on cells ``(B, *S)`` by Fourier transforms; the constant comes back as 0."""

    shape: tuple[int, ...]
    symbol: torch.Tensor

    @staticmethod
    def of(like: torch.Tensor) -> PeriodicInverse:
        """For tensors ``(B, *S)`` as this one."""
        shape = tuple(like.shape[1:])
        waves = [_eigenvalues(2 * torch.arange(n, dtype=torch.float64) / n) for n in shape]
        waves[-1] = waves[-1][: shape[-1] // 2 + 1]
        return PeriodicInverse(shape, _reciprocal(_outer_sum(waves)).to(like))

    def __call__(self, r: torch.Tensor) -> torch.Tensor:
        """The solution."""
        axes = tuple(range(1, r.ndim))
        return torch.fft.irfftn(torch.fft.rfftn(r, dim=axes) * self.symbol, s=self.shape, dim=axes)


def _eigenvalues(wave: torch.Tensor) -> torch.Tensor:
    """Of the second difference; ``wave`` is the angle over pi."""
    return 2 - 2 * torch.cos(math.pi * wave)


def _outer_sum(waves: list[torch.Tensor]) -> torch.Tensor:
    return reduce(lambda total, wave: total[..., None] + wave, waves)


def _reciprocal(symbol: torch.Tensor) -> torch.Tensor:
    return torch.where(symbol > 1e-12, 1 / symbol.clamp_min(1e-300), 0.0)
