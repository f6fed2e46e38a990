"""Design by drawing parts of microstructures anew."""

from __future__ import annotations

import torch

from matopt.design.draws import drawn
from matopt.design.spaces.base import SPACES, Material, Voxels, require_quantile
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.generators.base import Generator, ResamplingGenerator

EDGES = (0.25, 0.75)
"""The edges of the part that a move draws anew, over those of the microstructure: 16 to 48 voxels of 64."""

STRENGTHS = (0.25, 0.75)
"""How much of that part a move forgets."""


@SPACES.register("resampling")
class Resampling(Voxels):
    """The microstructures of a generator that can draw parts of them anew: moves stay in what it has learnt.

    A design is its voxels. They are no coordinates to follow a gradient in, which would leave the material at once:
    this space is for optimisers that draw and move.

    Args:
        quantile: of the trust region: the share of held-out authentic microstructures that lies inside.
    """

    knows_material = True

    def __init__(self, quantile: float = 0.95) -> None:
        self._quantile = require_quantile(quantile)

    @classmethod
    def missing_from(cls, generator: type[Generator]) -> str | None:
        """Name what most generators cannot do."""
        return None if issubclass(generator, ResamplingGenerator) else "way to draw a part anew"

    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        """Take the voxels of the starts, or of samples of the generator."""
        if not isinstance(material.generator, ResamplingGenerator):
            raise InputError("design: this generator cannot draw parts anew; set design.spaces to [pixel]")
        self._generator = material.generator
        return super().start(material, n, seed)

    def move(self, x: torch.Tensor, rows: torch.Tensor, seed: int) -> torch.Tensor:
        """Draw a random box of each microstructure anew, at one random strength for all."""
        random = torch.Generator().manual_seed(seed)
        low, high = STRENGTHS
        strength = low + (high - low) * float(torch.rand((), generator=random, dtype=torch.float32))
        region = torch.ones(len(x), *self._shape, dtype=torch.bool)
        low, high = EDGES
        for axis, n in enumerate(self._shape[1:]):
            edge = (low + (high - low) * torch.rand(len(x), generator=random, dtype=torch.float32)) * n
            first = torch.rand(len(x), generator=random, dtype=torch.float32) * (n - edge)
            place = torch.arange(n) + 0.5
            inside = (place > first[:, None]) & (place < (first + edge)[:, None])
            region &= inside.view(len(x), *[n if axis == a else 1 for a in range(-1, len(self._shape) - 1)])
        return self._generator.resample(x.view(len(x), *self._shape), region.to(x.device), strength, seed).flatten(1)

    def draw(self, porosity: torch.Tensor | None, n: int, seed: int) -> torch.Tensor:
        """Draw samples of the generator: of the porosities, where it can be asked for them, else those nearest."""
        density = self._generator.sample(n, seed) if porosity is None else drawn(self._generator, porosity, seed)
        return density.flatten(1)

    def trust_region(self, material: Material, seed: int) -> MorphologyTrustRegion:
        """Make the trust region from the authentic microstructures, or from samples of the generator without them."""
        return material.trust_region(self._quantile, seed)
