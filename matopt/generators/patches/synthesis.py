"""Samples whose patches are distributed as those of their targets, at all resolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from matopt.generators.patches.pyramid import resized, shapes
from matopt.generators.patches.transport import directions, project, ranked, transported

CONTRAST = 0.5
"""Standard deviation of the noise that a sample begins with."""
PULL = 0.2
"""How far the last step moves a voxel's value to that of its rank among the targets' voxels; the steps before, less far
with the square of the progress. Without, patches are met by grey images; sooner, the layout freezes; at coarse
resolutions, blocks are left."""


@dataclass(frozen=True)
class Synthesis:
    """How samples are made.

    Attributes:
        patch: edge of a patch in voxels.
        directions: of projection, drawn anew every step.
        steps: at each resolution.
    """

    patch: int
    directions: int
    steps: int

    def samples(self, targets: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Make samples ``(n, 1, *S)`` of the values of ``targets`` ``(n, m, *S)``, those of each from its m targets.

        Args:
            targets: of each sample.
            generator: of the first noise and of the directions, on the CPU.
        """
        n, shape = len(targets), targets.shape[2:]
        flat = targets.flatten(0, 1)[:, None]
        levels = shapes(shape, 2 * self.patch)
        sample = 0.5 + CONTRAST * torch.randn(n, 1, *levels[0], generator=generator, dtype=torch.float32).to(targets)
        values = _one_in(targets.reshape(n, -1), math.prod(shape), generator)
        for level in levels:
            here, sample = resized(flat, level), resized(sample, level)
            for step in range(self.steps):
                along = directions(len(shape), self.patch, self.directions, generator).to(targets)
                projected = project(here, along).unflatten(0, targets.shape[:2]).transpose(1, 2).flatten(2)
                wanted = _one_in(projected, projected.shape[2] // targets.shape[1], generator)
                sample = transported(sample, wanted, along)
                if level == shape:
                    sample = sample.lerp(ranked(sample, values), PULL * (step / self.steps) ** 2)
        return ranked(sample, values)


def _one_in(values: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Choose ``count`` of the values along the last axis at random, at the same places for all."""
    places = torch.randperm(values.shape[-1], generator=generator)[:count]
    return values[..., places.to(values.device)]
