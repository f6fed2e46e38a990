"""The network of the classifier two-sample test."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from matopt.predictors.convolutional.network import mean_over_flips

WIDTHS = (12, 24, 32, 48)
BATCH = 256


class Discriminator(nn.Module):
    """A small convolutional network that tells two sets of microstructures apart.

    Its first layer stays at the resolution of the image, the others halve it. The head reads the mean of every layer
    over space, so that what single voxels show needs no way through the others.

    Args:
        dimensions: 2 or 3.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        convolution = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        norm = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dimensions]
        inputs = (1, *WIDTHS)
        self.layers = nn.ModuleList(
            nn.Sequential(convolution(i, o, 3, stride=1 if i == 1 else 2, padding=1, bias=False), norm(o), nn.ReLU())
            for i, o in itertools.pairwise(inputs)
        )
        self.norm = nn.BatchNorm1d(sum(WIDTHS))
        self.head = nn.Linear(sum(WIDTHS), 1)
        self._layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
        self.to(memory_format=self._layout)  # ty: ignore[no-matching-overload]

    @classmethod
    def seeded(cls, dimensions: int, seed: int) -> Discriminator:
        """Build a network with initial parameters from ``seed`` alone; the caller's random state is left as it is."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(dimensions)

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to the ``(N,)`` log odds of the second set."""
        x = (2 * density - 1).contiguous(memory_format=self._layout)
        means = []
        for layer in self.layers:
            x = layer(x)
            means.append(x.flatten(2).mean(2))
        return self.head(self.norm(torch.cat(means, 1)))[:, 0]

    def logits(self, density: torch.Tensor) -> torch.Tensor:
        """Average over all mirror images, without gradients and in bounded memory."""
        with torch.no_grad():
            return torch.cat([mean_over_flips(self, part) for part in density.split(BATCH)])
