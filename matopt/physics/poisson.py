"""Exact inverses of the unit-coefficient Laplacian on a grid, by fast or dense transforms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import torch


class Inverse(Protocol):
    """Solves ``-laplace x = r`` on cells ``(B, *S)``; a constant that the operator does not see comes back as 0."""

    def __call__(self, r: torch.Tensor) -> torch.Tensor:
        """The solution."""
        ...


@dataclass(frozen=True, eq=False)
class PeriodicInverse:
    """On a periodic grid, by Fourier transforms."""

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


@dataclass(frozen=True, eq=False)
class WalledInverse:
    """Between a zero value half a voxel outside both ends of axis 0 and no flux through the sides.

    The eigenvectors are sines along axis 0 (DST-II) and cosines along the others (DCT-II); one axis at a time they are
    dense products, which beat fast transforms at these sizes.
    """

    transforms: tuple[torch.Tensor, ...]
    symbol: torch.Tensor

    @staticmethod
    def of(like: torch.Tensor) -> WalledInverse:
        """For tensors ``(B, *S)`` as this one."""
        shape = tuple(like.shape[1:])
        waves, transforms = [], []
        for axis, n in enumerate(shape):
            cell = torch.arange(n, dtype=torch.float64) + 0.5
            mode = torch.arange(n, dtype=torch.float64) + (1 if axis == 0 else 0)
            angle = math.pi / n * mode[:, None] * cell
            basis = angle.sin() if axis == 0 else angle.cos()
            transforms.append((basis / basis.norm(dim=1, keepdim=True)).to(like))
            waves.append(_eigenvalues(mode / n))
        return WalledInverse(tuple(transforms), _reciprocal(_outer_sum(waves)).to(like))

    def __call__(self, r: torch.Tensor) -> torch.Tensor:
        """The solution."""
        for axis, basis in enumerate(self.transforms, start=1):
            r = _along(basis, r, axis)
        r = r * self.symbol
        for axis, basis in enumerate(self.transforms, start=1):
            r = _along(basis.T, r, axis)
        return r


def _along(matrix: torch.Tensor, x: torch.Tensor, axis: int) -> torch.Tensor:
    """The matrix applied to each line of ``x`` along ``axis``."""
    if axis == x.ndim - 1:
        return x @ matrix.T
    return (matrix @ x.flatten(axis + 1)).view(x.shape) if axis + 2 < x.ndim else matrix @ x


def _eigenvalues(wave: torch.Tensor) -> torch.Tensor:
    """Of the second difference; ``wave`` is the angle over pi."""
    return 2 - 2 * torch.cos(math.pi * wave)


def _outer_sum(waves: list[torch.Tensor]) -> torch.Tensor:
    return reduce(lambda total, wave: total[..., None] + wave, waves)


def _reciprocal(symbol: torch.Tensor) -> torch.Tensor:
    return torch.where(symbol > 1e-12, 1 / symbol.clamp_min(1e-300), 0.0)
