"""The network of the full-field predictor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from matopt.predictors.convolutional.scoring import ScoringNetwork, linear_map

MOST = 3
"""Times the first level's channels that a deeper one has."""


@dataclass(frozen=True)
class Level:
    """How the mean of a field that is nowhere negative becomes the standard score of a property.

    Attributes:
        is_log: the property is learnt by its logarithm.
        unit: of the field.
        deviation: of the property on its scale; over the unit, where that is linear.
    """

    is_log: bool
    unit: float
    deviation: float

    @staticmethod
    def of(is_log: bool, mean: float, deviation: float) -> Level:
        """The level of a property of this mean and standard deviation on its scale."""
        return Level(True, math.exp(mean), deviation) if is_log else Level(False, mean, deviation / mean)

    def scores(self, means: torch.Tensor) -> torch.Tensor:
        """The scores of means of fields."""
        return (means.log() if self.is_log else means - 1) / self.deviation

    def means(self, scores: torch.Tensor) -> torch.Tensor:
        """The means of fields of these scores."""
        on_scale = scores * self.deviation
        return on_scale.exp() if self.is_log else on_scale + 1


class UNet(ScoringNetwork):
    """A field of each sample: convolutions on ever coarser grids, and back (Ronneberger et al., MICCAI 2015).

    The finest grid has the blocks of two voxels an edge, with what each of their voxels is. Each level halves the edges
    until the shortest is 4 or less; there, places learn of the whole sample: of the mean features, the solid fraction
    and, if it sees conductances, of these. Activations are smooth.

    The score of a sample is that of its field's mean. Where a field has a ``level`` it is nowhere negative, as what
    voxels contribute to a property: a positive number times a power of what is known of the whole sample, whose
    exponents :meth:`begin` sets. Else the mean is the score.

    Args:
        shape: of one sample.
        width: channels of the finest level, a multiple of 4; the next have two and three times as many.
        level: see above.
        is_periodic: samples go on beyond their border with what is on the other side, in place of their outermost layer
            again.
        sees_conductances: see above.
    """

    def __init__(
        self, shape: Sequence[int], width: int, level: Level | None, is_periodic: bool, sees_conductances: bool
    ) -> None:
        dimensions = len(shape)
        super().__init__(dimensions, sees_conductances)
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self._level, n_in_block = level, 2**dimensions
        channels = self.channels = [width * min(level + 1, MOST) for level in range(n_levels(shape))]

        def layer(before: int, after: int) -> nn.Module:
            convolved = convolution(
                before, after, 3, padding=1, padding_mode="circular" if is_periodic else "replicate"
            )
            return nn.Sequential(convolved, nn.GroupNorm(4, after), nn.SiLU())

        self.first = layer(n_in_block, channels[0])
        self.down = nn.ModuleList(layer(a, b) for a, b in pairwise(channels))
        self.whole = nn.Linear(channels[-1] + self.n_known, channels[-1])
        self.narrow = nn.ModuleList(convolution(b, a, 1) for a, b in pairwise(channels))
        self.up = nn.ModuleList(layer(2 * a, a) for a in channels[:-1])
        self.last = convolution(channels[0], n_in_block, 1)
        self.power = None if level is None else nn.Linear(self.n_known, 1)
        # Channels last takes half the time of a training step on a CPU.
        self._layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
        self.to(memory_format=self._layout)  # ty: ignore[no-matching-overload]

    def forward(self, density: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, 1)`` scores; see :meth:`ScoringNetwork.forward`."""
        return self.scores(self.field(density, known))

    def scores(self, field: torch.Tensor) -> torch.Tensor:
        """The scores ``(N, 1)`` of fields ``(N, 1, *S)``."""
        mean = field.flatten(2).mean(2)
        return mean if self._level is None else self._level.scores(mean)

    def field(self, density: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to fields of the same shape."""
        known = self.known(density) if known is None else known
        field = of_edges(out_of_blocks(self.last(self._up(self._down(density, known), 0))), density.shape[2:])
        if self.power is None:
            return field
        times = self.power(known).exp() / math.log(2)  # softplus is the logarithm of 2 where it begins
        return functional.softplus(field) * times.view(-1, *[1] * (field.ndim - 1))

    def _down(self, density: torch.Tensor, known: torch.Tensor) -> list[torch.Tensor]:
        """The features of each level, finest first; the last knows of the whole sample."""
        levels = [self.first(in_blocks(_of_even_edges(2 * density - 1)).contiguous(memory_format=self._layout))]
        for down in self.down:
            levels.append(down(halved(levels[-1])))
        whole = self.whole(torch.cat([levels[-1].flatten(2).mean(2), known], 1))
        levels[-1] = levels[-1] + whole.view(*whole.shape, *[1] * (density.ndim - 2))
        return levels

    def _up(self, levels: list[torch.Tensor], to: int) -> torch.Tensor:
        """The features of the level ``to`` once those of all coarser ones in ``levels`` have come back up to it."""
        x = levels[-1]
        for level in range(len(levels) - 2, to - 1, -1):
            finer = levels[level]
            coarse = functional.interpolate(self.narrow[level](x), size=finer.shape[2:], mode="nearest")
            x = self.up[level](torch.cat([coarse, finer], 1))
        return x

    @torch.no_grad()
    def begin(self, density: torch.Tensor, targets: torch.Tensor, usable: torch.Tensor) -> None:
        """Set the powers by least squares, so that the mean of a new field is near its property."""
        if self.power is None or self._level is None:
            return
        means = self._level.means(targets[usable])
        rows = usable[:, 0].nonzero()[means > 0, 0]
        weights, constant = linear_map(self.known(density[rows]), means[means > 0].log())
        self.power.weight[0], self.power.bias[0] = weights, constant

    def hidden(self) -> list[torch.Tensor]:
        """The weights between hidden layers."""
        return [p for part in (self.down, self.whole, self.narrow, self.up) for p in part.parameters() if p.ndim > 1]


def n_levels(shape: Sequence[int]) -> int:
    """How many levels a network of samples of this shape has."""
    return max(1, math.ceil(math.log2(min(shape) / 4)))


def in_blocks(fields: torch.Tensor) -> torch.Tensor:
    """Put the voxels of each block of two an edge side by side: ``(N, C, *S)`` to ``(N, C 2^d, *S / 2)``."""
    dimensions = fields.ndim - 2
    parted = fields.view(*fields.shape[:2], *[n for edge in fields.shape[2:] for n in (edge // 2, 2)])
    within = [3 + 2 * axis for axis in range(dimensions)]
    return parted.permute(0, 1, *within, *[axis - 1 for axis in within]).flatten(1, 1 + dimensions)


def out_of_blocks(blocks: torch.Tensor) -> torch.Tensor:
    """Turn :func:`in_blocks` round."""
    dimensions, edges = blocks.ndim - 2, blocks.shape[2:]
    parted = blocks.reshape(len(blocks), -1, *[2] * dimensions, *edges)
    order = [axis for n in range(dimensions) for axis in (2 + dimensions + n, 2 + n)]
    return parted.permute(0, 1, *order).reshape(len(blocks), -1, *[2 * edge for edge in edges])


def of_edges(fields: torch.Tensor, edges: Sequence[int]) -> torch.Tensor:
    """Cut fields to these edges, on their far side."""
    return fields[(..., *(slice(edge) for edge in edges))]


def _of_even_edges(fields: torch.Tensor) -> torch.Tensor:
    """Double the last layer along axes of an odd number of voxels."""
    for axis in range(2, fields.ndim):
        if fields.shape[axis] % 2:
            fields = torch.cat([fields, fields.narrow(axis, fields.shape[axis] - 1, 1)], axis)
    return fields


def halved(features: torch.Tensor) -> torch.Tensor:
    """Means of two places an edge; at an odd edge the last layer's are its own."""
    pool = functional.avg_pool2d if features.ndim == 4 else functional.avg_pool3d
    return pool(features, 2, ceil_mode=True, count_include_pad=False)
