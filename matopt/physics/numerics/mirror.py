"""Continues samples that are not periodic by their mirror images."""

from __future__ import annotations

import torch


def mirrored(density: torch.Tensor) -> torch.Tensor:
    """Continue ``(N, 1, *S)`` by its reflections in the last face of each axis, ``(N, 1, *2S)``, periodic together.

    Gradients flow back through it. The reflected sample's effective tensors have no terms that are odd in an axis.
    """
    for axis in range(2, density.ndim):
        density = torch.cat([density, density.flip(axis)], axis)
    return density


def folded(values: torch.Tensor) -> torch.Tensor:
    """Add up what the voxels ``(N, 1, *2S)`` of mirrored samples and their images do, ``(N, 1, *S)``."""
    for axis in range(2, values.ndim):
        n = values.shape[axis] // 2
        values = values.narrow(axis, 0, n) + values.narrow(axis, n, n).flip(axis)
    return values
