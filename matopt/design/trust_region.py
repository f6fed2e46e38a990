"""The trust region of designs: the microstructures whose morphology is like that of the authentic ones."""

from __future__ import annotations

from collections.abc import Callable

import torch

from matopt.descriptors.energy_distance import distances
from matopt.errors import InputError

BATCH = 64
"""How many microstructures are taken at once where the region is made."""


class MorphologyTrustRegion:
    """Microstructures at a small energy distance from the authentic ones, in style.

    The distance of a single design is ``2 E|x - Y| - E|Y - Y'|`` with x its style vector and Y, Y' those of authentic
    microstructures (Székely and Rizzo 2013, for a sample of one): small in the middle of the authentic morphologies,
    large at their rim and beyond. The limit is a quantile of the distances of authentic microstructures that were held
    out: those that features and models have learnt from lie nearer to each other than fresh ones of the same material
    do, so that a limit of theirs would shut these out.

    The distance from the nearest authentic microstructure would not do: images with hardly any pore are all alike, so
    that solid grain is nearer to the least porous authentic one than most authentic ones are to each other.

    Args:
        features: densities ``(N, 1, *S)`` to style vectors ``(N, F)``:
            :class:`matopt.descriptors.style.StyleFeatures`.
        authentic: ``(M, 1, *S)`` densities, at least three, on the device where designs are.
        held_out: ``(K, 1, *S)`` densities of others of the same material, at least three. None takes the distances of
            each of the authentic ones from the others.
        quantile: of these distances, in (0, 1].

    Attributes:
        limit: the largest distance inside.
        spread: ``E|Y - Y'|``, a scale for distances.

    Raises:
        InputError: fewer than three microstructures, or a quantile outside (0, 1].
    """

    def __init__(
        self,
        features: Callable[[torch.Tensor], torch.Tensor],
        authentic: torch.Tensor,
        held_out: torch.Tensor | None = None,
        quantile: float = 0.95,
    ) -> None:
        if len(authentic) < 3 or (held_out is not None and len(held_out) < 3):
            raise InputError("a trust region needs at least three authentic microstructures to know what is usual")
        if not 0 < quantile <= 1:
            raise InputError(f"the quantile of a trust region must be above 0 and at most 1; got {quantile}")
        self._features = features
        with torch.no_grad():
            self._authentic = torch.cat([self._features(part) for part in authentic.split(BATCH)])
            to_others = distances(self._authentic, self._authentic).sum(1) / (len(authentic) - 1)
            self.spread = float(to_others.mean())
            usual = 2 * to_others - self.spread
            if held_out is not None:
                usual = torch.cat([self.distance(part) for part in held_out.split(BATCH)])
        self.limit = float(usual.quantile(quantile))

    def distance(self, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` energy distances of densities ``(N, 1, *S)`` from the authentic microstructures."""
        return 2 * distances(self._features(density), self._authentic).mean(1) - self.spread
