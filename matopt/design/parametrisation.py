"""What a design is made of: a code of a generator, or the density of every pixel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch

from matopt.generators.base import LatentGenerator


class Parametrisation(ABC):
    """Coordinates ``(N, D)`` of N designs, and the densities that they stand for."""

    @abstractmethod
    def density(self, x: torch.Tensor) -> torch.Tensor:
        """``(N, 1, *S)`` densities in [0, 1] of coordinates ``(N, D)``; differentiable."""

    @abstractmethod
    def project(self, x: torch.Tensor) -> torch.Tensor:
        """The nearest coordinates that are allowed."""


class Latent(Parametrisation):
    """Codes of a generator, in the ball that holds 95 % of its prior.

    Outside that ball the decoder was never trained, and a predictor is easily led there. The radius is the 95 %
    quantile of the norm of N(0, I) (Wilson and Hilferty's approximation of the chi-squared distribution, which is good
    to a percent).

    Args:
        generator: fitted.
    """

    def __init__(self, generator: LatentGenerator) -> None:
        self._generator = generator
        share = 2 / (9 * generator.latent_dim)
        self.radius = math.sqrt(generator.latent_dim * (1 - share + 1.6449 * math.sqrt(share)) ** 3)

    def density(self, x: torch.Tensor) -> torch.Tensor:
        """Decoded codes."""
        return self._generator.decode(x)

    def project(self, x: torch.Tensor) -> torch.Tensor:
        """Codes, the long ones shortened to the radius."""
        return x * (self.radius / x.norm(dim=1, keepdim=True).clamp_min(self.radius))


class Pixel(Parametrisation):
    """The density of every pixel, clipped to [0, 1] after each step.

    Projected gradient rather than the logit of the density as the coordinate: designs start from zeros and ones, where
    a logit is infinite and its gradient vanishes, so that the start would first have to be made grey.

    Args:
        shape: of one sample.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def density(self, x: torch.Tensor) -> torch.Tensor:
        """The coordinates as images."""
        return x.view(len(x), 1, *self._shape)

    def project(self, x: torch.Tensor) -> torch.Tensor:
        """Clipped coordinates."""
        return x.clamp(0, 1)
