"""The network of a local denoiser: a fully convolutional U-Net that sees about 60 voxels wide, in 2D and 3D alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from matopt.training.initial import draw_layer

MULTIPLE = 4
"""The network halves edges twice; others are padded with zeros on their far side."""

MEMORY_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}
"""In which convolutions are quickest and norms over channels run along memory, by the number of dimensions."""

FREQUENCIES = 8
"""Sines and cosines of the logarithm of the noise level that a network is given."""


class Convolution(nn.Module):
    """A convolution that keeps its input's edges, or halves them at stride 2; beyond the border are zeros.

    Args:
        dims: 2 or 3.
        inputs: channels.
        outputs: channels.
        stride: 1 or 2.
    """

    def __init__(self, dims: int, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        layer = (nn.Conv2d if dims == 2 else nn.Conv3d)(inputs, outputs, 3, stride)
        self.weight, self.bias, self.stride, self.dims = layer.weight, layer.bias, stride, dims
        self.weight.data = self.weight.data.contiguous(memory_format=MEMORY_FORMATS[dims])

    def draw(self, random: torch.Generator) -> None:
        """Draw initial parameters."""
        draw_layer(self.weight, self.bias, random)

    def forward(self, x: torch.Tensor, periodic: bool) -> torch.Tensor:
        """Map ``(N, inputs, *S)`` to ``(N, outputs, *S / stride)``; ``periodic`` joins opposite borders."""
        convolve = functional.conv2d if self.dims == 2 else functional.conv3d
        if periodic:
            return convolve(functional.pad(x, [1, 1] * self.dims, mode="circular"), self.weight, self.bias, self.stride)
        return convolve(x, self.weight, self.bias, self.stride, padding=1)


class ResidualBlock(nn.Module):
    """Two convolutions after layer norms, the first scaled and shifted by the noise level (FiLM, Perez et al. 2018).

    The norms are over channels, voxel by voxel: over space they would tell every voxel of the whole image.
    """

    STARTS_AT_ZERO = ("second.weight",)

    def __init__(self, dims: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.film = nn.Linear(embedding, 2 * channels)
        self.first = Convolution(dims, channels, channels)
        self.second = Convolution(dims, channels, channels)

    def forward(self, x: torch.Tensor, level: torch.Tensor, periodic: bool) -> torch.Tensor:
        """Map features ``(N, channels, *S)`` and embedded noise levels ``(N or 1, embedding)`` to features."""
        film = self.film(level)
        scale, shift = film.view(*film.shape, *[1] * (x.ndim - 2)).chunk(2, dim=1)
        hidden = self.first(functional.silu(torch.addcmul(shift, _normalised(x), scale + 1)), periodic)
        return x + self.second(functional.silu(_normalised(hidden)), periodic)


class LocalUNet(nn.Module):
    """A U-Net of two levels on blocks of two voxels, and a block of layers at full resolution.

    The last lets voxels answer their nearest neighbours, which the blocks of two of the others blur.

    Args:
        dims: 2 or 3.
        channels: of the upper level; the lower one has twice as many, the one at full resolution a third.
    """

    STARTS_AT_ZERO = ("last.weight",)

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        embedding = 64
        block = 2**dims
        self.level = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        self.first = Convolution(dims, block, channels)
        self.down = ResidualBlock(dims, channels, embedding)
        self.narrow = Convolution(dims, channels, 2 * channels, stride=2)
        self.lower = nn.ModuleList([ResidualBlock(dims, 2 * channels, embedding) for _ in range(2)])
        self.widen = nn.Linear(2 * channels, block * channels)
        self.up = ResidualBlock(dims, channels, embedding)
        self.least_channels = fine = max(channels // 3, 1)
        self.spread = Convolution(dims, channels, block * fine)
        self.detail = Convolution(dims, 1, fine)
        self.fine = ResidualBlock(dims, fine, embedding)
        self.last = Convolution(dims, fine, 1)
        self.memory_format = MEMORY_FORMATS[dims]

    @staticmethod
    def least_edge(shape: Sequence[int]) -> int:
        """The least edge, in places, of what is convolved for microstructures of a shape in voxels."""
        return math.ceil(min(shape) / MULTIPLE)

    def forward(self, y: torch.Tensor, sigma: torch.Tensor, periodic: bool = False) -> torch.Tensor:
        """Map noisy phases ``(N, 1, *S)`` and their noise levels ``(N,)`` or ``()`` to logits ``(N, 1, *S)``."""
        shape = y.shape[2:]
        log_sigma = sigma.log().reshape(-1, 1)
        angles = log_sigma * torch.logspace(-1, 0.5, FREQUENCIES, device=y.device, dtype=torch.float32)
        level = self.level(torch.cat([angles.sin(), angles.cos()], dim=1))
        y = y * (1 + sigma**2).rsqrt().view(-1, *[1] * (y.ndim - 1))
        far = [(-n) % MULTIPLE for n in shape]
        if any(far):
            y = functional.pad(y, [edge for n in reversed(far) for edge in (0, n)])
        x = self.first(blocks_to_channels(y).contiguous(memory_format=self.memory_format), periodic)
        x = self.down(x, level, periodic)
        lower = self.narrow(x, periodic)
        for block in self.lower:
            lower = block(lower, level, periodic)
        lower = self.widen(_normalised(lower).movedim(1, -1)).movedim(-1, 1)
        x = x + channels_to_blocks(lower)
        x = self.up(x.contiguous(memory_format=self.memory_format), level, periodic)
        x = channels_to_blocks(self.spread(functional.silu(_normalised(x)), periodic))
        x = (x + self.detail(y, periodic)).contiguous(memory_format=self.memory_format)
        x = self.fine(x, level, periodic)
        logits = self.last(functional.silu(_normalised(x)), periodic)
        return logits[(..., *(slice(n) for n in shape))]


def blocks_to_channels(x: torch.Tensor) -> torch.Tensor:
    """Map ``(N, C, *S)`` to ``(N, C 2^d, *S / 2)``: the voxels of each block of two become channels."""
    dims = x.ndim - 2
    split = [part for n in x.shape[2:] for part in (n // 2, 2)]
    x = x.reshape(*x.shape[:2], *split)
    places, within = list(range(2, 2 + 2 * dims, 2)), list(range(3, 3 + 2 * dims, 2))
    return x.permute(0, 1, *within, *places).flatten(1, 1 + dims)


def channels_to_blocks(x: torch.Tensor) -> torch.Tensor:
    """Map ``(N, C 2^d, *S)`` to ``(N, C, 2 *S)``: the inverse of :func:`blocks_to_channels`."""
    dims, shape = x.ndim - 2, x.shape[2:]
    x = x.unflatten(1, (x.shape[1] // 2**dims, *[2] * dims))
    order = [axis for d in range(dims) for axis in (2 + dims + d, 2 + d)]
    return x.permute(0, 1, *order).reshape(x.shape[0], x.shape[1], *[2 * n for n in shape])


def _normalised(x: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x.movedim(1, -1), x.shape[1:2]).movedim(-1, 1)
