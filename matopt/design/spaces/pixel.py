"""Design voxel by voxel."""

from __future__ import annotations

import torch

from matopt.design.spaces.base import SPACES, Voxels

LARGEST_BLOCK = 6
"""Edge, in voxels, of the largest block that a move exchanges."""


@SPACES.register("pixel")
class Pixel(Voxels):
    """The density of every voxel, clipped to [0, 1]; no trust region, as in figure 5 of the report of Cang et al.

    The coordinate is the density rather than its logit: designs start from zeros and ones, where a logit is infinite
    and its gradient vanishes, so that the start would first have to be made grey.
    """

    step_size = 0.02

    def move(self, x: torch.Tensor, rows: torch.Tensor, seed: int) -> torch.Tensor:
        """Exchange two blocks of each microstructure, of one random size and at random places, so that porosity stays.

        Where the blocks meet, what they share takes the second's place.
        """
        random = torch.Generator().manual_seed(seed)
        shape = self._shape[1:]
        image = x.view(len(x), *shape)
        changed = image.clone()
        for number in range(len(x)):
            edges = [int(torch.randint(1, min(LARGEST_BLOCK, edge) + 1, (), generator=random)) for edge in shape]
            a, b = (_block(shape, edges, random) for _ in range(2))
            changed[number][a] = image[number][b]
            changed[number][b] = image[number][a]
        return changed.flatten(1)


def _block(shape: tuple[int, ...], edges: list[int], random: torch.Generator) -> tuple[slice, ...]:
    first = [int(torch.randint(n - edge + 1, (), generator=random)) for n, edge in zip(shape, edges, strict=True)]
    return tuple(slice(f, f + edge) for f, edge in zip(first, edges, strict=True))
