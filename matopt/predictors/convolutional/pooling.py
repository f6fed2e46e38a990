"""The resolution at which convolutional predictors see samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

RESOLUTION = {2: 128, 3: 64}
"""The longest edge, in pixels, of samples that are seen as they are, by the number of dimensions."""


def pooled_shape(shape: Sequence[int], resolution: int | None) -> tuple[int, ...]:
    """The shape of samples that are averaged down where their longest edge is more than ``resolution`` pixels.

    None stands for :data:`RESOLUTION`.
    """
    resolution = RESOLUTION[len(shape)] if resolution is None else resolution
    shrink = max(1.0, max(shape) / resolution)
    return tuple(max(1, round(edge / shrink)) for edge in shape)


def pooled(fields: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Average ``(N, C, *S)`` down to a shape; differentiable."""
    pool = functional.adaptive_avg_pool2d if len(shape) == 2 else functional.adaptive_avg_pool3d
    return pool(fields, tuple(shape))  # ty: ignore[invalid-argument-type]
