"""The interface of all design spaces, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.generators.base import Generator
from matopt.microstructures import Microstructures
from matopt.registry import Registry


@dataclass(frozen=True, eq=False)
class Material:
    """What is known of the material that is designed.

    Attributes:
        generator: fitted to it, on ``device``.
        starts: microstructures to start from, in place of samples of the generator.
        authentic: measured microstructures, that a trust region is made from.
        device: where designs are computed.
    """

    generator: Generator | None = None
    starts: Microstructures | None = None
    authentic: Microstructures | None = None
    device: torch.device | str = "cpu"

    @property
    def voxel_size(self) -> float:
        """The voxel size of designs, in metres."""
        return self.generator.voxel_size if self.generator is not None else self.microstructures(1, 0).voxel_size

    def microstructures(self, n: int, seed: int) -> Microstructures:
        """Give the starts, or draw ``n`` samples of the generator where there are none.

        Raises:
            InputError: neither starts nor a generator.
        """
        if self.starts is not None:
            return self.starts
        if self.generator is None:
            raise InputError("ascent: give a generator to ascend within, or microstructures to start from")
        return self.generator.draw(n, seed)


class Space(ABC):
    """A parametrisation of designs by coordinates. Settings are keyword arguments; :meth:`start` takes the rest.

    Methods that take coordinates ``x`` ``(M, D)`` are given ``rows`` ``(M,)`` beside them: the numbers of the designs
    that they belong to, counted from 0 in the order of :meth:`start`. A space in which each design keeps something of
    its own, like the microstructure that it started from, finds it by them; others need not look.
    """

    step_size: float = 0.05
    """A usual first step: the root mean square change of a coordinate, where an optimiser is given none."""

    @classmethod
    def missing_from(cls, generator: type[Generator]) -> str | None:
        """Name what generators of a class lack that this space needs ("latent space"); None where they lack nothing."""
        return None

    @abstractmethod
    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        """Choose the coordinates ``(N, D)`` that designs start from, on the material's device, and keep what else
        :meth:`density` needs.

        Args:
            material: what is designed.
            n: how many designs, where the material brings no starts.
            seed: of what is drawn. The same one gives the same starts in every space that can have them.

        Raises:
            InputError: the material lacks what the space needs.
        """

    @abstractmethod
    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Compute the densities ``(M, 1, *S)`` in [0, 1] of coordinates; differentiable, each row by itself."""

    @abstractmethod
    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Find the nearest coordinates that are allowed."""

    def trust_region(self, material: Material, seed: int) -> MorphologyTrustRegion | None:
        """Make the region that designs in this space stay in; None where they may go anywhere."""
        return None


SPACES: Registry[Space] = Registry("spaces", "matopt.design.spaces")
