"""The two-point cluster function C2: the probability that both ends of a segment lie in one connected cluster."""

from __future__ import annotations

import torch

from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.phases import PORE


def two_point_cluster(density: torch.Tensor, length: int, phase: int = PORE) -> torch.Tensor:
    """Measure the two-point cluster function C2 of a phase along each axis.

    ``C2(z)`` is the share of pairs of voxels ``x`` and ``x + z`` along an axis that lie in the same cluster, connected
    through faces inside the image. ``C2(0)`` is the volume fraction. The lineal path function is never above it, as a
    segment connects its ends, and S2 never below. It sees connectedness, to which S2 is blind.

    Args:
        density: ``(N, 1, *S)`` binary densities, zeros and ones.
        length: the largest ``z``, in voxels; less than the shortest edge.
        phase: 0 (pore) or 1 (grain).

    Returns:
        ``(N, d, length + 1)`` float32: one curve for each of the d axes.

    Raises:
        ValueError: wrong shape or phase, grey voxels, or a length that the image does not hold.

    Source: Torquato, Beasley and Chiew, J. Chem. Phys. 88, 6540 (1988).
    """
    label = connected_clusters(density, phase).label
    shape = tuple(label.shape[1:])
    if not 0 <= length < min(shape):
        raise ValueError(f"length must lie between 0 and {min(shape) - 1} for images of {shape}; got {length}")
    curves = []
    for axis in range(1, label.ndim):
        along = label.movedim(axis, -1)
        size = along.shape[-1]
        same = [(along[..., : size - z] == along[..., z:]) & (along[..., z:] > 0) for z in range(length + 1)]
        curves.append(torch.stack([s.flatten(1).float().mean(1) for s in same], dim=1))
    return torch.stack(curves, dim=1)
