"""The indicator function and the volume fraction of a phase."""

from __future__ import annotations

import torch

PORE = 0
GRAIN = 1


def indicator(density: torch.Tensor, phase: int) -> torch.Tensor:
    """Evaluate the indicator function of ``phase``: 1 inside it, 0 outside, in between in grey voxels.

    Args:
        density: ``(N, 1, *S)`` solid fractions, S of 2 or 3 axes.
        phase: 0 (pore) or 1 (grain).

    Returns:
        ``(N, *S)``: the density for grain, one minus the density for pore.

    Raises:
        ValueError: another shape or phase.
    """
    if density.ndim not in (4, 5) or density.shape[1] != 1:
        raise ValueError(f"density must have shape (N, 1, *S), S of 2 or 3 axes; got {tuple(density.shape)}")
    if phase not in (PORE, GRAIN):
        raise ValueError(f"phase must be 0 (pore) or 1 (grain); got {phase}")
    return density[:, 0] if phase == GRAIN else 1 - density[:, 0]


def binary_indicator(density: torch.Tensor, phase: int) -> torch.Tensor:
    """Find the voxels of ``phase`` in binary densities ``(N, 1, *S)``: ``(N, *S)`` bool.

    Raises:
        ValueError: another shape or phase than those of :func:`indicator`, or grey voxels.
    """
    inside = indicator(density, phase)
    if not ((inside == 0) | (inside == 1)).all():
        raise ValueError("this is a statistic of binary microstructures; threshold grey voxels first")
    return inside == 1


def volume_fraction(density: torch.Tensor, phase: int = PORE) -> torch.Tensor:
    """Measure the volume fraction ``(N,)`` of ``phase`` in densities ``(N, 1, *S)``; of pores, the porosity."""
    return indicator(density, phase).flatten(1).mean(1)
