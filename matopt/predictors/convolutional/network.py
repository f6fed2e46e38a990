"""The network of the convolutional predictor, and its invariance under mirror reflections."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import nn


class Network(nn.Module):
    """A convolutional network: strided convolutions with group normalisation, a global mean, a head of two layers.

    The head also gets the solid fraction, which normalisation hides. Activations are smooth (SiLU).

    Args:
        shape: of one sample; edges are halved until the shortest is 4 pixels or less.
        width: channels of the first convolution, a multiple of 4.
        n_outputs: how many numbers are predicted for each sample.
    """

    def __init__(self, shape: Sequence[int], width: int, n_outputs: int) -> None:
        super().__init__()
        convolution = nn.Conv2d if len(shape) == 2 else nn.Conv3d
        n_halvings = max(1, math.ceil(math.log2(min(shape) / 4)))
        layers: list[nn.Module] = []
        channels = 1
        for halving in range(n_halvings):
            wider = width * (halving + 1)
            layers += [convolution(channels, wider, 3, stride=2, padding=1), nn.GroupNorm(4, wider), nn.SiLU()]
            channels = wider
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(channels + 1, 64), nn.SiLU(), nn.Linear(64, n_outputs))
        # Channels last takes half the time of a training step on a CPU.
        self._layout = torch.channels_last if len(shape) == 2 else torch.channels_last_3d
        self.convolutions.to(memory_format=self._layout)  # ty: ignore[no-matching-overload]

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, n_outputs)`` predictions."""
        signed = 2 * density - 1
        features = self.convolutions(signed.contiguous(memory_format=self._layout)).flatten(2).mean(2)
        return self.head(torch.cat([features, 4 * signed.flatten(2).mean(2)], dim=1))


def mean_over_flips(network: Callable[[torch.Tensor], torch.Tensor], density: torch.Tensor) -> torch.Tensor:
    """Average predictions over all mirror images of ``density`` ``(N, 1, *S)``, which makes them invariant."""
    axes = range(2, density.ndim)
    flips = [flipped for n in range(len(axes) + 1) for flipped in itertools.combinations(axes, n)]
    return torch.stack([network(density.flip(flipped)) for flipped in flips]).mean(0)


def random_flips(density: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror each sample of ``density`` ``(N, 1, *S)`` along each axis or not, by the toss of a coin."""
    for axis in range(2, density.ndim):
        toss = torch.rand(len(density), generator=generator).to(density.device) < 0.5
        density = torch.where(toss.view(-1, *[1] * (density.ndim - 1)), density.flip(axis), density)
    return density
