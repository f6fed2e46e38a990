"""The base class of sources of authentic microstructures, and the family of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from matopt.data.windows.window import Window
from matopt.microstructures import Microstructures
from matopt.registry import Registry


class Source(ABC):
    """A source of authentic microstructures. Its settings are the keyword arguments of its class."""

    @abstractmethod
    def split(self, window: Window, counts: Mapping[str, int], seed: int) -> dict[str, Microstructures]:
        """Draw microstructures for each split, such that no two splits share a voxel or its neighbourhood.

        Args:
            window: how they are cut.
            counts: how many for each name ("train", "validation", "test").
            seed: of the choice.

        Returns:
            The microstructures by name, in the order of ``counts``.

        Raises:
            InputError: a split cannot be filled; the message says with how many it could.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Return what the microstructures follow from besides window, counts and seed, as JSON values.

        These are settings, and for files a hash of their content. Results are cached under it.
        """


SOURCES: Registry[Source] = Registry("sources", "matopt.data.sources")
