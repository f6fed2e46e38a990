"""Batches of two-phase microstructures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from matopt.devices import device_named
from matopt.errors import InputError
from matopt.units import length_text, metres

if TYPE_CHECKING:
    import torch

_OF_TENSORS = {"device", "dim", "dtype", "is_floating_point", "mean", "ndim", "new_zeros", "size", "sum", "to"}

OUTSIDE = 2
"""In scans, beside the phases 0 and 1: what lies around the sample. Microstructures hold none of it."""


@dataclass(frozen=True, eq=False)
class Microstructures:
    """A batch of N images (2D) or volumes (3D) of two phases, of one shape and voxel size.

    Attributes:
        phases: ``(N, *S)`` uint8, 1 = grain (solid), 0 = pore. Axis 0 of space is the flow and loading axis "x".
            Zeros and ones of another type become uint8.
        voxel_size: the edge of a voxel in metres; text, "5.345 um", becomes metres.

    Raises:
        InputError: another shape, other phases than 0 and 1, or a voxel size that is no positive length.
    """

    phases: np.ndarray
    voxel_size: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", as_phases(self.phases))
        if self.phases.ndim not in (3, 4):
            one = "; write phases[None] for one image" if self.phases.ndim == 2 else ""
            raise InputError(f"phases must have the shape (N, *S), S of 2 or 3 axes; got {self.phases.shape}{one}")
        if self.phases.ndim == 4 and 1 in (self.phases.shape[1], self.phases.shape[-1]) and len(self.phases):
            channel = "[:, 0]" if self.phases.shape[1] == 1 else "[..., 0]"
            raise InputError(
                f"phases of {self.phases.shape} are volumes of one voxel along an axis: if that is one of channels, "
                f"write phases{channel}"
            )
        object.__setattr__(self, "voxel_size", metres(self.voxel_size))

    def __len__(self) -> int:
        return len(self.phases)

    def __repr__(self) -> str:
        kind = "images" if len(self.shape) == 2 else "volumes"
        shape = " x ".join(map(str, self.shape))
        pores = f", porosity {self.porosity.mean():.3f}" if self.phases.size else ""
        return f"Microstructures: {len(self)} {kind} of {shape} voxels of {length_text(self.voxel_size)}{pores}"

    def __array__(self, dtype: np.typing.DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """The phases, for NumPy and Matplotlib."""
        return np.array(self.phases, dtype, copy=copy)

    def __getattr__(self, name: str) -> Any:
        """Say what to write where microstructures are given in place of densities."""
        wanted = "; what takes densities is given `microstructures.density()`" if name in _OF_TENSORS else ""
        raise AttributeError(f"Microstructures have no attribute {name!r}{wanted}")

    def __iter__(self) -> Iterator[Microstructures]:
        """Give the samples one by one, each as microstructures of one."""
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> Microstructures:
        """Select the samples of ``index`` (a number, a slice, a list of numbers or a mask); one is a batch of one.

        Raises:
            IndexError: there is no such sample.
        """
        if isinstance(index, (int, np.integer)):
            return self[[int(index)]]
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


def as_phases(array: np.ndarray, largest: int = 1) -> np.ndarray:
    """Give an array of bool or of the whole numbers 0 to ``largest`` as uint8.

    Raises:
        InputError: no array, floats, or other numbers.
    """
    if not isinstance(array, np.ndarray):
        raise InputError(f"phases must be a NumPy array of 0 (pore) and 1 (grain), not a {type(array).__name__}")
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype.kind not in "ui":
        raise InputError(
            f"phases must be uint8, or bool, of shape (N, *S), not {array.dtype}; give `array > threshold`"
        )
    if array.size and not ((array.dtype.kind == "u" or array.min() >= 0) and array.max() <= largest):
        held = f"these are {array.min()} to {array.max()}"
        raise InputError(f"phases must be 0 (pore) or 1 (grain); {held}: give `array > threshold`")
    return array.astype(np.uint8, copy=False)
