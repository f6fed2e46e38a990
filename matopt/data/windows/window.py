"""The settings by which microstructures are cut from larger images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from matopt.errors import FailureError, InputError
from matopt.machine_memory import GIB, machine_memory

LARGEST_EDGE = 1 << 16
"""Voxels along an edge of a window, enlarged: a terabyte and more in 3D."""


@dataclass(frozen=True)
class Window:
    """How microstructures are cut from larger images: size, distance, enlargement, dimensions.

    Attributes:
        size: edge of the cut in voxels of the source.
        stride: distance between neighbouring cuts; ``size`` by default.
        zoom: each cut is enlarged by this factor (a 64^2 cut becomes 128^2 with 2), and its voxel size divided by it.
        dimensions: 2 cuts slices of a volume, 3 cuts subvolumes.
        slice_step: distance between the slices that are cut, in voxels; neighbouring slices look alike.
    """

    size: int
    stride: int | None = None
    zoom: int = 1
    dimensions: int = 2
    slice_step: int | None = None

    def check(self) -> None:
        """Refuse what is no window of any source.

        Raises:
            InputError: a number that is not whole and positive, or other than 2 or 3 dimensions.
        """
        for name in ("size", "stride", "zoom", "slice_step"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
                raise InputError(f"window: {name} must be a whole number of at least 1, not {value!r}")
        if self.dimensions not in (2, 3):
            raise InputError(f"window: dimensions must be 2 or 3, not {self.dimensions!r}")
        if self.size * self.zoom > LARGEST_EDGE:
            raise InputError(f"window: size x zoom must be at most {LARGEST_EDGE} voxels, not {self.size * self.zoom}")

    def room_for(self, count: int) -> np.ndarray:
        """Return room for ``count`` windows, ``(count, *S)`` uint8.

        Raises:
            FailureError: there is none; to be told before the system kills what takes too much.
        """
        shape = (count, *(self.size * self.zoom,) * self.dimensions)
        if (needed := math.prod(shape)) > (memory := machine_memory()):
            raise FailureError(
                f"window: {count} of {self.size * self.zoom}^{self.dimensions} voxels take {needed / GIB:.0f} GiB, and "
                f"this machine has {memory / GIB:.0f}; cut fewer or smaller ones"
            )
        return np.empty(shape, np.uint8)
