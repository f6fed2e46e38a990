"""The binary microstructure that a grey density stands for, at a porosity that is held."""

from __future__ import annotations

import torch

LEVELS = (0.25, 0.75)
"""Between these a density may be cut: what lies beyond them is one phase for sure."""


def binarised(density: torch.Tensor, porosity: torch.Tensor | None, tolerance: float) -> torch.Tensor:
    """Cut densities at one half, or at the level nearest to it that gives them the porosity that is held.

    Args:
        density: ``(M, 1, *S)`` in [0, 1].
        porosity: ``(M,)`` that are held; None cuts all at one half.
        tolerance: on the porosities.

    Returns:
        ``(M, 1, *S)`` of zeros and ones. Its porosity is outside the tolerance where no level within :data:`LEVELS`
        does better.
    """
    if porosity is None:
        return (density >= 0.5).to(density.dtype)
    flat = density.flatten(1)
    n = flat.shape[1]
    # A voxel more or less is not held against rounding.
    fewest = ((1 - porosity - tolerance) * n - 1e-3).ceil().long().clamp(0, n)
    most = ((1 - porosity + tolerance) * n + 1e-3).floor().long().clamp(0, n)
    grain = (flat >= 0.5).sum(1)
    wanted = torch.maximum(torch.minimum(grain, most), fewest)
    # Ties are broken in the order of the voxels.
    rank = flat.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    is_grain = ((rank < wanted[:, None]) | (flat > LEVELS[1])) & (flat >= LEVELS[0])
    return is_grain.to(density.dtype).view_as(density)
