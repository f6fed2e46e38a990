"""The preconditioner of elasticity: the homogeneous grain, solved wave by wave in Fourier space."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch

from matopt.physics.elastic import element


@lru_cache(maxsize=4)
def inverse_symbol(
    shape: tuple[int, ...], poisson_ratio: float, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Invert the Fourier symbol of the grain's stencil, real and symmetric ``d x d`` matrices, wave by wave.

    It is the symbol of the finite-element stencil itself, of unit Young's modulus. Translations, all that the grain
    does not resist, come back as 0. It is divided by the number of waves, for transforms that leave this to it.
    The result is cached: do not edit it.

    Returns:
        ``(d (d + 1) / 2, S[0] // 2 + 1, ..., S[-1])``, the upper triangle row by row. The other half of the waves along
        each axis but the last are mirror images: a component along that axis has the opposite sign there.
    """
    dimensions = len(shape)
    corners = element.corners(dimensions)
    parts = element.corner_stiffness(poisson_ratio, dimensions).view(len(corners), dimensions, len(corners), dimensions)
    # The stencil reaches one node in each direction: nodes 0, 1 and -1.
    waves = torch.zeros(dimensions, dimensions, *[3] * dimensions, dtype=torch.complex128)
    for (a, here), (b, there) in itertools.product(enumerate(corners), repeat=2):
        waves[(slice(None), slice(None), *[(v - u) % 3 for u, v in zip(here, there, strict=True)])] += parts[a, :, b]
    for axis in range(dimensions - 1, 0, -1):
        phases = _phases(shape[axis])[: shape[axis] // 2 + 1 if axis < dimensions - 1 else None]
        waves = torch.tensordot(waves, phases, dims=([2 + axis], [1])).movedim(-1, 2 + axis)
    upper = torch.triu_indices(dimensions, dimensions)
    first = _phases(shape[0])[: shape[0] // 2 + 1]
    out = torch.empty(upper.shape[1], len(first), *waves.shape[3:], dtype=dtype, device=device)
    for i, phase in enumerate(first):  # layer by layer, as double precision takes much memory
        symbol = torch.tensordot(waves, phase, dims=([2], [0])).real.movedim((0, 1), (-2, -1)).contiguous()
        at_rest = (0,) * (dimensions - 1)
        if i == 0:
            symbol[at_rest] = torch.eye(dimensions, dtype=torch.float32)
        layer = torch.linalg.inv(symbol)
        if i == 0:
            layer[at_rest] = 0
        out[:, i] = (layer[..., upper[0], upper[1]] / math.prod(shape)).movedim(-1, 0).to(device, dtype)
    return out


def unfolded(symbol: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Add the mirror images of a symbol along all axes but the first: ``(d (d + 1) / 2, S[0] // 2 + 1, *S[1:])``."""
    if len(shape) == 2:
        return symbol
    signs = torch.tensor([1, -1, 1, 1, -1, 1]).to(symbol).view(-1, 1, 1, 1)
    return torch.cat([symbol, signs * symbol[:, :, 1 : (shape[1] + 1) // 2].flip(2)], 2)


def _phases(n: int) -> torch.Tensor:
    """The phases ``(n, 3)`` of the n waves along an axis at the nodes 0, 1 and -1."""
    angle = -2 * math.pi / n * torch.arange(n, dtype=torch.float64)[:, None]
    return torch.exp(1j * angle * torch.tensor([0.0, 1.0, -1.0], dtype=torch.float64))
