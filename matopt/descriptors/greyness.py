"""The grey share of raw samples: how undecided a generator is, which binarising hides."""

from __future__ import annotations

import torch


def grey_share(density: torch.Tensor) -> torch.Tensor:
    """``(N,)`` shares of the voxels of densities ``(N, 1, *S)`` that lie strictly between 0.1 and 0.9."""
    return ((density > 0.1) & (density < 0.9)).flatten(1).float().mean(1)
