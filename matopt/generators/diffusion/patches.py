"""Patches of training microstructures: random ones, each turned as its material allows, and those side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import torch


def patches(
    images: torch.Tensor, size: int, shape: Sequence[int], flips: bool, transpositions: bool, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    """Draw batches ``(size, 1, *shape)`` of patches without end, one of each image before another of any.

    Args:
        images: ``(N, 1, *S)``.
        size: of a batch.
        shape: of a patch, at most that of an image.
        flips: mirror each patch at random.
        transpositions: exchange the axes of each patch at random; of patches with equal edges alone.
        generator: of all that is random, on the CPU.
    """
    dims = len(shape)
    axes = tuple(range(1, 1 + dims))
    orders = list(permutations(axes)) if transpositions and len(set(shape)) == 1 else [axes]
    spare = [n - edge + 1 for n, edge in zip(images.shape[2:], shape, strict=True)]
    waiting: list[int] = []
    while True:
        while len(waiting) < size:
            waiting += torch.randperm(len(images), generator=generator).tolist()
        chosen, waiting = waiting[:size], waiting[size:]
        batch = []
        for index in chosen:
            corner = [int(torch.randint(n, (), generator=generator)) for n in spare]
            patch = images[(index, slice(None), *(slice(c, c + n) for c, n in zip(corner, shape, strict=True)))]
            if flips:
                ways = torch.randint(2, (dims,), generator=generator).tolist()
                patch = patch.flip([1 + axis for axis, way in enumerate(ways) if way])
            order = orders[int(torch.randint(len(orders), (), generator=generator))]
            batch.append(patch.permute(0, *order))
        yield torch.stack(batch)


def tiles(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Cut ``images`` ``(N, 1, *S)`` into as many patches ``(M, 1, *shape)`` as lie side by side in each."""
    for axis, edge in enumerate(shape, start=2):
        images = torch.cat([images.narrow(axis, i * edge, edge) for i in range(images.shape[axis] // edge)])
    return images
