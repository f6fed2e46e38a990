"""Samples of a denoiser, narrowed until they have as much surface as what it was taught."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from matopt.descriptors.clusters import connected_clusters
from matopt.descriptors.phases import GRAIN, PORE, volume_fraction
from matopt.descriptors.surface import specific_surface
from matopt.generators.diffusion.denoiser import LocalDenoiser, Logit, own_logit
from matopt.generators.diffusion.sampler import LOWEST

HIGHEST_SHARPENED = 2.0
"""The noise level from which on the surroundings of a voxel count for what they say: large bodies are settled there."""

VOXELS_COMPARED = 2**19
"""How many voxels are drawn for each weight that is tried."""

MOST_COMPARED = 128
"""And how many samples at most."""

WEIGHTS = (1.0, 1.5, 2.0, 2.5)
"""Weights at the lowest noise level that are tried, ascending; none below or beyond is taken."""


def sharpened(denoiser: LocalDenoiser, prior_logit: float, weight: float, periodic: bool = False) -> Logit:
    """Weigh what the surroundings of a voxel say the more, the less noise is left.

    A denoiser that is right on average is a little unsure everywhere, and a sampler adds its errors up over the levels:
    what is rare in the material, single voxels say, becomes several times as frequent. A weight above 1 on the log odds
    that surroundings add to those of any voxel counteracts it, as a temperature below 1 does.

    Args:
        denoiser: what was learnt.
        prior_logit: the log odds of the solid fraction.
        weight: at the lowest noise level; it falls to 1 at :data:`HIGHEST_SHARPENED`, evenly in the logarithm.
        periodic: opposite borders are joined.
    """

    def logit(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        share = ((HIGHEST_SHARPENED / sigma).log() / math.log(HIGHEST_SHARPENED / LOWEST)).clamp(0.0, 1.0)
        surroundings = denoiser.network_logit(y, sigma, periodic) - prior_logit
        return own_logit(y, sigma) + prior_logit + (1 + (weight - 1) * share) * surroundings

    return logit


def n_compared(shape: Sequence[int]) -> int:
    """How many samples of a shape :func:`find_weight` needs to be given."""
    return min(max(8, VOXELS_COMPARED // math.prod(shape)), MOST_COMPARED)


def find_weight(draw: Callable[[float], torch.Tensor], train: torch.Tensor) -> float:
    """Find the weight with which samples have the surface and the debris of the training microstructures.

    Compared are the means of the specific surface and of the numbers of small clusters of either phase
    (:data:`matopt.descriptors.clusters.SMALL`). They are measured at :data:`WEIGHTS` and interpolated; the weight whose
    differences, in standard errors, have the least sum of squares is taken. What a difference in porosity between the
    two sets makes of them is taken out by their slopes over porosity in training.

    Args:
        draw: gives samples ``(N, 1, *S)`` of a weight, from the same noise each time.
        train: ``(M, 1, *S)`` training microstructures, as large as samples: counts of clusters grow with the image.
    """
    porosity, figures = _measured(train)
    from_mean = porosity - porosity.mean()
    slope = (from_mean[:, None] * figures).mean(0) / from_mean.square().mean().clamp(min=1e-12)
    residual = figures - figures.mean(0) - from_mean[:, None] * slope

    excess = []
    for weight in WEIGHTS:
        samples = draw(weight)
        assert samples.shape[1:] == train.shape[1:]
        drawn_porosity, drawn = _measured((samples >= 0.5).float())
        excess.append((drawn - figures.mean(0)).mean(0) - slope * (drawn_porosity.mean() - porosity.mean()))
    count = len(drawn)
    error = (residual.square().mean(0) * (1 / len(train) + 1 / count)).sqrt().clamp(min=1 / count)
    deviations = (torch.stack(excess) / error).cpu().numpy()
    weights = np.linspace(WEIGHTS[0], WEIGHTS[-1], 151)
    between = np.stack([np.interp(weights, WEIGHTS, column) for column in deviations.T])
    return float(weights[(between**2).sum(0).argmin()])


def _measured(density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The ``(N,)`` porosities, and the ``(N, 3)`` specific surfaces and numbers of small pores and grains."""
    density = density.double()
    small = [connected_clusters(density, phase).small_count.double() for phase in (PORE, GRAIN)]
    # In voxel faces of an image, so that one more or less weighs as one cluster does.
    surface = specific_surface(density, voxel_size=1.0) * density[0].numel()
    return volume_fraction(density), torch.stack([surface, *small], 1)
