"""Batches of two-phase microstructures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from matopt.devices import device_named

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Microstructures:
    """A batch of N images (2D) or volumes (3D) of two phases, of one shape and voxel size.

    Attributes:
        phases: ``(N, *S)`` uint8, 1 = grain (solid), 0 = pore. Axis 0 of space is the flow and loading axis "x".
        voxel_size: the edge of a voxel in metres.

    Raises:
        ValueError: another dtype or shape, other phases than 0 and 1, or a voxel size that is not positive.
    """

    phases: np.ndarray
    voxel_size: float

    def __post_init__(self) -> None:
        if self.phases.dtype != np.uint8 or self.phases.ndim not in (3, 4):
            raise ValueError(
                f"phases must be uint8 of shape (N, *S), S of 2 or 3 axes; got {self.phases.dtype} {self.phases.shape}"
            )
        if self.phases.size and self.phases.max() > 1:
            raise ValueError("phases must be 0 (pore) or 1 (grain)")
        if not (np.isfinite(self.voxel_size) and self.voxel_size > 0):
            raise ValueError(f"voxel_size must be positive, in metres; got {self.voxel_size}")

    def __len__(self) -> int:
        return len(self.phases)

    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> Microstructures:
        """Select the samples of ``index`` (a slice, a list of numbers or a mask)."""
        return Microstructures(self.phases[index], self.voxel_size)

    @property
    def shape(self) -> tuple[int, ...]:
        """``S``, the shape of one sample."""
        return self.phases.shape[1:]

    @property
    def porosity(self) -> np.ndarray:
        """``(N,)`` pore fractions."""
        return 1.0 - self.phases.mean(axis=tuple(range(1, self.phases.ndim)))

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """One content hash a sample (32 hexadecimal digits): of its shape and phases, not of its voxel size."""
        head = repr(self.shape).encode()
        packed = np.packbits(self.phases.reshape(len(self), math.prod(self.shape)), axis=1)
        return tuple(hashlib.blake2b(head + row.tobytes(), digest_size=16).hexdigest() for row in packed)

    def density(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """Return the solid fractions, ``(N, 1, *S)`` float32 on ``device``.

        Raises:
            InputError: no such device, or none here.
        """
        import torch

        return torch.from_numpy(self.phases[:, None].astype(np.float32)).to(device_named(device))

    @staticmethod
    def from_density(density: torch.Tensor, voxel_size: float) -> Microstructures:
        """Binarise densities ``(N, 1, *S)``: a voxel is grain where its density is at least one half."""
        return Microstructures((density[:, 0].detach() >= 0.5).to("cpu").numpy().astype(np.uint8), voxel_size)

    @staticmethod
    def concatenate(batches: Sequence[Microstructures]) -> Microstructures:
        """Join several batches of one shape and voxel size, in order.

        Raises:
            ValueError: batches that differ in shape or voxel size.
        """
        if len({(b.shape, b.voxel_size) for b in batches}) != 1:
            raise ValueError("batches of different shapes or voxel sizes cannot be concatenated")
        return Microstructures(np.concatenate([b.phases for b in batches]), batches[0].voxel_size)
