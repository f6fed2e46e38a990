"""Design in the latent space of a generator."""

from __future__ import annotations

import math

import torch

from matopt.design.draws import SPARE, nearest_in_porosity, porosities
from matopt.design.spaces.base import SPACES, Material, Space, require_quantile
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.generators.base import Generator, LatentGenerator


@SPACES.register("latent")
class Latent(Space):
    """The codes of a generator, in the ball that holds 95 % of its prior and of held-out authentic microstructures.

    Outside that ball the decoder was never trained, and a predictor is easily led there. The ball alone does not keep
    designs to the material: it is so wide along any single direction that the stiffest image in it is solid grain. A
    trust region does.

    Args:
        quantile: of the trust region: the share of held-out authentic microstructures, and about of the prior, that
            lies inside.
    """

    knows_material = True

    def __init__(self, quantile: float = 0.95) -> None:
        self._quantile = require_quantile(quantile)

    @classmethod
    def missing_from(cls, generator: type[Generator]) -> str | None:
        """Name the latent space that a generator may not have."""
        return None if issubclass(generator, LatentGenerator) else "latent space"

    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        """Encode the starts, or draw codes from the prior, which decode to the generator's samples of that seed."""
        if not isinstance(material.generator, LatentGenerator):
            raise InputError("design: this generator has no latent space; set design.spaces to [pixel]")
        self._generator, self._device = material.generator, material.device
        self._radius = prior_radius(self._generator.latent_dim)
        with torch.no_grad():
            if material.held_out is not None:
                norms = self._generator.encode(material.held_out.density(self._device)).norm(dim=1)
                self._radius = max(self._radius, float(norms.quantile(0.95)))
            if material.starts is not None:
                return self._generator.encode(material.starts.density(self._device))
        return self._codes(n, seed)

    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Decode codes."""
        return self._generator.decode(x)

    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Shorten codes that are longer than the radius of the ball to it."""
        return x * (self._radius / x.norm(dim=1, keepdim=True).clamp_min(self._radius))

    def move(self, x: torch.Tensor, rows: torch.Tensor, seed: int) -> torch.Tensor:
        """Mix codes with others of the prior, such that the prior is kept, a little or much.

        Source: preconditioned Crank-Nicolson proposals, Cotter et al., Stat. Sci. 28, 424 (2013), equation 4.
        """
        random = torch.Generator().manual_seed(seed)
        part = 10 ** (-1.5 * torch.rand(len(x), 1, generator=random, dtype=torch.float32)).to(x)
        other = torch.randn(x.shape, generator=random, dtype=torch.float32).to(x)
        return (1 - part**2).sqrt() * x + part * other

    def draw(self, porosity: torch.Tensor | None, n: int, seed: int) -> torch.Tensor:
        """Draw codes of the prior; of more than are wanted those that come nearest to the porosities."""
        if porosity is None:
            return self._codes(n, seed)
        codes = self._codes(SPARE * n, seed)
        with torch.no_grad():
            found = torch.cat([porosities(self._generator.decode(part)) for part in codes.split(64)])
        return codes[nearest_in_porosity(found, porosity)]

    def trust_region(self, material: Material, seed: int) -> MorphologyTrustRegion:
        """Make the trust region from the authentic microstructures, or from samples of the generator without them."""
        return material.trust_region(self._quantile, seed)

    def _codes(self, n: int, seed: int) -> torch.Tensor:
        z = torch.randn(
            n, self._generator.latent_dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float32
        )
        return z.to(self._device)


def prior_radius(latent_dim: int) -> float:
    """The 95 % quantile of the norm of N(0, I) in ``latent_dim`` dimensions.

    Wilson and Hilferty's approximation of the chi-squared distribution (1931), good to a percent.
    """
    share = 2 / (9 * latent_dim)
    return math.sqrt(latent_dim * (1 - share + 1.6449 * math.sqrt(share)) ** 3)
