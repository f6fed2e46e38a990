"""The loss that a denoiser minimises."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn import functional

from matopt.generators.diffusion.denoiser import LocalDenoiser
from matopt.generators.diffusion.sampler import HIGHEST, LOWEST

BINS = 24
"""Of the logarithm of the noise level, in each of which the loss has a running mean."""

UNIFORM_SHARE = {2: 0.15, 3: 0.25}
"""Of noise levels that are log-uniform, by the number of dimensions; the others are lognormal."""

MEAN = {2: 0.1, 3: 0.6}
"""Of the natural logarithm of lognormal noise levels, by the number of dimensions; its standard deviation is 1."""

VALIDATION_LEVELS = (0.4, 0.7, 1.2, 2.0, 4.0)
"""Noise levels of the validation: where most voxels are decided."""


class DenoisingLoss:
    """The cross-entropy of denoised phases, each noise level's over its running mean: all levels count alike.

    Args:
        denoiser: what is trained.
        patches: batches ``(B, 1, *S)`` of densities without end.
        dims: 2 of images, 3 of volumes.
        seed: of noise and noise levels.
    """

    def __init__(self, denoiser: LocalDenoiser, patches: Iterator[torch.Tensor], dims: int, seed: int) -> None:
        self._denoiser = denoiser
        self._patches = patches
        self._uniform_share, self._mean = UNIFORM_SHARE[dims], MEAN[dims]
        self._low, self._high = math.log(LOWEST), math.log(HIGHEST[dims])
        self._generator = torch.Generator().manual_seed(seed)
        self._running = torch.zeros(BINS, dtype=torch.float32)
        self._seen = torch.zeros(BINS, dtype=torch.float32)

    def __call__(self, step: int, progress: float) -> dict[str, torch.Tensor]:
        """Compute the loss of the next batch; see :data:`matopt.training.loop.Loss`."""
        density = next(self._patches)
        sigma = self._noise_levels(len(density))
        losses = self._cross_entropy(density, sigma.to(density.device))
        return {
            "loss": (losses / self._mean_of_level(sigma, losses.detach().cpu()).to(losses.device)).mean(),
            "cross_entropy": losses.mean(),
        }

    def validation(self, images: torch.Tensor) -> dict[str, float]:
        """Compute the cross-entropy of held-out densities ``(N, 1, *S)``, in nats a voxel, the same noise each time."""
        generator = torch.Generator().manual_seed(0)
        levels = torch.tensor(VALIDATION_LEVELS, dtype=torch.float32)
        nats = [
            float(self._cross_entropy(x, s.expand(len(x)), generator).mean()) for x in images.split(64) for s in levels
        ]
        return {"cross_entropy": sum(nats) / len(nats)}

    def _cross_entropy(
        self, density: torch.Tensor, sigma: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        noise = torch.randn(density.shape, generator=generator or self._generator, dtype=torch.float32).to(
            density.device
        )
        sigma = sigma.to(density.device)
        y = 2 * density - 1 + noise * sigma.view(-1, *[1] * (density.ndim - 1))
        logits = self._denoiser(y, sigma)
        return functional.binary_cross_entropy_with_logits(logits, density, reduction="none").flatten(1).mean(1)

    def _noise_levels(self, n: int) -> torch.Tensor:
        # One level in each n-th of the distribution: batches then differ less than independent levels would.
        quantiles = (
            torch.randperm(n, generator=self._generator) + torch.rand(n, generator=self._generator, dtype=torch.float32)
        ) / n
        share, low, high = self._uniform_share, self._low, self._high
        rest = ((quantiles - share) / (1 - share)).clamp(1e-4, 1 - 1e-4)
        log_sigma = torch.where(
            quantiles < share, low + (high - low) * quantiles / share, self._mean + torch.special.ndtri(rest)
        )
        return log_sigma.clamp(low, high).exp()

    def _mean_of_level(self, sigma: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
        bins = ((sigma.log() - self._low) / (self._high - self._low) * BINS).long().clamp(0, BINS - 1)
        for b, loss in zip(bins.tolist(), losses, strict=True):
            self._seen[b] += 1
            self._running[b] += (loss - self._running[b]) * max(0.02, 1.0 / float(self._seen[b]))
        return self._running[bins].clamp_min(1e-6)
