"""Detail over shapes: noise is put on them and taken away again by a denoiser of the material."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from matopt.descriptors.phases import volume_fraction
from matopt.descriptors.surface import specific_surface
from matopt.generators.diffusion.correction import Correction
from matopt.generators.diffusion.denoiser import LocalDenoiser
from matopt.generators.diffusion.guidance import with_porosity
from matopt.generators.diffusion.sampler import HIGHEST, LOWEST, denoise, n_at_once, noise_levels

SHARE = 0.8
"""The noise that is put on shapes, as the deviation of its mean over a body of the material. It leaves little doubt of
where bodies lie, and much of how their walls run and of all that is smaller. Chosen on Berea sandstone, on windows
beside those of the benchmark."""

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
    return min(max(SHARE * length ** (dims / 2), 2 * LOWEST), HIGHEST[dims])


@dataclass(frozen=True)
class PorosityMap:
    """Brings porosities of shapes to the mean and the deviation of authentic ones, in the angle whose squared sine they
    are: there the ends 0 and 1 are near no other value.

    Attributes:
        offset: of the angle.
        slope: of the angle over that of a shape's porosity; positive.
    """

    offset: float
    slope: float

    @classmethod
    def between(cls, shapes: torch.Tensor, authentic: torch.Tensor) -> PorosityMap:
        """Find the map of the porosities ``(N,)`` of shapes to those ``(M,)`` of authentic microstructures."""
        a, b = _angle(shapes), _angle(authentic)
        slope = float(b.std() / a.std().clamp(min=1e-6))
        return cls(float(b.mean()) - slope * float(a.mean()), slope)

    def __call__(self, porosity: torch.Tensor) -> torch.Tensor:
        """Map porosities ``(N,)`` of shapes to those that samples shall have."""
        return (self.offset + self.slope * _angle(porosity)).clamp(0.0, math.pi / 2).sin().square()


def _angle(porosity: torch.Tensor) -> torch.Tensor:
    return porosity.clamp(0.0, 1.0).sqrt().asin()


@dataclass(frozen=True)
class Detail:
    """A denoiser that puts a material's detail on shapes that have its layout alone (SDEdit, Meng et al. 2022,
    arXiv 2108.01073), each at the porosity of its shape.

    Attributes:
        denoiser: of the material.
        solid_fraction: of the material.
        level: the noise level that shapes are drawn anew from.
        porosity: of samples, by that of their shapes.
        correction: of the denoiser.
    """

    denoiser: LocalDenoiser
    solid_fraction: float
    level: float
    porosity: PorosityMap
    correction: Correction = field(default_factory=Correction)

    def drawn(self, shapes: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Draw ``shapes``, densities ``(N, 1, *S)``, anew from ``noise`` ``(N, 1, *S)`` on them, of deviation 1.

        Shapes are cut at one half: the denoiser takes grey for noise that happens to say nothing.
        """
        shapes = (shapes >= 0.5).to(shapes)
        logit = self.correction.logit(self.denoiser, self.solid_fraction)
        levels = noise_levels(1 + math.ceil(math.log(self.level / LOWEST) / STEP), self.level)
        wanted = self.porosity(volume_fraction(shapes))
        size = n_at_once(shapes.shape[2:])
        parts = zip((2 * shapes - 1 + self.level * noise).split(size), wanted.split(size), strict=True)
        return torch.cat([torch.sigmoid(denoise(with_porosity(logit, p), y, levels)) for y, p in parts])
