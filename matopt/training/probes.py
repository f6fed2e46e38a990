"""Probes: densities derived from the data that lie away from them, at which traits are checked too.

A trait that is only asked for at the data repeats what the data say. A design moves: through grey densities, to thinner
and thicker pores, into noise. Probes are the densities that such moves lead to, made from the data themselves, without
a generator, and at which the physics can be solved like at any other.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def probes(density: torch.Tensor, seed: int = 0) -> dict[str, torch.Tensor]:
    """Move each sample of ``density`` ``(N, 1, *S)`` away from the data, once in each of five ways.

    "mixed": the mean of the sample and the one before it, grey where they differ (between the data). "thinned" and
    "thickened": the solid eroded and dilated by one voxel in every direction (beyond the data). "speckled": one voxel
    in twenty exchanged for the other phase (noise). "faded": half the density (grey everywhere).

    Args:
        density: solid fractions in [0, 1].
        seed: of the speckles.
    """
    chosen = (
        torch.rand(density.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(density.device)
        < 0.05
    )
    return {
        "mixed": (density + density.roll(1, 0)) / 2,
        "thinned": -_largest_neighbour(-density),
        "thickened": _largest_neighbour(density),
        "speckled": torch.where(chosen, 1 - density, density),
        "faded": density / 2,
    }


def with_probes(density: torch.Tensor) -> torch.Tensor:
    """Append all probes to the samples of ``density`` ``(N, 1, *S)``, kind by kind: ``(6 N, 1, *S)``."""
    return torch.cat([density, *probes(density).values()])


def half_probed(density: torch.Tensor, step: int) -> torch.Tensor:
    """Replace the second half of a training batch by its probes, of another kind at each ``step``.

    Args:
        density: ``(N, 1, *S)``.
        step: of the training.
    """
    kinds = list(probes(density, seed=step).values())
    half = len(density) // 2
    return torch.cat([density[:half], kinds[step % len(kinds)][half:]])


def _largest_neighbour(density: torch.Tensor) -> torch.Tensor:
    pool = functional.max_pool2d if density.ndim == 4 else functional.max_pool3d
    around = functional.pad(density, (1, 1) * (density.ndim - 2), mode="circular")
    return pool(around, kernel_size=3, stride=1)
