"""Continues samples that are not periodic: by their mirror images, or by walls."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def mirrored(density: torch.Tensor, axes: Sequence[int] | None = None) -> torch.Tensor:
    """Continue ``(N, 1, *S)`` by its reflections in the last face of each axis, ``(N, 1, *2S)``, periodic together.

    Gradients flow back through it. The reflected sample's effective tensors have no terms that are odd in an axis.

    Args:
        density: the samples.
        axes: of space; all where not given.
    """
    for axis in range(density.ndim - 2) if axes is None else axes:
        density = torch.cat([density, density.flip(2 + axis)], 2 + axis)
    return density


def folded(values: torch.Tensor, axes: Sequence[int] | None = None) -> torch.Tensor:
    """Add up what the voxels of :func:`mirrored` samples and their images do, ``(N, 1, *S)``."""
    for axis in range(values.ndim - 2) if axes is None else axes:
        n = values.shape[2 + axis] // 2
        values = values.narrow(2 + axis, 0, n) + values.narrow(2 + axis, n, n).flip(2 + axis)
    return values


def walled(density: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Close ``(N, 1, *S)`` along axes of space by a layer of grain, which is a wall on both sides once periodic."""
    room = [0] * (2 * (density.ndim - 2))
    for axis in axes:
        room[-1 - 2 * axis] = 1
    return functional.pad(density, room, value=1.0)


def unwalled(values: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Leave out the layers of :func:`walled` samples."""
    for axis in axes:
        values = values.narrow(2 + axis, 0, values.shape[2 + axis] - 1)
    return values
