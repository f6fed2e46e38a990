"""The encoder and the decoder of the autoencoders, for densities of two axes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class Encoder(nn.Module):
    """Three strided convolutions and a linear layer.

    Args:
        shape: of an image in voxels, each a multiple of ``8 * downsampling``.
        outputs: numbers an image is mapped to.
        downsampling: the image is averaged over blocks of this edge first.
    """

    def __init__(self, shape: Sequence[int], outputs: int, downsampling: int) -> None:
        super().__init__()
        self.downsampling = downsampling
        base = [n // (8 * downsampling) for n in shape]
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(32, 48, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(48 * base[0] * base[1], outputs),
        )

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, outputs)`` of densities ``(N, 1, *shape)``."""
        return self.layers(functional.avg_pool2d(density, self.downsampling) * 2.0 - 1.0)


class ResidualBlock(nn.Module):
    """A convolution, and one more added to what it gives."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(N, outputs, H, W)`` of ``(N, inputs, H, W)``."""
        x = functional.leaky_relu(self.first(x), 0.1)
        return x + functional.leaky_relu(self.second(x), 0.1)


class Decoder(nn.Module):
    """Two linear layers, three stages of growing resolution, a pixel shuffle and a smooth enlargement of the logits.

    The logits are smoothed by a 3x3 binomial filter, which takes out the shuffle's checkerboard, and enlarged by
    bicubic interpolation: their zero level is a smooth contour finer than the grid that they were computed on.

    Args:
        shape: of an image in voxels, each a multiple of ``8 * downsampling``.
        latent_dim: length of a code.
        downsampling: how many voxels make an edge of the grid of logits.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, downsampling: int) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.base = [n // (8 * downsampling) for n in shape]
        self.linear = nn.Sequential(
            nn.Linear(latent_dim, 256),
            nn.LeakyReLU(0.1),
            nn.Linear(256, 64 * self.base[0] * self.base[1]),
            nn.LeakyReLU(0.1),
        )
        self.stages = nn.ModuleList([ResidualBlock(64, 64), ResidualBlock(64, 48), ResidualBlock(48, 32)])
        self.last = nn.Conv2d(32, 4, 3, padding=1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """``(N, 1, *shape)`` logits of the densities of codes ``(N, latent_dim)``."""
        x = self.linear(z).unflatten(1, (64, *self.base)).contiguous(memory_format=torch.channels_last)
        for number, stage in enumerate(self.stages):
            x = stage(x if number == 0 else functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        logits = functional.pixel_shuffle(self.last(x), 2).float()
        # Two means over 2x2 voxels are the binomial filter, and stay in full precision where products do not.
        logits = functional.pad(logits, [1] * 4, mode="replicate")
        logits = functional.avg_pool2d(functional.avg_pool2d(logits, 2, stride=1), 2, stride=1)
        if logits.shape[2:] == self.shape:
            return logits
        return functional.interpolate(logits, size=self.shape, mode="bicubic", align_corners=False)
