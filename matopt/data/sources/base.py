"""What every source of microstructures is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from matopt.data.windows.window import Window
from matopt.microstructures import Microstructures
from matopt.registry import Registry


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


SOURCES: Registry[Source] = Registry("sources", "matopt.data.sources")
