"""Guidance: denoisers that are asked for a porosity, or for anything that is differentiable in the density."""

from __future__ import annotations

from collections.abc import Callable

import torch

from matopt.generators.diffusion.denoiser import Logit

Energy = Callable[[torch.Tensor], torch.Tensor]
"""Maps densities ``(N, 1, *S)`` in [0, 1] to energies ``(N,)``, each of its own sample alone and differentiable:
samples are asked to be ``exp(-energy)`` times as likely as they would be."""

ITERATIONS = 40
"""Halvings of the interval in which the shift of log odds is sought."""

LARGEST_SHIFT = 60.0
"""Of log odds: beyond it, every voxel has changed its phase."""

LEAST_SLOPE = 1e-9
"""Of the mean density over a shift of log odds; without any, all voxels are sure."""


def with_porosity(logit: Logit, porosity: torch.Tensor) -> Logit:
    """Shift a denoiser's log odds, the same for all voxels of a sample, until its mean density has a porosity.

    Samples of one porosity have a posterior mean of that porosity, at every noise level. Of voxels that are
    independent given the noise, conditioning on their sum multiplies the odds of all by one factor: this is that
    factor, and what voxels say of each other stays the denoiser's. Differentiable, in the porosity as well.

    Args:
        logit: the denoiser.
        porosity: ``(N,)`` that each sample shall have.
    """

    def shifted(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        found = logit(y, sigma)
        wanted = 1 - porosity.to(found)
        shift = shift_to_solid_fraction(found.detach(), wanted.detach())
        return found + shift + _derivative(found + shift, wanted)

    return shifted


def _derivative(logit: torch.Tensor, solid_fraction: torch.Tensor) -> torch.Tensor:
    """Zeros with the derivative of the shift that holds the mean density: a step of Newton's, by implicit
    differentiation."""
    density = torch.sigmoid(logit)
    slope = (density * (1 - density)).flatten(1).mean(1).detach().clamp(min=LEAST_SLOPE)
    step = (solid_fraction - density.flatten(1).mean(1)) / slope
    return (step - step.detach()).view(-1, *[1] * (logit.ndim - 1))


def shift_to_solid_fraction(logit: torch.Tensor, solid_fraction: torch.Tensor) -> torch.Tensor:
    """Find what to add to log odds ``(N, 1, *S)`` so that the mean densities are ``solid_fraction`` ``(N,)``."""
    flat = logit.flatten(1)
    low = torch.full_like(solid_fraction, -LARGEST_SHIFT)
    high = -low
    for _ in range(ITERATIONS):
        middle = 0.5 * (low + high)
        too_low = torch.sigmoid(flat + middle[:, None]).mean(1) < solid_fraction
        low, high = torch.where(too_low, middle, low), torch.where(too_low, high, middle)
    return (0.5 * (low + high)).view(-1, *[1] * (logit.ndim - 1))


def with_energy(logit: Logit, energy: Energy) -> Logit:
    """Weigh a denoiser's samples by ``exp(-energy)``.

    The log odds of a voxel fall by what the energy of the mean density rises with that voxel's density: the mean-field
    posterior of the weighted distribution, to first order. Nothing is differentiated through the denoiser (as in
    Chung et al. 2023, arXiv 2209.14687, which would cost three times as much).

    Args:
        logit: the denoiser.
        energy: see :data:`Energy`.
    """

    def weighted(y: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        found = logit(y, sigma)
        with torch.enable_grad():
            density = torch.sigmoid(found).detach().requires_grad_()
            (slope,) = torch.autograd.grad(energy(density).sum(), density)
        return found - slope

    return weighted
