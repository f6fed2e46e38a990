"""The encoder and decoder networks of the autoencoders, of images and volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from matopt.errors import InputError
from matopt.generators.diffusion.networks import MEMORY_FORMATS, channels_to_blocks
from matopt.training.initial import build

MULTIPLE = 16
"""Edges are multiples of this: three halvings, on a grid downsampled by up to 2."""

WIDTHS = ((64, 64), (64, 48), (48, 32))
"""Channels before and after each block of a decoder."""

# Layers by the number of dimensions.
CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
MEANS = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
SMOOTH = {2: "bicubic", 3: "trilinear"}


class Encoder(nn.Module):
    """A convolutional encoder: three strided convolutions and a linear layer.

    Args:
        shape: of a microstructure in voxels, each a multiple of ``8 * downsampling``.
        outputs: how many numbers it is mapped to.
        downsampling: edge in voxels of the blocks that it is averaged over first.
    """

    def __init__(self, shape: Sequence[int], outputs: int, downsampling: int) -> None:
        super().__init__()
        self.downsampling = downsampling
        convolution = CONVOLUTIONS[len(shape)]
        self.mean = MEANS[len(shape)]
        self.layers = nn.Sequential(
            convolution(1, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            convolution(16, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            convolution(32, 48, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(48 * math.prod(n // (8 * downsampling) for n in shape), outputs),
        )

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *shape)`` to ``(N, outputs)`` numbers."""
        return self.layers(self.mean(density, self.downsampling) * 2.0 - 1.0)


class ResidualBlock(nn.Module):
    """Two convolutions, with a skip connection over the second."""

    def __init__(self, dims: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = CONVOLUTIONS[dims](inputs, outputs, 3, padding=1)
        self.second = CONVOLUTIONS[dims](outputs, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map features ``(N, inputs, *S)`` to ``(N, outputs, *S)``."""
        x = functional.leaky_relu(self.first(x), 0.1)
        return x + functional.leaky_relu(self.second(x), 0.1)


class Decoder(nn.Module):
    """A convolutional decoder: two linear layers, three residual blocks of doubling resolution and a pixel shuffle.

    The logits are smoothed by a binomial filter three voxels wide, which takes out the shuffle's checkerboard, and
    enlarged by bicubic (in volumes trilinear) interpolation: their zero level is a smooth contour finer than the grid
    that they were computed on.

    Args:
        shape: of a microstructure in voxels, each a multiple of ``8 * downsampling``.
        latent_dim: length of a code.
        downsampling: edge in voxels of a cell of the grid on which the logits are computed.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, downsampling: int) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.base = [n // (8 * downsampling) for n in shape]
        dims = len(shape)
        self.linear = nn.Sequential(
            nn.Linear(latent_dim, 256),
            nn.LeakyReLU(0.1),
            nn.Linear(256, 64 * math.prod(self.base)),
            nn.LeakyReLU(0.1),
        )
        self.stages = nn.ModuleList([ResidualBlock(dims, *widths) for widths in WIDTHS])
        self.last = CONVOLUTIONS[dims](32, 2**dims, 3, padding=1)
        self.memory_format, self.mean, self.interpolation = MEMORY_FORMATS[dims], MEANS[dims], SMOOTH[dims]

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to logits of densities ``(N, 1, *shape)``."""
        x = self.linear(z).unflatten(1, (64, *self.base)).contiguous(memory_format=self.memory_format)
        for number, block in enumerate(self.stages):
            x = block(x if number == 0 else functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        logits = channels_to_blocks(self.last(x)).float()
        # Two means over blocks of two voxels are the binomial filter, and stay in full precision where products do not.
        logits = functional.pad(logits, [1] * (2 * len(self.shape)), mode="replicate")
        logits = self.mean(self.mean(logits, 2, stride=1), 2, stride=1)
        if logits.shape[2:] == self.shape:
            return logits
        return functional.interpolate(logits, size=self.shape, mode=self.interpolation, align_corners=False)


class EncoderDecoder(nn.ModuleList):
    """The networks of an autoencoder: an encoder to Gaussian posteriors, and a decoder.

    A list of the two, so that saved parameters keep the names "0...." and "1....".

    Args:
        shape: of a microstructure in voxels, multiples of :data:`MULTIPLE`.
        latent_dim: length of a code.
        downsampling: 1 or 2, see :class:`Decoder`; None takes 1 for edges below 128 voxels and 2 from there on.

    Raises:
        InputError: edges that are not such multiples.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, downsampling: int | None) -> None:
        if any(n % MULTIPLE for n in shape):
            nearest = [max(MULTIPLE, round(n / MULTIPLE) * MULTIPLE) for n in shape]
            raise InputError(
                f"an autoencoder needs edges that are multiples of {MULTIPLE}; got {' x '.join(map(str, shape))}, the "
                f"nearest are {' x '.join(map(str, nearest))}"
            )
        if downsampling is None:
            downsampling = 1 if min(shape) < 128 else 2
        super().__init__([Encoder(shape, 2 * latent_dim, downsampling), Decoder(shape, latent_dim, downsampling)])
        self.latent_dim = latent_dim
        self.downsampling = downsampling

    @classmethod
    def seeded(cls, shape: Sequence[int], latent_dim: int, downsampling: int | None, seed: int) -> EncoderDecoder:
        """Build networks with initial parameters from ``seed`` alone."""
        return build(lambda: cls(shape, latent_dim, downsampling), seed)

    def posterior(self, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode densities ``(N, 1, *shape)`` to means and log-variances ``(N, latent_dim)`` of their codes."""
        mean, log_variance = self[0](density).chunk(2, dim=1)
        # Beyond these bounds the variance is as good as 0, or the divergence is out of float's range.
        return mean, log_variance.clamp(-12.0, 6.0)

    @property
    def least_edge(self) -> int:
        """The least edge, in places, of what the decoder convolves."""
        return min(cast(Decoder, self[1]).base)

    @property
    def least_channels(self) -> int:
        """The fewest channels of the decoder's blocks."""
        return min(outputs for _, outputs in WIDTHS)

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        """Decode codes ``(N, latent_dim)`` to logits of densities ``(N, 1, *shape)``."""
        return self[1](z)

    @torch.no_grad()
    def standardise(self, codes: torch.Tensor) -> None:
        """Rewrite the layers on both sides of the code so that ``codes`` ``(N, latent_dim)`` get mean 0, covariance I.

        Encoded and decoded again, an image stays as it is. Directions in which the codes hardly differ, as where they
        are fewer than ``latent_dim``, keep a hundredth of the mean deviation.
        """
        mean = codes.mean(0)
        variance, axes = torch.linalg.eigh(torch.cov(codes.T.double(), correction=0).reshape([len(mean)] * 2))
        deviation = variance.clamp(min=1e-4 * float(variance.mean())).sqrt()
        spread = ((axes * deviation) @ axes.T).to(mean)
        gathered = ((axes / deviation) @ axes.T).to(mean)
        to_code, from_code = cast(Encoder, self[0]).layers[-1], cast(Decoder, self[1]).linear[0]
        assert isinstance(to_code, nn.Linear) and isinstance(from_code, nn.Linear)
        own = slice(self.latent_dim)
        to_code.weight[own] = gathered @ to_code.weight[own]
        to_code.bias[own] = gathered @ (to_code.bias[own] - mean)
        from_code.bias.add_(from_code.weight @ mean)
        from_code.weight.copy_(from_code.weight @ spread)
