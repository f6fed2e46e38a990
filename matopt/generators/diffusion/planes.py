"""A denoiser of volumes out of denoisers of images: the three planes through a voxel as witnesses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from matopt.generators.diffusion.denoiser import LocalDenoiser, Logit, own_logit

Weight = Callable[[torch.Tensor], torch.Tensor]
"""Maps a noise level ``()`` to what a plane's witness counts there, see :func:`planes_logit`."""

SLICES_AT_ONCE = 64
"""How many slices a denoiser takes at once."""


def planes_logit(
    denoisers: Sequence[LocalDenoiser], prior_logit: float, weight: Weight, periodic: bool = False
) -> Logit:
    """Combine what denoisers of images say of the three planes through each voxel of a volume.

    The log odds of grain are ``own + prior + w sum_a (plane_a - prior)``: the voxel's own exact likelihood, the odds of
    any voxel, and what the surroundings within the slice normal to axis ``a`` add to these. With ``w = 1`` this is
    Bayes' rule for planes that are independent given the voxel. They are not: near voxels lie in two planes and count
    twice, while what none of the planes holds is missing; hence the weight.

    Args:
        denoisers: three, of slices normal to axes 0, 1 and 2; the same one thrice for an isotropic material.
        prior_logit: the log odds of the solid fraction.
        weight: ``w``, of the noise level.
        periodic: opposite borders of the volume are joined.

    Source: one network that denoises slices of all three orientations, in turns there, is that of Lee and Yun (2023,
    arXiv 2308.14035).
    """

    def logit(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        witnessed = torch.zeros_like(y)
        for axis, denoiser in enumerate(denoisers):
            slices = y[:, 0].movedim(1 + axis, 1)
            flat = slices.flatten(0, 1)[:, None]
            found = torch.cat([denoiser.network_logit(part, sigma, periodic) for part in flat.split(SLICES_AT_ONCE)])
            witnessed += found[:, 0].view(slices.shape).movedim(1, 1 + axis)[:, None] - prior_logit
        return own_logit(y, sigma) + prior_logit + weight(sigma) * witnessed

    return logit
