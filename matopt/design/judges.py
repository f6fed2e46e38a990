"""Judges that know nothing of a property, which designs by a model are held against."""

from __future__ import annotations

import torch

from matopt.properties import Property


class SolidFraction:
    """Judges by the solid fraction alone: what can be had blindly where the porosity may change.

    Args:
        property_: whose place it takes.
        sign: -1 calls pores good.
    """

    def __init__(self, property_: Property, sign: float = 1.0) -> None:
        self.properties = (property_,)
        self._sign = sign

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, 1)`` solid fractions, of the sign."""
        return self._sign * density.flatten(1).mean(1, keepdim=True)


class WhiteNoise:
    """Judges by random weights of the voxels, so that what it prefers is as good as any other: design without a judge.

    Args:
        property_: whose place it takes.
        seed: of the weights.
    """

    def __init__(self, property_: Property, seed: int) -> None:
        self.properties = (property_,)
        self._seed = seed

    def predict(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, 1)`` weighted means."""
        flat = density.flatten(1)
        random = torch.Generator().manual_seed(self._seed)
        weights = torch.randn(flat.shape[1], generator=random, dtype=torch.float32).to(flat)
        return (flat @ weights / flat.shape[1] ** 0.5)[:, None]
