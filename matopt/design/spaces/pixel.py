"""Design voxel by voxel."""

from __future__ import annotations

import torch

from matopt.design.spaces.base import SPACES, Material, Space


@SPACES.register("pixel")
class Pixel(Space):
    """The density of every voxel, clipped to [0, 1]; no trust region, as in figure 5 of the seed report.

    The coordinate is the density rather than its logit: designs start from zeros and ones, where a logit is infinite
    and its gradient vanishes, so that the start would first have to be made grey.
    """

    step_size = 0.02

    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        """Take the voxels of the starts, or of samples of the generator."""
        density = material.microstructures(n, seed).density(material.device)
        self._shape = density.shape[1:]
        return density.flatten(1)

    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Arrange the coordinates as images."""
        return x.view(len(x), *self._shape)

    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Clip the coordinates to [0, 1]."""
        return x.clamp(0, 1)
