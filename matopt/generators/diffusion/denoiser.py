"""The denoiser of two-phase microstructures: what a noisy voxel itself says, and what its surroundings say."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from matopt.generators.diffusion.networks import LocalUNet
from matopt.training.half_precision import half_precision
from matopt.training.initial import build

Logit = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A denoiser: maps noisy phases ``y = x + sigma n`` ``(N, 1, *S)``, ``x`` -1 in pores and 1 in grain, and the noise
level ``sigma`` ``()`` to the log odds of grain ``(N, 1, *S)``. The samplers take any such function."""

CERTAIN = 30.0
"""The largest log odds of a voxel's own likelihood: beyond it single precision tells no difference from certainty."""

LEAST_FRACTION = 1e-6
"""Of a phase, in log odds: training images may have one alone."""


def prior_logit(solid_fraction: float) -> float:
    """The log odds that a voxel is grain, as far as is known of any voxel of a material."""
    solid = min(max(solid_fraction, LEAST_FRACTION), 1 - LEAST_FRACTION)
    return math.log(solid / (1 - solid))


def own_logit(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The exact log odds of grain that a noisy voxel gives by itself, ``2 y / sigma^2``, up to :data:`CERTAIN`.

    Args:
        y: ``(N, 1, *S)`` noisy phases.
        sigma: ``(N,)`` or ``()`` their noise levels.
    """
    return (2 * y / sigma.view(-1, *[1] * (y.ndim - 1)) ** 2).clamp(-CERTAIN, CERTAIN)


def phases(logit: torch.Tensor) -> torch.Tensor:
    """The expected phases, in -1 (pore) to 1 (grain), of log odds of grain."""
    return torch.tanh(0.5 * logit)


class LocalDenoiser(nn.Module):
    """A denoiser by Bayes' rule: a voxel's own exact likelihood times its odds given its surroundings, a network.

    Noise is independent from voxel to voxel, so that the posterior log odds of a voxel are the sum of the two. The
    network learns the second alone, and is not asked for it beyond its field of view.

    Args:
        dims: 2 for images, 3 for volumes.
        channels: of the network, see :class:`matopt.generators.diffusion.networks.LocalUNet`.
    """

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.network = LocalUNet(dims, channels)

    @classmethod
    def seeded(cls, dims: int, channels: int, seed: int) -> LocalDenoiser:
        """Build one with initial parameters from ``seed`` alone."""
        return build(lambda: cls(dims, channels), seed)

    @classmethod
    def restored(
        cls, dims: int, channels: int, parameters: dict[str, torch.Tensor], device: torch.device
    ) -> LocalDenoiser:
        """Build one with learnt parameters, to be used on a device."""
        denoiser = cls.seeded(dims, channels, seed=0)
        denoiser.load_state_dict(parameters)
        return denoiser.to(device).eval()

    def network_logit(self, y: torch.Tensor, sigma: torch.Tensor, periodic: bool = False) -> torch.Tensor:
        """Estimate the log odds of grain that a voxel's surroundings give it.

        Args:
            y: ``(N, 1, *S)`` noisy phases.
            sigma: ``(N,)`` or ``()`` their noise levels.
            periodic: opposite borders are joined; otherwise nothing is known beyond a border.
        """
        with half_precision(y.device, self.network.least_edge(y.shape[2:]), self.network.least_channels):
            return self.network(y, sigma, periodic).float()

    def forward(self, y: torch.Tensor, sigma: torch.Tensor, periodic: bool = False) -> torch.Tensor:
        """Estimate the log odds of grain ``(N, 1, *S)``: :func:`own_logit` plus :meth:`network_logit`."""
        return own_logit(y, sigma) + self.network_logit(y, sigma, periodic)
