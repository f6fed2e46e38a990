"""Noise that follows from a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class CodeNoise:
    """Maps codes to white noise over a microstructure, smoothly.

    Fixed random fields are mixed with the code's numbers as weights. Noise of one code is as good as independent from
    voxel to voxel. That of two codes is as alike as the codes: independent draws of N(0, I) have unlike noise, small
    steps change it little.

    Args:
        latent_dim: length of a code.
        shape: of a microstructure in voxels.
    """

    def __init__(self, latent_dim: int, shape: Sequence[int]) -> None:
        # One field more than there are numbers in a code: the code 0 has noise too.
        random = torch.Generator().manual_seed(0)
        fields = torch.randn(latent_dim + 1, *shape, generator=random, dtype=torch.float32).flatten(1)
        self._fields = fields - fields.mean(1, keepdim=True)
        self._shape = tuple(shape)

    def __call__(self, z: torch.Tensor) -> torch.Tensor:
        """Map codes ``(N, latent_dim)`` to noise ``(N, 1, *S)``, of mean 0 and deviation 1 over each microstructure."""
        weights = torch.cat([torch.ones_like(z[:, :1]), z], 1)
        noise = weights @ self._fields.to(z)
        noise = noise / noise.square().mean(1, keepdim=True).sqrt()
        return noise.view(len(z), 1, *self._shape)
