"""The batches that the autoencoders learn from, and the terms of their losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Batch:
    """Some of the training images.

    Attributes:
        index: ``(B,)`` which images.
        flip: ``(B,)`` how each is mirrored, see :func:`flip`.
        density: ``(B, 1, H, W)`` the mirrored images.
    """

    index: torch.Tensor
    flip: torch.Tensor
    density: torch.Tensor


def flip(density: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
    """``(N, 1, H, W)`` mirrored, each in its way ``(N,)``: 0 not, 1 along the rows' axis, 2 along the other, 3 both."""
    way = way.to(density.device).view(-1, 1, 1, 1)
    density = torch.where(way % 2 == 1, density.flip(2), density)
    return torch.where(way >= 2, density.flip(3), density)


def batches(images: torch.Tensor, size: int, flips: bool, generator: torch.Generator) -> Iterator[Batch]:
    """Random batches without end, each image once before any comes again.

    Args:
        images: ``(N, 1, H, W)``.
        size: of a batch; some are larger, so that none at the end of a round is left with a single image.
        flips: mirror each at random.
        generator: of the order and the flips, on the CPU.
    """
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for index in order.tensor_split(max(len(images) // size, 1)):
            way = torch.randint(4 if flips else 1, (len(index),), generator=generator).to(images.device)
            yield Batch(index, way, flip(images[index], way))


def reconstruction(logits: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy in nats, summed over voxels, mean over images."""
    return functional.binary_cross_entropy_with_logits(logits, density, reduction="sum") / len(density)


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of posteriors ``(N, latent_dim)`` from N(0, I), mean over images."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(1).mean()


class AggregatePosterior:
    """How far the first two moments of the aggregate posterior are from those of N(0, I).

    The aggregate posterior is the mixture of all training images' posteriors, which the decoder is trained on; samples
    are drawn from the prior. Where the two differ the decoder is asked for what it has never seen. Posteriors of images
    outside the batch are remembered from when they were last in one.

    Args:
        count: of training images.
        latent_dim: length of a code.
    """

    def __init__(self, count: int, latent_dim: int, device: torch.device) -> None:
        self._mean = torch.zeros(count, latent_dim, device=device)
        self._variance = torch.ones(count, latent_dim, device=device)

    def __call__(self, index: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
        """Squared norms of the mean, and of the covariance less I; ``index`` says whose posteriors are given."""
        all_means = self._mean.index_put((index,), mean)
        all_variances = self._variance.index_put((index,), log_variance.exp())
        centre = all_means.mean(0)
        deviations = all_means - centre
        covariance = deviations.T @ deviations / len(all_means) + torch.diag(all_variances.mean(0))
        miss = centre.square().sum() + (covariance - torch.eye(len(centre), device=centre.device)).square().sum()
        self._mean[index] = mean.detach()
        self._variance[index] = log_variance.detach().exp()
        # Only the batch has gradients; weighted so, a pass over all batches adds up to the gradient of all images.
        share = len(index) / len(all_means)
        return miss.detach() + (miss - miss.detach()) / share


def spherical_interpolation(a: torch.Tensor, b: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Codes between ``a`` (position 0) and ``b`` (position 1), ``(N, latent_dim)`` each, positions ``(N, 1)``.

    Along a quarter of an ellipse rather than a line: where ``a`` and ``b`` are independent draws of N(0, I), so is what
    lies between them, while the middle of a line has half the variance.
    """
    angle = position * (math.pi / 2)
    return torch.cos(angle) * a + torch.sin(angle) * b
