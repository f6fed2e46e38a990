"""What the tests of descriptors share: a random medium whose statistics are known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch


@pytest.fixture(scope="session")
def boolean_model() -> Callable[..., torch.Tensor]:
    """Periodic grain with overlapping discs of pore, their number Poisson-distributed."""

    def draw(n: int, edge: int, radius: float, number: float, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        axis = torch.arange(edge, dtype=torch.float64)
        images = torch.ones(n, 1, edge, edge, dtype=torch.float64)
        counts = torch.poisson(torch.full((n,), number, dtype=torch.float64), generator=generator).long().tolist()
        for image, count in zip(images, counts, strict=True):
            for y, x in (torch.rand(count, 2, generator=generator, dtype=torch.float64) * edge).tolist():
                dy, dx = ((axis - c + edge / 2) % edge - edge / 2 for c in (y, x))
                image[0][dy.square()[:, None] + dx.square()[None] <= radius**2] = 0
        return images

    return draw
