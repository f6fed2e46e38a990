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
        density: ``(B, 1, H, W)`` the mirrored images.
    """

    index: torch.Tensor
    flip: torch.Tensor
    density: torch.Tensor


def flip(density: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
    """Mirror images, each in its own way.

    Args:
        density: ``(N, 1, H, W)``.
        way: ``(N,)``: 0 leaves an image as it is, 1 reverses its rows' axis, 2 its columns' axis, 3 both.
    """
    way = way.to(density.device).view(-1, 1, 1, 1)
    density = torch.where(way % 2 == 1, density.flip(2), density)
    return torch.where(way >= 2, density.flip(3), density)


def batches(images: torch.Tensor, size: int, flips: bool, generator: torch.Generator) -> Iterator[Batch]:
    """Draw random batches without end, each image once before any comes again.

    Args:
        images: ``(N, 1, H, W)``.
        size: of a batch; some are larger, so that none at the end of a round is left with a single image.
        flips: mirror each image at random.
        generator: of the order and the flips, on the CPU.
    """
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for index in order.tensor_split(max(len(images) // size, 1)):
            way = torch.randint(4 if flips else 1, (len(index),), generator=generator).to(images.device)
            yield Batch(index, way, flip(images[index], way))
