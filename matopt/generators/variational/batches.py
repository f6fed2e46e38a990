"""Random batches of training images, each mirrored at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Batch:
    """A random batch of B training images.

    Attributes:
        index: ``(B,)`` their places in the training set.
        flip: ``(B,)`` how each is mirrored, see :func:`flip`.
        density: ``(B, 1, *S)`` the mirrored images.
    """

    index: torch.Tensor
    flip: torch.Tensor
    density: torch.Tensor


def flip(density: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
    """Mirror microstructures, each in its own way.

    Args:
        density: ``(N, 1, *S)``.
        way: ``(N,)``: a sum of ``2^a`` for each axis ``a`` of S that is reversed; 0 leaves it as it is.
    """
    way = way.to(density.device).view(-1, *[1] * (density.ndim - 1))
    for axis in range(density.ndim - 2):
        density = torch.where((way >> axis) % 2 == 1, density.flip(2 + axis), density)
    return density


def mirror_images(images: torch.Tensor, flips: bool) -> list[torch.Tensor]:
    """Give ``images`` ``(N, 1, *S)`` mirrored in each way of :func:`flip`; without ``flips`` as they are alone."""
    return [flip(images, torch.full((len(images),), way)) for way in range(_ways(images, flips))]


def batches(images: torch.Tensor, size: int, flips: bool, generator: torch.Generator) -> Iterator[Batch]:
    """Draw random batches without end, each image once before any comes again.

    Args:
        images: ``(N, 1, *S)``.
        size: of a batch; some are larger, so that none at the end of a round is left with a single image.
        flips: mirror each image at random.
        generator: of the order and the flips, on the CPU.
    """
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for index in order.tensor_split(max(len(images) // size, 1)):
            way = torch.randint(_ways(images, flips), (len(index),), generator=generator).to(images.device)
            yield Batch(index, way, flip(images[index], way))


def _ways(images: torch.Tensor, flips: bool) -> int:
    return 2 ** (images.ndim - 2) if flips else 1
