"""The settings by which microstructures are cut from larger images."""

from __future__ import annotations

from dataclasses import dataclass


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
