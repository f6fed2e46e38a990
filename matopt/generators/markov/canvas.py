"""Stationary samples of a Markov random field, cut from within larger rasters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from matopt.generators.markov.forest import Forest
from matopt.generators.markov.raster import Correction, draw
from matopt.physics.numerics.backend import implementation

VOXELS_AT_ONCE = 2**25
"""Voxels that are drawn at once, about: so many random numbers are in memory."""
STIFFNESS = 0.5
"""Where the solid fraction is held: what a sample that lacks as many voxels of grain as the root of all its voxels adds
to the logit of each."""


def sample(
    forest: Forest,
    offsets: torch.Tensor,
    shape: Sequence[int],
    n: int,
    solid_fraction: float,
    is_held: bool,
    generator: torch.Generator,
) -> torch.Tensor:
    """Draw samples ``(n, *shape)`` uint8, 1 where grain.

    The end of each line of the raster goes on as the beginning of the next one, as a screw's thread does, so a voxel's
    neighbours lie a fixed number of voxels before it everywhere, and no border is drawn otherwise than the rest. The
    raster begins with layers of independent voxels; samples are cut out where these are forgotten, and their opposite
    sides are as far apart as neighbourhoods reach.

    Args:
        forest: of the voxels' probabilities, on the device that draws.
        offsets: ``(F, len(shape))`` int64 of the neighbours.
        shape: of a sample.
        n: how many.
        solid_fraction: of the first layers, and of each sample where it is held.
        is_held: whether each sample's solid fraction is brought to that.
        generator: of all that is random, on the CPU.
    """
    reach = offsets.abs().amax(0).tolist()
    raster = [edge + far for edge, far in zip(shape, reach, strict=True)]
    strides = torch.tensor([math.prod(raster[axis + 1 :]) for axis in range(len(raster))])
    window = (slice(reach[0], None), *(slice(edge) for edge in shape[1:]))
    counts = torch.zeros(raster, dtype=torch.bool)
    counts[window] = True
    counts = counts.flatten()
    due = ((counts.cumsum(0) - counts.long()) * solid_fraction).round().int()
    gain = round(STIFFNESS / math.prod(shape) ** 0.5 / forest.step) if is_held else 0
    device = forest.value.device
    correction = Correction(counts.to(device), due.to(device), gain)
    lags = -(offsets * strides).sum(1).to(device)
    given = (reach[0] + 1) * int(strides[0])

    parts = []
    at_once = max(VOXELS_AT_ONCE // len(counts) // 64, 1) * 64
    for size in [at_once] * (n // at_once) + [n % at_once] * (n % at_once > 0):
        first = (torch.rand(given, size, generator=generator, dtype=torch.float32) < solid_fraction).to(torch.uint8)
        chance = torch.rand(len(counts), size, generator=generator, dtype=torch.float32).logit_()
        needed = chance.sub_(forest.offset).div_(forest.step).ceil_().clamp_(-(2.0**30), 2.0**30).int()
        phases = implementation(draw, device)(forest, lags, first.to(device), needed.to(device), correction)
        parts.append(phases[given:].unflatten(0, raster)[window].movedim(-1, 0))
    return torch.cat(parts)
