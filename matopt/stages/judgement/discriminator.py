"""The network of the classifier two-sample test."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from matopt.predictors.convolutional.symmetries import moved
from matopt.properties import Symmetry
from matopt.training.initial import build

WIDTHS = (16, 32, 48)
BATCH = 256


class Discriminator(nn.Module):
    """A small convolutional network that tells two sets of microstructures apart, with an eye for single voxels.

    Each layer halves the resolution, and the head reads the mean of every layer over space. Beside them it is given the
    frequencies of the patterns of 3 x 3 voxels, which no network so small would learn from so few microstructures.

    Args:
        dimensions: 2 or 3.
        patterns: how many features of patterns each microstructure has.
    """

    STARTS_AT_ZERO = ("head.weight",)

    def __init__(self, dimensions: int, patterns: int) -> None:
        super().__init__()
        convolution = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        self.layers = nn.ModuleList(
            convolution(inputs, outputs, 4, stride=2, padding=1) for inputs, outputs in itertools.pairwise((1, *WIDTHS))
        )
        self.norm = nn.BatchNorm1d(sum(WIDTHS) + patterns)
        self.head = nn.Linear(sum(WIDTHS) + patterns, 1)
        self._layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
        self.to(memory_format=self._layout)  # ty: ignore[no-matching-overload]

    @classmethod
    def seeded(cls, dimensions: int, patterns: int, seed: int) -> Discriminator:
        """Build a network with initial parameters from ``seed`` alone."""
        return build(lambda: cls(dimensions, patterns), seed)

    def forward(self, density: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` and their patterns ``(N, F)`` to the ``(N,)`` log odds of the second set."""
        x = (2 * density - 1).contiguous(memory_format=self._layout)
        features = [patterns]
        for layer in self.layers:
            x = torch.relu(layer(x))
            features.append(x.flatten(2).mean(2))
        return self.head(self.norm(torch.cat(features, 1)))[:, 0]

    def logits(self, density: torch.Tensor, patterns: torch.Tensor) -> torch.Tensor:
        """Average over all mirror images, without gradients and in bounded memory."""
        with torch.no_grad():
            parts = [
                torch.stack([self(image, p) for image in moved(d, Symmetry())]).mean(0)
                for d, p in zip(density.split(BATCH), patterns.split(BATCH), strict=True)
            ]
        return torch.cat(parts)
