"""Markov random fields drawn in raster order, voxel by voxel, all microstructures of a batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.generators.markov.forest import Forest


@dataclass(frozen=True)
class Correction:
    """What holds the solid fraction of each microstructure while it is drawn.

    The total of a voxel's forest is raised by ``gain`` for each voxel of grain that is missing so far.

    Attributes:
        counts: ``(P,)`` bool, which of the drawn voxels are counted.
        due: ``(P,)`` int32, how many voxels of grain should have been counted before each.
        gain: in units of the forest's total; 0 leaves the fraction free.
    """

    counts: torch.Tensor
    due: torch.Tensor
    gain: int


def draw(
    forest: Forest, lags: torch.Tensor, first: torch.Tensor, needed: torch.Tensor, correction: Correction
) -> torch.Tensor:
    """Draw P voxels of n sequences, each from those before it; returns ``(L + P, n)`` uint8, 1 where grain.

    Args:
        forest: of the voxels' probabilities.
        lags: ``(F,)`` int64 in 1 to L: how many voxels before a voxel its neighbours lie.
        first: ``(L, n)`` uint8, what the sequences begin with.
        needed: ``(P, n)`` int32, the totals of the forest from which on a voxel is grain.
        correction: of the fraction of grain.
    """
    start = len(first)
    phases = torch.cat([first, first.new_empty(needed.shape)])
    grains = torch.zeros(needed.shape[1], dtype=torch.int32, device=needed.device)
    for place, enough in enumerate(needed):
        total = forest.totals(phases[start + place - lags])
        total = total + correction.gain * (correction.due[place] - grains)
        phases[start + place] = total >= enough
        grains += phases[start + place] * correction.counts[place]
    return phases
