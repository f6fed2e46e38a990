"""The grey share of raw samples: how undecided a generator is, which binarising hides."""

from __future__ import annotations

import torch


def grey_share(density: torch.Tensor) -> torch.Tensor:
    """Measure the share ``(N,)`` of voxels strictly between 0.1 and 0.9 in densities ``(N, 1, *S)``."""
    return ((density > 0.1) & (density < 0.9)).flatten(1).float().mean(1)
