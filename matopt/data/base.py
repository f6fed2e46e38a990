"""What every source of microstructures is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matopt.microstructures import Microstructures
from matopt.registry import Registry


@dataclass(frozen=True)
class Window:
    """How microstructures are cut from larger images.

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


class Source(ABC):
    """Where authentic microstructures come from. Settings are keyword arguments."""

    @abstractmethod
    def split(self, window: Window, counts: Mapping[str, int], seed: int) -> dict[str, Microstructures]:
        """Draw microstructures for each split; no voxel, and no neighbourhood of one, is in two of them.

        Args:
            window: how they are cut.
            counts: how many for each name ("train", "validation", "test").
            seed: of the choice.

        Raises:
            InputError: a split cannot be filled; the message says with how many it could.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """What the microstructures follow from besides window, counts and seed, as JSON values: settings,
        and for files a hash of their content."""


SOURCES: Registry[Source] = Registry("sources", "matopt.data")
