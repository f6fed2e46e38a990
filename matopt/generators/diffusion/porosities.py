"""The porosities of samples: those of blocks of the material, whatever the size of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from scipy import stats

from matopt.descriptors.block_variance import Covariance, radial_covariance, variance_of_blocks
from matopt.errors import InputError

LEAST_VARIANCE = 1e-9
"""Of porosities: blocks that are all alike have hardly any."""

LARGEST_NORMAL = 8.0
"""Beyond it a beta distribution is not told from its ends."""

LEAST_POROSITY = 1e-6
"""And that of the least solid fraction: at the ends, a beta distribution may have no density or no bound to it."""


@dataclass(frozen=True, eq=False)
class PorosityLaw:
    """The beta distribution of the porosities of blocks of a material, by its mean and covariance.

    The mean is that of the training microstructures, and the variance that of blocks as large as a sample, see
    :func:`matopt.descriptors.block_variance.variance_of_blocks`: blocks larger than what was learnt from vary less than
    that, and so do volumes less than their slices.

    Attributes:
        mean: of the porosity.
        covariance: of the solid fraction over distance.
    """

    mean: float
    covariance: Covariance

    @classmethod
    def learnt(cls, density: torch.Tensor) -> Self:
        """Measure the law on training microstructures ``(N, 1, *S)``."""
        return cls(1 - float(density.double().mean()), radial_covariance(density))

    def porosities(self, normal: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """Give porosities of blocks of a shape to numbers ``(N,)`` of N(0, 1): the larger, the less; differentiable."""
        if (beta := self._of_blocks(shape)) is None:
            return self.mean + 0 * normal
        at = normal.detach().double().cpu().numpy().clip(-LARGEST_NORMAL, LARGEST_NORMAL)
        # Of the tail that a number is in, so that no digits are lost.
        tail = stats.norm.cdf(-np.abs(at))
        found = np.where(at > 0, stats.beta.ppf(tail, *beta), stats.beta.isf(tail, *beta)).clip(
            LEAST_POROSITY, 1 - LEAST_POROSITY
        )
        slope = -stats.norm.pdf(at) / stats.beta.pdf(found, *beta)
        found, slope = (torch.from_numpy(values).to(normal) for values in (found, slope))
        return found + slope * (normal - normal.detach())

    def normals(self, porosity: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
        """Give the numbers ``(N,)`` that blocks of a shape have porosities ``(N,)`` by; zeros if all are alike."""
        if (beta := self._of_blocks(shape)) is None:
            return torch.zeros_like(porosity)
        at = porosity.double().cpu().numpy()
        below, above = stats.beta.cdf(at, *beta), stats.beta.sf(at, *beta)
        found = np.where(below < above, -stats.norm.ppf(below), stats.norm.ppf(above))
        return torch.from_numpy(found.clip(-LARGEST_NORMAL, LARGEST_NORMAL)).to(porosity)

    def _of_blocks(self, shape: Sequence[int]) -> tuple[float, float] | None:
        """The two parameters of the beta distribution; None where all blocks are alike."""
        spread = self.mean * (1 - self.mean)
        if spread == 0:
            return None
        # Blocks of a few voxels are all pore or all grain: at the variance of these, a beta distribution ceases to be.
        variance = np.clip(variance_of_blocks(self.covariance, shape), LEAST_VARIANCE, spread / 2)
        count = spread / variance - 1
        return self.mean * count, (1 - self.mean) * count

    def state_dict(self) -> dict[str, Any]:
        """Give mean and covariance, to be stored."""
        lengths, values = self.covariance
        return {"mean": self.mean, "lengths": torch.from_numpy(lengths), "covariance": torch.from_numpy(values)}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """Make the law of a :meth:`state_dict`."""
        return cls(state["mean"], (state["lengths"].numpy(), state["covariance"].numpy()))


def normal_of(noise: torch.Tensor) -> torch.Tensor:
    """Give what noise ``(N, 1, *S)`` of deviation 1 says of porosity, ``(N,)`` numbers of N(0, 1): its mean, scaled."""
    return noise.flatten(1).mean(1) * math.sqrt(noise[0].numel())


def with_normal(noise: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """Give noise ``(N, 1, *S)`` another mean, so that it says ``(N,)`` :func:`normal_of`."""
    step = (normal - normal_of(noise)) / math.sqrt(noise[0].numel())
    return noise + step.view(-1, *[1] * (noise.ndim - 1))


def wanted_porosities(porosity: torch.Tensor | float, n: int) -> torch.Tensor:
    """Give ``(n,)`` porosities that were asked for, one for all or one of each.

    Raises:
        InputError: another number of them, or one outside (0, 1).
    """
    values = torch.as_tensor(porosity, dtype=torch.float32)
    values = values.expand(n) if values.ndim == 0 else values
    if values.shape != (n,) or not bool(((values > 0) & (values < 1)).all()):
        raise InputError(f"porosity must be {n} numbers between 0 and 1, or one for all; got {porosity}")
    return values
