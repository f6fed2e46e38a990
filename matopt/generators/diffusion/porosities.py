"""The porosities of samples: those of blocks of the material, whatever the size of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from matopt.descriptors.block_variance import Covariance, radial_covariance, variance_of_blocks
from matopt.errors import InputError

LEAST_VARIANCE = 1e-9
"""Of porosities: blocks that are all alike have hardly any."""


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

    def draw(self, n: int, shape: tuple[int, ...], seed: int) -> torch.Tensor:
        """Draw ``(n,)`` porosities of blocks of a shape."""
        spread = self.mean * (1 - self.mean)
        if spread == 0:
            return torch.full((n,), self.mean)
        # Blocks of a few voxels are all pore or all grain: at the variance of these, a beta distribution ceases to be.
        variance = np.clip(variance_of_blocks(self.covariance, shape), LEAST_VARIANCE, spread / 2)
        count = spread / variance - 1
        drawn = np.random.default_rng(seed).beta(self.mean * count, (1 - self.mean) * count, n)
        return torch.from_numpy(drawn).float()

    def state_dict(self) -> dict[str, Any]:
        """Give mean and covariance, to be stored."""
        lengths, values = self.covariance
        return {"mean": self.mean, "lengths": torch.from_numpy(lengths), "covariance": torch.from_numpy(values)}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Self:
        """Make the law of a :meth:`state_dict`."""
        return cls(state["mean"], (state["lengths"].numpy(), state["covariance"].numpy()))


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
