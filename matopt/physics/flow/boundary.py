"""What lies beyond the outer faces of samples through which a fluid flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from matopt.physics.numerics.mirror import folded, mirrored, unwalled, walled

Boundary = Literal["periodic", "mirror", "sealed"]


@dataclass(frozen=True)
class Continuation:
    """Continues samples so that they are periodic, and takes back what is found of them.

    Attributes:
        mirrors: axes of space along which a sample is followed by its mirror image.
        walls: axes of space along which it is closed by walls.
    """

    mirrors: tuple[int, ...] = ()
    walls: tuple[int, ...] = ()

    @staticmethod
    def across(boundary: Boundary, dimensions: int, along: int) -> Continuation:
        """The continuation for a flow through samples along an axis.

        A mirror image behind an outer face keeps the pressure there at one value, and lets the fluid through straight:
        so ``sealed`` samples take one, not one along each axis.
        """
        axes = tuple(range(dimensions))
        if boundary == "sealed":
            return Continuation((along,), tuple(axis for axis in axes if axis != along))
        return Continuation(axes if boundary == "mirror" else ())

    @staticmethod
    def along_ducts(boundary: Boundary) -> Continuation:
        """The continuation for a flow along the normal of sections, which may also end in mirrors as they are."""
        return Continuation(walls=(0, 1) if boundary == "sealed" else ())

    def apply(self, density: torch.Tensor) -> torch.Tensor:
        """Continue ``(N, 1, *S)``; gradients flow back through it."""
        return walled(mirrored(density, self.mirrors), self.walls)

    def take_back(self, values: torch.Tensor) -> torch.Tensor:
        """Add up what voxels and their images do, ``(N, 1, *S)``."""
        return folded(unwalled(values, self.walls), self.mirrors)

    def share(self, shape: tuple[int, ...]) -> float:
        """How many voxels are solved for, for each one of samples of this shape and of their images."""
        walled_in = torch.Size(n + (axis in self.walls) for axis, n in enumerate(shape))
        return walled_in.numel() / torch.Size(shape).numel()
