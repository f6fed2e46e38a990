"""The settings by which microstructures are cut from larger images."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from matopt.errors import InputError


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
