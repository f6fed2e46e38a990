"""The lineal path function L: the probability that a whole line segment lies in a phase."""

from __future__ import annotations

import torch

from matopt.descriptors.phases import PORE, indicator


def lineal_path(density: torch.Tensor, length: int, phase: int = PORE, periodic: bool = False) -> torch.Tensor:
    """Measure the lineal path function L of a phase along each axis.

    ``L(z)`` is the share of segments from voxel ``x`` to voxel ``x + z`` along an axis, all ``z + 1`` voxels counted,
    that lie wholly in the phase. ``L(0)`` is the volume fraction. Grey voxels count by the product of their values.

    Args:
        density: ``(N, 1, *S)`` solid fractions.
        length: the largest ``z``, in voxels; less than the shortest edge.
        phase: 0 (pore) or 1 (grain).
        periodic: the microstructure repeats.

    Returns:
        ``(N, d, length + 1)``: one curve for each of the d axes. Differentiable.

    Raises:
        ValueError: wrong shape or phase, or a length that the image does not hold.

    Source: Lu and Torquato, Phys. Rev. A 45, 922 (1992).
    """
    inside = indicator(density, phase)
    if not 0 <= length < min(inside.shape[1:]):
        raise ValueError(
            f"length must lie between 0 and {min(inside.shape[1:]) - 1} for images of {tuple(inside.shape[1:])};"
            f" got {length}"
        )
    return torch.stack([_along(inside.movedim(a, -1), length, periodic) for a in range(1, inside.ndim)], dim=1)


def _along(inside: torch.Tensor, length: int, periodic: bool) -> torch.Tensor:
    """The lineal path function ``(N, length + 1)`` along the last axis of ``inside`` ``(N, *S)``."""
    size = inside.shape[-1]
    if periodic:
        inside = torch.cat([inside, inside[..., :length]], dim=-1)
    whole = inside
    values = []
    for z in range(length + 1):
        if z > 0:
            whole = whole[..., :-1] * inside[..., z:]
        starts = whole[..., :size] if periodic else whole
        values.append(starts.flatten(1).mean(1))
    return torch.stack(values, dim=1)
