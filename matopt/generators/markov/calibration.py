"""Corrects the mean solid fraction that a Markov random field drifts to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from matopt.generators.markov.canvas import sample
from matopt.generators.markov.forest import Forest

SAMPLES = 512
EDGE = {2: 64, 3: 24}
"""Voxels along an edge of what is drawn to measure the fraction, at most, by the number of dimensions."""
ROUNDS = 4
FIRST_SLOPE, SLOPES = 1.0, (0.2, 5.0)
"""How much the fraction changes with the logits: a first guess in shares of ``f (1 - f)``, and the range believed."""


def calibrated(forest: Forest, offsets: torch.Tensor, shape: Sequence[int], solid_fraction: float, seed: int) -> Forest:
    """Shift all logits by a constant, so that samples have the solid fraction ``solid_fraction`` on average.

    Small errors of the probabilities add up over a raster, as every voxel is drawn from those drawn before. The
    constant is found by the secant method on samples of one seed.
    """
    window = [min(edge, EDGE[len(shape)]) for edge in shape]
    scale = solid_fraction * (1 - solid_fraction)
    shift, slope, before = 0.0, FIRST_SLOPE, None
    for _ in range(ROUNDS):
        generator = torch.Generator().manual_seed(seed)
        shifted = replace(forest, offset=forest.offset + shift)
        drawn = sample(shifted, offsets, window, SAMPLES, solid_fraction, False, generator)
        miss = (float(drawn.float().mean()) - solid_fraction) / scale
        if before is not None and shift != before[0]:
            slope = min(max((miss - before[1]) / (shift - before[0]), SLOPES[0]), SLOPES[1])
        before = shift, miss
        shift -= miss / slope
    return replace(forest, offset=forest.offset + shift)
