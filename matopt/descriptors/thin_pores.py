"""How much of a phase is thin: too few voxels wide for what is solved on them."""

from __future__ import annotations

import torch
from torch.nn import functional

from matopt.descriptors.phases import PORE, binary_indicator

THIN = 3
"""Voxels across a pore below which its permeability is the grid's as much as its own."""


def thin_share(density: torch.Tensor, phase: int = PORE, edge: int = THIN) -> torch.Tensor:
    """The share of a phase ``(N,)`` that no square or cube of ``edge`` voxels within the phase covers; 0 of none.

    It is what the opening by that body takes away (Serra, Image Analysis and Mathematical Morphology, 1982). Samples go
    on beyond their borders as they end, so that a body may stand out.

    Args:
        density: ``(N, 1, *S)`` of zeros and ones.
        phase: 1 for grains, 0 for pores.
        edge: of the body, odd.
    """
    inside = binary_indicator(density, phase)[:, None].to(torch.float32)
    covered = _grown(1 - _grown(1 - inside, edge), edge)
    thin = (inside * (1 - covered)).flatten(1).sum(1)
    return thin / inside.flatten(1).sum(1).clamp_min(1)


def _grown(x: torch.Tensor, edge: int) -> torch.Tensor:
    """The largest value within the body around each voxel."""
    dimensions = x.ndim - 2
    pool = functional.max_pool2d if dimensions == 2 else functional.max_pool3d
    return pool(functional.pad(x, [edge // 2] * (2 * dimensions), mode="replicate"), edge, 1)
