"""What holds designs to the material: their morphology may not leave that of the authentic microstructures."""

from __future__ import annotations

from collections.abc import Callable

import torch

from matopt.errors import InputError


class MorphologyHold:
    """Distance in style from the nearest authentic microstructure, and how much of it is allowed.

    The limit follows from the authentic microstructures alone: it is a quantile of the distances of each from the
    nearest other one.

    Args:
        features: densities ``(N, 1, *S)`` to style vectors ``(N, F)``, differentiable:
            :class:`matopt.descriptors.style.StyleFeatures`.
        authentic: ``(M, 1, *S)``, at least three.
        quantile: of the authentic distances.

    Raises:
        InputError: fewer than three authentic microstructures.
    """

    def __init__(
        self, features: Callable[[torch.Tensor], torch.Tensor], authentic: torch.Tensor, quantile: float = 0.95
    ) -> None:
        if len(authentic) < 3:
            raise InputError("a hold needs at least three authentic microstructures to know what is near")
        self._features = features
        with torch.no_grad():
            self._authentic = torch.cat([features(part) for part in authentic.split(64)])
            apart = _distances(self._authentic, self._authentic)
        apart.fill_diagonal_(torch.inf)
        self.limit = float(apart.amin(1).quantile(quantile))

    def distance(self, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` distances of densities ``(N, 1, *S)`` from the nearest authentic microstructure; differentiable."""
        return _distances(self._features(density), self._authentic).amin(1)


def _distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    # Through a matrix product, which is the default, small distances drown in rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
