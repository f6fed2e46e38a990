"""The base classes of sources of authentic microstructures, and the family of them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from matopt.data.windows.window import Window
from matopt.data.windows.zoom import enlarged
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.registry import Registry, plain_settings


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

    def check(self) -> None:  # noqa: B027 (most sources have nothing to check)
        """Find out, before a study starts anything, whether the microstructures can be had at all.

        Raises:
            InputError: they cannot: a file that cannot be read, levels that are no two phases.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Return what the microstructures follow from besides window, counts and seed, as JSON values.

        These are settings, and for files a hash of their content. Results are cached under it.
        """


class Specimen(Protocol):
    """A piece of a model material, which can be looked at anywhere and at any resolution."""

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels.

        Args:
            corner: ``(3,)`` centre of the first voxel, in the model's unit of length.
            shape: voxels along each axis.
            voxel: edge of a voxel, in the model's unit of length.

        Returns:
            ``shape`` uint8, 1 = grain, 0 = pore.
        """
        ...


class ProcessModel(Source):
    """A source that makes its microstructures by a model of how the material comes about.

    Each split is cut from specimens of its own: cubes, drawn one after the other until there are windows enough, so
    that asking for more only adds to them. In two dimensions slices are cut across axis 0 of space, so that a window's
    axes are axes 1 and 2 of space.

    The settings are the attributes of an object: numbers and lists of numbers, lengths in metres.

    Attributes:
        name: of the model, set by the registry.
        VERSION: raised whenever the same settings give other microstructures.
        EDGE: least edge of a specimen, in units of ``unit``.
        SLICE_STEP: distance of the slices that are cut by default, in units of ``unit``: far enough to look different.
        voxel_size: metres.
    """

    name: str
    VERSION: ClassVar[int]
    EDGE: ClassVar[float]
    SLICE_STEP: ClassVar[float]
    voxel_size: float

    @property
    @abstractmethod
    def unit(self) -> float:
        """The model's unit of length, in metres."""

    @abstractmethod
    def specimen(self, random: np.random.Generator, edge: float) -> Specimen:
        """Make a specimen of the edge ``edge``, in units of ``unit``."""

    def split(self, window: Window, counts: Mapping[str, int], seed: int) -> dict[str, Microstructures]:
        """Cut each split from specimens of its own.

        Raises:
            InputError: a window of no size or of other than 2 or 3 dimensions, or a negative count.
            FailureError: the windows do not fit into memory.
        """
        window.check()
        for name, count in counts.items():
            if count < 0:
                raise InputError(f"split: {name} must be a number of windows, not {count!r}")
        return {name: self._draw(window, count, seed, name) for name, count in counts.items()}

    def fingerprint(self) -> dict[str, Any]:
        """Return the settings and the model's version."""
        return {"kind": self.name, "version": self.VERSION, **plain_settings(vars(self))}

    def _draw(self, window: Window, count: int, seed: int, name: str) -> Microstructures:
        """Cut ``count`` windows from as many specimens as it takes, which follow from ``seed`` and ``name``."""
        shape = (window.size if window.dimensions == 3 else 1, window.size, window.size)
        cuts = window.room_for(count)
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        unit = self.unit
        edge = max(self.EDGE * unit, window.size * self.voxel_size)
        done = number = 0
        while done < count:
            random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key, number)))
            specimen = self.specimen(random, edge / unit)
            corners = random.permutation(self._corners(window, shape, edge))[: count - done]
            for corner in corners:
                cut = specimen.phases(corner * (self.voxel_size / unit), shape, self.voxel_size / unit)
                cut = cut[0] if window.dimensions == 2 else cut
                cuts[done] = cut if window.zoom == 1 else enlarged(cut, window.zoom)
                done += 1
            number += 1
        return Microstructures(cuts, self.voxel_size / window.zoom)

    def _corners(self, window: Window, shape: tuple[int, int, int], edge: float) -> np.ndarray:
        """List the ``(M, 3)`` first voxels of the windows in a specimen whose edge is ``edge`` metres."""
        stride = window.stride or window.size
        across = (
            stride
            if window.dimensions == 3
            else window.slice_step or round(self.SLICE_STEP * self.unit / self.voxel_size) or 1
        )
        length = max(round(edge / self.voxel_size), window.size)
        starts = [np.arange(0, length - n + 1, step) for n, step in zip(shape, (across, stride, stride), strict=True)]
        return np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3)


SOURCES: Registry[Source] = Registry("sources", "matopt.data.sources")
