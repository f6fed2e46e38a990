"""What a denoiser's samples lack of the smallest detail of its material, put right once it is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch

from matopt.generators.diffusion.denoiser import LocalDenoiser, Logit, prior_logit
from matopt.generators.diffusion.pattern_odds import find_potential, no_potential, with_patterns
from matopt.generators.diffusion.sharpening import find_weight, n_compared, sharpened


@dataclass(frozen=True, eq=False)
class Correction:
    """Small changes of a denoiser's log odds where little noise is left, fitted to training microstructures.

    Attributes:
        weight: of what the surroundings of a voxel say, see :func:`matopt.generators.diffusion.sharpening.sharpened`.
        potential: ``(C,)`` of patterns, see :func:`matopt.generators.diffusion.pattern_odds.with_patterns`.
    """

    weight: float = 1.0
    potential: torch.Tensor = field(default_factory=no_potential)

    @classmethod
    def fitted(cls, draw: Callable[[Self, int, int], torch.Tensor], train: torch.Tensor) -> Self:
        """Fit the weight, and then the potential.

        Args:
            draw: gives samples ``(n, 1, *S)`` of a correction, so many of them, from other noise for each number.
            train: ``(M, 1, *S)`` training microstructures, as large as samples.
        """
        n = n_compared(train.shape[2:])
        weighted = cls(find_weight(lambda weight: draw(cls(weight), n, 0), train))

        def with_potential(potential: torch.Tensor, number: int, times: int) -> torch.Tensor:
            return draw(replace(weighted, potential=potential), n // 2 * times, 1 + number)

        return replace(weighted, potential=find_potential(with_potential, train))

    def logit(self, denoiser: LocalDenoiser, solid_fraction: float, periodic: bool = False) -> Logit:
        """Give the denoiser of a material with this correction."""
        weighted = sharpened(denoiser, prior_logit(solid_fraction), self.weight, periodic)
        return with_patterns(weighted, self.potential, periodic)

    def state_dict(self) -> dict[str, Any]:
        """Give both, to be stored."""
        return {"weight": self.weight, "potential": self.potential}
