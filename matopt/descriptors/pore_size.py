"""Sizes of pores: how far a point is from the grain, and how large a ball is that covers it without touching grain."""

from __future__ import annotations

import torch

from matopt.descriptors.phases import PORE, binary_indicator


def distance_to_interface(density: torch.Tensor, phase: int = PORE) -> torch.Tensor:
    """Transform a phase to the Euclidean distances of its voxels' centres from the nearest one of the other phase.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
        phase: 0 (pore) or 1 (grain).

    Returns:
        ``(N, *S)`` float32, in voxels; 0 in the other phase, infinite where the image has no voxel of it.

    Raises:
        ValueError: wrong shape or phase, or grey voxels.

    Source: separable minima over parabolas, Saito and Toriwaki, Pattern Recognition 27, 1551 (1994).
    """
    inside = binary_indicator(density, phase)
    squared = _squared_distance(~inside, reach=max(inside.shape[1:]) - 1)
    return torch.where(squared == FAR, torch.inf, squared.float().sqrt())


def pore_radius(density: torch.Tensor, largest: int, phase: int = PORE) -> torch.Tensor:
    """Find for each voxel of a phase the radius of the largest ball in the phase that covers it: the local thickness.

    Radii are whole numbers of voxels; a slit two or one voxels wide has radius 1. The border of the image is no wall.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
        largest: radius, in voxels; what would hold larger balls gets this radius.
        phase: 0 (pore) or 1 (grain).

    Returns:
        ``(N, *S)`` int64, from 1 to ``largest``; 0 in the other phase.

    Raises:
        ValueError: wrong shape or phase, grey voxels, or a radius below 1.

    Source: Hildebrand and Rueegsegger, J. Microsc. 185, 67 (1997); ball and voxel as in PoreSpy's local thickness.
    """
    if largest < 1:
        raise ValueError(f"largest must be at least 1 voxel; got {largest}")
    inside = binary_indicator(density, phase)
    depth = _squared_distance(~inside, reach=largest)
    radius = inside.long()
    for r in range(2, largest + 1):
        centres = depth >= r**2
        holding = centres.flatten(1).any(1).nonzero()[:, 0]
        if not len(holding):
            break
        covered = _squared_distance(centres[holding], reach=r - 1) < r**2
        radius[holding] = torch.where(covered, r, radius[holding])
    return radius


def pore_size_distribution(density: torch.Tensor, largest: int, phase: int = PORE) -> torch.Tensor:
    """Measure the volume fractions ``(N, largest)`` of the voxels with :func:`pore_radius` 1, 2, ..., ``largest``."""
    radius = pore_radius(density, largest, phase).flatten(1)
    return torch.stack([(radius == r).float().mean(1) for r in range(1, largest + 1)], dim=1)


FAR = 1 << 30
"""Stands for the squared distance from what is not there."""


def _squared_distance(target: torch.Tensor, reach: int) -> torch.Tensor:
    """Square the distances from the nearest voxel of ``target`` ``(N, *S)`` that is within ``reach`` along each axis.

    :data:`FAR` where there is none.
    """
    squared = torch.where(target, 0, FAR).to(torch.int32)
    for axis in range(1, target.ndim):
        size = target.shape[axis]
        nearest = squared.clone()
        for step in range(1, min(reach, size - 1) + 1):
            kept = size - step
            for here, there in ((0, step), (step, 0)):
                part = nearest.narrow(axis, here, kept)
                torch.minimum(part, squared.narrow(axis, there, kept) + step**2, out=part)
        squared = nearest.clamp_(max=FAR)
    return squared
