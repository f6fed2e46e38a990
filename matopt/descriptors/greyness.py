"""How undecided raw samples are: what binarising them hides."""

from __future__ import annotations

import torch


def grey_share(density: torch.Tensor) -> torch.Tensor:
    """``(N,)`` shares of voxels of ``(N, 1, *S)`` whose density lies strictly between 0.1 and 0.9."""
    return ((density > 0.1) & (density < 0.9)).flatten(1).float().mean(1)
