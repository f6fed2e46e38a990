"""The deterministic sampler: from noise to microstructures along the probability flow, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch.utils.checkpoint import checkpoint

from matopt.generators.diffusion.denoiser import Logit, phases

LOWEST = 0.25
"""The last noise level of samples, in units of half the difference of the phases: one voxel in 30 000 is on the wrong
side by noise alone."""

HIGHEST = {2: 30.0, 3: 120.0}
"""The first, by the number of dimensions: nearly nothing is left of a microstructure but noise. What is left counts, as
samples begin without it. The mean of noise over a body of L^d voxels deviates by level / L^(d / 2), so that bodies of
volumes outlast a noise in which those of images are lost: at 30, the two-point correlation of Berea sandstone
alone tells 18 % of the variance of a volume's voxels; of an image's, a denoiser knows 7 %."""

SAMPLING_STEPS = {2: 12, 3: 16}
"""How many there are where no other number is set, by the number of dimensions: as far apart in both."""

VOXELS_AT_ONCE = 2**18
"""How many voxels are denoised at once."""

Hold = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Maps noisy phases and their level to noisy phases of which a part is as it shall be."""


def noise_levels(steps: int, highest: float, lowest: float = LOWEST) -> torch.Tensor:
    """Space ``steps`` noise levels evenly in their logarithm, from ``highest`` down to ``lowest``."""
    return torch.logspace(math.log10(highest), math.log10(lowest), steps, dtype=torch.float32)


def n_at_once(shape: Sequence[int]) -> int:
    """How many microstructures of a shape are denoised at once."""
    return max(1, VOXELS_AT_ONCE // math.prod(shape))


def denoise(logit: Logit, y: torch.Tensor, levels: torch.Tensor, hold: Hold | None = None) -> torch.Tensor:
    """Denoise by DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095), one call of ``logit`` a level.

    Differentiable in ``y``; what a network computes is then computed again rather than kept, step by step.

    Args:
        logit: the denoiser.
        y: ``(N, 1, *S)`` noisy phases of the first level.
        levels: ``(K,)`` falling noise levels.
        hold: applied before every call of the denoiser.

    Returns:
        ``(N, 1, *S)`` log odds of grain at the last level.
    """
    levels = levels.to(y.device)
    before: torch.Tensor | None = None
    last_step = torch.ones((), dtype=torch.float32)
    for level, following in pairwise(levels):
        y = y if hold is None else hold(y, level)
        found = phases(_checkpointed(logit, y, level))
        step = (level / following).log()
        ahead = found if before is None else found + (found - before) * (0.5 * step / last_step)
        y = torch.lerp(ahead, y, following / level)
        before, last_step = found, step
    y = y if hold is None else hold(y, levels[-1])
    return _checkpointed(logit, y, levels[-1])


def holding(x: torch.Tensor, inside: torch.Tensor) -> Hold:
    """Give a denoiser, outside of a region, phases with a noise of one deviation that points to the truth everywhere.

    Odds are all that a denoiser takes from its input: so many that agree leave no doubt of what is held, at noise
    levels where held phases with random noise would say nothing yet of what joins them.

    Args:
        x: ``(N, 1, *S)`` phases that are held.
        inside: ``(N, 1, *S)`` bool, the region that is not.
    """
    return lambda y, level: torch.where(inside, y, x * (1 + level))


def add_noise(logit: Logit, y: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Follow the probability flow upwards by Heun's method, two calls of ``logit`` a level: from data to noise.

    Args:
        logit: the denoiser.
        y: ``(N, 1, *S)`` noisy phases of the last level.
        levels: ``(K,)`` falling noise levels, as :func:`denoise` takes them.

    Returns:
        ``(N, 1, *S)`` noisy phases of the first level, which :func:`denoise` brings back.
    """
    for level, following in pairwise(levels.to(y.device).flip(0)):
        slope = (y - phases(logit(y, level))) / level
        guess = y + (following - level) * slope
        slope = 0.5 * (slope + (guess - phases(logit(guess, following))) / following)
        y = y + (following - level) * slope
    return y


def _checkpointed(logit: Logit, y: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    if torch.is_grad_enabled() and y.requires_grad:
        found = checkpoint(logit, y, level, use_reentrant=False)
        assert isinstance(found, torch.Tensor)
        return found
    return logit(y, level)
