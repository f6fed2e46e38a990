"""The interface of all design spaces, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from matopt.descriptors.style import StyleFeatures
from matopt.design.draws import drawn
from matopt.design.trust_region import MorphologyTrustRegion
from matopt.errors import InputError
from matopt.generators.base import Generator
from matopt.microstructures import Microstructures
from matopt.registry import Registry

N_SAMPLES = 200
"""How many samples of the generator a trust region is made from where no authentic microstructures are at hand, and by
how many others its limit is found."""

SPARE_STARTS = 20
"""Draws for each start of one porosity, where a generator cannot be asked for it."""


@dataclass(frozen=True, eq=False)
class Material:
    """What is known of the material that is designed.

    Attributes:
        generator: fitted to it, on ``device``.
        starts: microstructures to start from, in place of samples of the generator.
        authentic: measured microstructures, that a trust region is made from.
        held_out: others, that nothing has learnt from: by them the trust region's limit is found.
        device: where designs are computed.
    """

    generator: Generator | None = None
    starts: Microstructures | None = None
    authentic: Microstructures | None = None
    held_out: Microstructures | None = None
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

    def of_porosity(self, porosity: float, n: int, seed: int) -> Material:
        """Draw ``n`` starts of a porosity, in place of samples as they come.

        Raises:
            InputError: there are starts already, or there is no generator.
        """
        if self.generator is None or self.starts is not None:
            raise InputError("start_porosity is of starts that a generator draws; give starts, or a generator alone")
        wanted = torch.full((n,), porosity, dtype=torch.float32, device=self.device)
        density = drawn(self.generator, wanted, seed, SPARE_STARTS)
        return replace(self, starts=Microstructures.from_density(density, self.generator.voxel_size))

    def trust_region(self, quantile: float, seed: int) -> MorphologyTrustRegion:
        """Make a trust region of the authentic microstructures, or of samples of the generator without them.

        Args:
            quantile: of the distances of the held-out ones, see :class:`MorphologyTrustRegion`.
            seed: of the samples.

        Raises:
            InputError: neither authentic microstructures nor a generator.
        """
        if self.authentic is not None:
            density = self.authentic.density(self.device)
            held_out = None if self.held_out is None else self.held_out.density(self.device)
        elif self.generator is not None:
            density, held_out = self.generator.draw(2 * N_SAMPLES, seed).density(self.device).split(N_SAMPLES)
        else:
            raise InputError("design: a trust region needs authentic microstructures, or a generator of others")
        return MorphologyTrustRegion(StyleFeatures(density), density, held_out, quantile)


class Space(ABC):
    """A parametrisation of designs by coordinates. Settings are keyword arguments; :meth:`start` takes the rest.

    Methods that take coordinates ``x`` ``(M, D)`` are given ``rows`` ``(M,)`` beside them: the numbers of the designs
    that they belong to, counted from 0 in the order of :meth:`start`. A space in which each design keeps something of
    its own, like the microstructure that it started from, finds it by them; others need not look.
    """

    step_size: float = 0.05
    """A usual step: the root mean square change of a coordinate, where an optimiser is given none."""

    knows_material: ClassVar[bool] = False
    """Whether the space keeps designs to the material and can draw others of it: has :meth:`trust_region` and
    :meth:`draw`. Designs that may go anywhere are no baseline for others."""

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

    def move(self, x: torch.Tensor, rows: torch.Tensor, seed: int) -> torch.Tensor:
        """Change coordinates at random, a little or much: one candidate ``(M, D)`` for each.

        Here by normal numbers, of a few usual steps or a part of one.
        """
        random = torch.Generator().manual_seed(seed)
        length = self.step_size * 10 ** (2 * torch.rand(len(x), 1, generator=random, dtype=torch.float32) - 1)
        return x + (length * torch.randn(x.shape, generator=random, dtype=torch.float32)).to(x)

    def draw(self, porosity: torch.Tensor | None, n: int, seed: int) -> torch.Tensor:
        """Draw the coordinates ``(n, D)`` of new microstructures of the material, where :attr:`knows_material` says so.

        Args:
            porosity: ``(n,)`` that they shall have, as nearly as the space can; None for whatever comes.
            n: how many.
            seed: of the draw.

        Raises:
            InputError: the space cannot draw.
        """
        raise InputError("design: this space cannot draw microstructures; choose another optimiser, like moves")

    def trust_region(self, material: Material, seed: int) -> MorphologyTrustRegion | None:
        """Make the region that designs in this space stay in; None where they may go anywhere."""
        return None


class Voxels(Space):
    """A space whose coordinates are the densities of the voxels, in [0, 1]."""

    _shape: tuple[int, ...]

    def start(self, material: Material, n: int, seed: int) -> torch.Tensor:
        """Take the voxels of the starts, or of samples of the generator."""
        density = material.microstructures(n, seed).density(material.device)
        self._shape = tuple(density.shape[1:])
        return density.flatten(1)

    def density(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Arrange the coordinates as images."""
        return x.view(len(x), *self._shape)

    def project(self, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Clip the coordinates to [0, 1]."""
        return x.clamp(0, 1)


SPACES: Registry[Space] = Registry("spaces", "matopt.design.spaces")


def require_quantile(quantile: float) -> float:
    """Return the quantile of a trust region.

    Raises:
        InputError: it is outside (0, 1].
    """
    if not 0 < quantile <= 1:
        raise InputError(f"quantile must be above 0 and at most 1, got {quantile}")
    return quantile
