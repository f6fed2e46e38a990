"""Images and volumes at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

SMOOTH = {2: "bilinear", 3: "trilinear"}


def shapes(shape: Sequence[int], smallest: int) -> list[tuple[int, ...]]:
    """List shapes from coarse to fine, each half of the next, down to a shortest edge of ``smallest`` or more."""
    found = [tuple(shape)]
    while min(found[0]) >= 2 * smallest:
        found.insert(0, tuple((edge + 1) // 2 for edge in found[0]))
    return found


def resized(density: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Bring ``(N, 1, *S)`` to another shape: means over voxels where it is coarser, interpolation where it is finer."""
    if all(new <= old for new, old in zip(shape, density.shape[2:], strict=True)):
        return functional.interpolate(density, size=tuple(shape), mode="area")
    return functional.interpolate(density, size=tuple(shape), mode=SMOOTH[len(shape)], align_corners=False)
