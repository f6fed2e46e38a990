"""The two terms of a variational autoencoder's evidence lower bound (Kingma and Welling 2014)."""

from __future__ import annotations

import torch
from torch.nn import functional


def reconstruction(logits: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
    """Compute the binary cross-entropy of decoded logits, in nats: a sum over voxels, a mean over images."""
    return functional.binary_cross_entropy_with_logits(logits, density, reduction="sum") / len(density)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Compute the Kullback-Leibler divergence of posteriors ``(N, latent_dim)`` from N(0, I), a mean over images."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1).mean()
