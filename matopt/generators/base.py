"""What every generator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

from matopt.microstructures import Microstructures
from matopt.registry import Registry
from matopt.training.report import Report, no_report


class Generator(ABC):
    """A learned distribution of microstructures. Settings are keyword arguments; :meth:`fit` learns the rest."""

    @abstractmethod
    def fit(
        self,
        train: Microstructures,
        validation: Microstructures | None = None,
        report: Report = no_report,
        seed: int = 0,
    ) -> Generator:
        """Learn from ``train``; ``report`` hears of the progress and may stop it. Returns itself.

        The same data, settings and seed give the same generator on one machine.
        """

    @abstractmethod
    def sample(self, n: int, seed: int) -> torch.Tensor:
        """``(n, 1, *S)`` densities in [0, 1] as the generator draws them, grey where it is unsure."""

    def draw(self, n: int, seed: int) -> Microstructures:
        """``n`` artificial microstructures: samples, binarised at one half. Labels are always taken of these."""
        return Microstructures.from_density(self.sample(n, seed), self.voxel_size)

    @property
    @abstractmethod
    def voxel_size(self) -> float:
        """The voxel size of the microstructures that were learnt from, in metres."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Generator:
        """Move to ``device``; returns itself."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that was learnt, image shape and voxel size included: tensors and plain values, so that
        ``torch.load(..., weights_only=True)`` reads it."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the generator whose :meth:`state_dict` this is."""


class LatentGenerator(Generator):
    """A generator with a latent space."""

    latent_dim: int

    @abstractmethod
    def encode(self, density: torch.Tensor) -> torch.Tensor:
        """``(N, latent_dim)`` codes (posterior means) of densities ``(N, 1, *S)``."""

    @abstractmethod
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """``(N, 1, *S)`` densities of codes ``(N, latent_dim)``; differentiable. The prior is N(0, I)."""


GENERATORS: Registry[Generator] = Registry("generators", "matopt.generators")
