"""Design in the latent space of a generator."""

from __future__ import annotations

import math

import torch

from matopt.descriptors.style import StyleFeatures
from matopt.design.spaces.base import SPACES, Material, Space
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.generators.base import Generator, LatentGenerator

N_SAMPLES = 200
"""How many samples of the generator the trust region is made from where no authentic microstructures are at hand."""


@SPACES.register("latent")
class Latent(Space):
    """The codes of a generator, in the ball that holds 95 % of its prior.

    Outside that ball the decoder was never trained, and a predictor is easily led there. The ball alone does not keep
    designs to the material: it is so wide along any single direction that the stiffest image in it is solid grain. A
    trust region does.

    Args:
        quantile: of the trust region. By default designs stay as near to the authentic microstructures as the median
            authentic one is to the others; a wider region lets them go to nearly solid grain.
    """

    def __init__(self, quantile: float = 0.5) -> None:
        if not 0 < quantile <= 1:
            raise InputError(f"quantile must be above 0 and at most 1, got {quantile}")
        self._quantile = quantile

    @classmethod
    def missing_from(cls, generator: type[Generator]) -> str | None:
        """Name the latent space that a generator may not have."""
        return None if issubclass(generator, LatentGenerator) else "latent space"

    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        """Encode the starts, or draw codes from the prior, which decode to the generator's samples of that seed."""
        self._generator = _latent(material)
        if material.starts is None:
            z = torch.randn(n, self._generator.latent_dim, generator=torch.Generator().manual_seed(seed))
            return z.to(material.device)
        with torch.no_grad():
            return self._generator.encode(material.starts.density(material.device))

    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Decode codes."""
        return self._generator.decode(x)

    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Shorten codes that are longer than the radius of the ball to it."""
        radius = prior_radius(self._generator.latent_dim)
        return x * (radius / x.norm(dim=1, keepdim=True).clamp_min(radius))

    def trust_region(self, material: Material, seed: int) -> MorphologyTrustRegion:
        """Make the trust region from the authentic microstructures, or from samples of the generator without them."""
        if material.authentic is not None:
            density = material.authentic.density(material.device)
        else:
            density = _latent(material).sample(N_SAMPLES, seed).detach()
        return MorphologyTrustRegion(StyleFeatures(density), density, self._quantile)


def prior_radius(latent_dim: int) -> float:
    """The 95 % quantile of the norm of N(0, I) in ``latent_dim`` dimensions.

    Wilson and Hilferty's approximation of the chi-squared distribution (1931), good to a percent.
    """
    share = 2 / (9 * latent_dim)
    return math.sqrt(latent_dim * (1 - share + 1.6449 * math.sqrt(share)) ** 3)


def _latent(material: Material) -> LatentGenerator:
    if not isinstance(material.generator, LatentGenerator):
        raise InputError("design: this generator has no latent space; set design.spaces to [pixel]")
    return material.generator
