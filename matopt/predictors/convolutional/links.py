"""The full-field network of conductivities: convolutions say how blocks conduct, and what follows is solved for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from matopt.predictors.convolutional.conductances import CONTRAST, dissipation, merged
from matopt.predictors.convolutional.unet import Level, UNet, halved, n_levels, of_edges, out_of_blocks

BLOCKS = {2: 256, 3: 512}
"""At most so many blocks are solved for, by the number of dimensions: 16 x 16 of a section, 8 x 8 x 8 of a volume."""

FLOOR = 0.01
"""What is added to a block's share of the dissipation, whose mean is one, before its logarithm is taken."""


class ConductingUNet(UNet):
    """A field of each sample that conducts: what is dissipated in blocks is solved for, the rest is learnt.

    Whether pores hang together across a sample is no matter of what its places look like, and few samples do not teach
    it. How a block conducts, and where within the block, is. So the network is asked for that alone: on the level whose
    places are blocks it corrects the conductivities that merging gives them along each axis
    (:func:`~matopt.predictors.convolutional.conductances.merged`), flow along the first axis is solved for on the
    network of these blocks, and what each dissipates is told to the finer levels, which spread it over its voxels.

    Source: conductances of blocks that are learnt in place of being merged by a rule (the rules: Renard et al., Water
    Resour. Res. 36 (2000) 3567).

    Args:
        shape: of one sample.
        width, level: see :class:`UNet`.
    """

    grain_conducts: torch.Tensor

    STARTS_AT_ZERO = ("correction.weight", "correction.bias")

    def __init__(self, shape: Sequence[int], width: int, level: Level) -> None:
        super().__init__(shape, width, None, is_periodic=False, sees_conductances=False)
        dimensions, at = len(shape), self.level_of_blocks(shape)
        assert at is not None
        self._level: Level = level
        self._at = at
        convolution = nn.Conv2d if dimensions == 2 else nn.Conv3d
        channels = self.channels[at]
        self.told = convolution(dimensions, channels, 1)
        self.correction = convolution(channels, dimensions, 1)
        self.dissipated = convolution(1 + dimensions, channels, 1)
        # Set by `begin`: which phase conducts, and the logarithm of a sample's conductivity where it fills all.
        self.register_buffer("grain_conducts", torch.zeros((), dtype=torch.float32))
        self.factor = nn.Parameter(torch.zeros((), dtype=torch.float32))

    @staticmethod
    def level_of_blocks(shape: Sequence[int]) -> int | None:
        """The finest level with few enough blocks to be solved for; None if there is none."""
        blocks = [math.prod(math.ceil(edge / 2 ** (1 + n)) for edge in shape) for n in range(n_levels(shape))]
        fits = [number <= BLOCKS[len(shape)] for number in blocks]
        return fits.index(True) if any(fits) else None

    def field(self, density: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to fields of the same shape."""
        known = self.known(density) if known is None else known
        levels, merged_log = self._down(density, known), self._merged(density)
        levels[self._at] = levels[self._at] + self.told(merged_log)
        x = self._up(levels, self._at)
        dissipated = dissipation((merged_log + self.correction(x)).exp().unbind(1))
        x = self._up([*levels[: self._at], x + self.dissipated(_described(dissipated))], 0)
        total, edges = dissipated.sum(1, keepdim=True), density.shape[2:]
        field = of_edges(self._shares(x), edges) * of_edges(self._of_voxels(total), edges)
        # Blocks at the border of a sample are cut where they hold no whole number of voxels: its mean stays what it is.
        whole = [part.flatten(1).mean(1) for part in (total, field)]
        return field * (self.factor.exp() * whole[0] / whole[1]).view(-1, *[1] * (field.ndim - 1))

    def _shares(self, features: torch.Tensor) -> torch.Tensor:
        """What voxels have of what their block dissipates, over the mean of its voxels."""
        share = mean = functional.softplus(out_of_blocks(self.last(features)))
        for _ in range(self._at + 1):
            mean = halved(mean)
        return share / of_edges(self._of_voxels(mean), share.shape[2:])

    @torch.no_grad()
    def begin(self, density: torch.Tensor, targets: torch.Tensor, usable: torch.Tensor) -> None:
        """Find out which phase conducts, and how much where it fills all."""
        means = self._level.means(targets[usable])
        rows, true = usable[:, 0].nonzero()[means > 0, 0], means[means > 0].log()
        off = []
        for phase in (0, 1):
            self.grain_conducts.fill_(phase)
            conductivity = dissipation(self._merged(density[rows]).exp().unbind(1)).sum(1).flatten(1).mean(1)
            off.append(true - conductivity.log())
        best = int(off[1].var() < off[0].var())
        self.grain_conducts.fill_(best)
        self.factor.fill_(float(off[best].mean()))

    def _merged(self, density: torch.Tensor) -> torch.Tensor:
        """Logarithms of the conductivities of blocks, along each axis: ``(N, d, *B)``."""
        conducts = torch.where(self.grain_conducts > 0, density, 1 - density)[:, 0]
        return torch.stack(merged((1 + (CONTRAST - 1) * conducts) / CONTRAST, self._at + 1), 1).log()

    def _of_voxels(self, blocks: torch.Tensor) -> torch.Tensor:
        """What blocks have, for each of their voxels."""
        return functional.interpolate(blocks, scale_factor=2 ** (self._at + 1), mode="nearest")


def _described(dissipated: torch.Tensor) -> torch.Tensor:
    """Of what is dissipated in blocks ``(N, d, *B)``: their logarithm over a sample's mean, and shares of axes."""
    total = dissipated.sum(1, keepdim=True)
    mean = total.mean(list(range(1, total.ndim)), keepdim=True)
    return torch.cat([(total / mean + FLOOR).log(), dissipated / (total + FLOOR**2 * mean)], 1)
