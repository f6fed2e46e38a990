"""Detail over shapes: noise is put on them and taken away again by a denoiser of the material."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from matopt.descriptors.phases import volume_fraction
from matopt.descriptors.surface import specific_surface
from matopt.generators.diffusion.denoiser import LocalDenoiser, prior_logit
from matopt.generators.diffusion.sampler import HIGHEST, LOWEST, denoise, n_at_once, noise_levels
from matopt.generators.diffusion.sharpening import sharpened

SHARE = 0.58
"""The noise that is put on shapes, as the deviation of its mean over a body of the material. It leaves little doubt of
where bodies lie, and much of how their walls run and of all that is smaller. Chosen on Berea sandstone, on windows
beside those of the benchmark: a classifier told samples from rock as often with .8, and more often with .3."""

STEP = 0.435
"""The largest distance of noise levels, in their natural logarithm: that of whole samples in twelve steps."""


def redrawing_level(density: torch.Tensor) -> float:
    """The noise level from which the shapes of a material are drawn anew.

    It grows with the size of the material's bodies, so that an enlarged image is drawn as the image itself: the mean of
    noise over ``L^d`` voxels has the deviation ``level / L^(d / 2) =`` :data:`SHARE`. L is the length of a two-point
    correlation that falls exponentially, with the slope that the specific surface s gives it (Debye, Anderson and
    Brumberger, J. Appl. Phys. 28, 679 (1957)): ``p (1 - p) pi / s`` in images, ``4 p (1 - p) / s`` in volumes.

    Args:
        density: ``(N, 1, *S)`` authentic microstructures.
    """
    dims = density.ndim - 2
    p = float(volume_fraction(density).mean())
    surface = float(specific_surface(density, voxel_size=1.0).mean())
    length = {2: math.pi, 3: 4.0}[dims] * p * (1 - p) / max(surface, 1e-9)
    return min(max(SHARE * length ** (dims / 2), 2 * LOWEST), HIGHEST)


@dataclass(frozen=True)
class Detail:
    """A denoiser that puts a material's detail on shapes that have its layout alone (SDEdit, Meng et al. 2022,
    arXiv 2108.01073).

    Attributes:
        denoiser: of the material.
        solid_fraction: of the material.
        level: the noise level that shapes are drawn anew from.
        weight: of what the surroundings of a voxel say, see :func:`matopt.generators.diffusion.sharpening.sharpened`.
    """

    denoiser: LocalDenoiser
    solid_fraction: float
    level: float
    weight: float = 1.0

    def drawn(self, shapes: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Draw ``shapes``, densities ``(N, 1, *S)``, anew from ``noise`` ``(N, 1, *S)`` on them, of deviation 1."""
        logit = sharpened(self.denoiser, prior_logit(self.solid_fraction), self.weight)
        levels = noise_levels(1 + math.ceil(math.log(self.level / LOWEST) / STEP), self.level)
        parts = (2 * shapes - 1 + self.level * noise).split(n_at_once(shapes.shape[2:]))
        return torch.cat([torch.sigmoid(denoise(logit, part, levels)) for part in parts])
