"""The source that makes sandstone by a process model, in place of measuring it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from matopt.data.sandstone.rock import Rock
from matopt.data.sources.base import SOURCES, Source
from matopt.data.windows.window import Window
from matopt.data.windows.zoom import enlarged
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.units import metres

VERSION = 1
"""Raised whenever the same settings give other microstructures."""

EDGE = 10.3
"""Least edge of a volume in grain diameters: it holds some hundreds of grains."""
SLICE_STEP = 1.0
"""Distance in grain diameters between slices that are cut by default: pores further apart are uncorrelated."""


@SOURCES.register("sandstone")
class Sandstone(Source):
    """A process model of sandstone; by default it makes Berea sandstone. See ``docs/sandstone.md`` for how well.

    Each split is cut from volumes of its own. Asking for more microstructures of a split only adds to it.

    Args:
        voxel_size: metres, or a length with its unit.
        grain_diameter: median diameter of the grains that are laid down, a length.
        sorting: standard deviation of the logarithm of the diameters; 0.35 is well sorted sand.
        cement: mean thickness of the quartz that has grown on the grains, a length: more cement, less porosity.

    Raises:
        InputError: a length or a sorting that cannot be.

    Source: the steps (sedimentation, compaction, diagenesis) are those of Oren and Bakke, Transport in Porous Media
    46, 311 (2002), and Bryant and Blunt, Phys. Rev. A 46, 2004 (1992); the shapes of grains and the fields that cement
    and alteration follow are this model's own.
    """

    def __init__(
        self,
        voxel_size: float | str = 5.345e-6,
        grain_diameter: float | str = 1.36e-4,
        sorting: float = 0.35,
        cement: float | str = 2.8e-6,
    ) -> None:
        self.voxel_size = metres(voxel_size)
        self.grain_diameter = metres(grain_diameter, "grain_diameter")
        self.cement = metres(cement, "cement")
        if not 0 <= sorting <= 1:
            raise InputError(f"sorting must lie between 0 (all grains alike) and 1, not {sorting!r}")
        self.sorting = float(sorting)

    def split(self, window: Window, counts: Mapping[str, int], seed: int) -> dict[str, Microstructures]:
        """Cut each split from volumes of its own; slices lie across axis 0, a grain diameter apart by default.

        Raises:
            InputError: a window of no size or of other than 2 or 3 dimensions, or a negative count.
        """
        for name in ("size", "stride", "zoom", "slice_step"):
            value = getattr(window, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise InputError(f"window: {name} must be a whole number of at least 1, not {value!r}")
        if window.dimensions not in (2, 3):
            raise InputError(f"window: dimensions must be 2 or 3, not {window.dimensions!r}")
        for name, count in counts.items():
            if count < 0:
                raise InputError(f"split: {name} must be a number of windows, not {count!r}")
        return {name: self._draw(window, count, seed, name) for name, count in counts.items()}

    def fingerprint(self) -> dict[str, Any]:
        """Return the settings and the model's version."""
        return {"kind": "sandstone", "version": VERSION, **vars(self)}

    def _draw(self, window: Window, count: int, seed: int, name: str) -> Microstructures:
        """Cut ``count`` windows from as many volumes as it takes, which follow from ``seed`` and ``name``."""
        shape = (window.size if window.dimensions == 3 else 1, window.size, window.size)
        cuts = np.empty((count, *(window.size * window.zoom,) * window.dimensions), np.uint8)
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        radius = self.grain_diameter / 2
        done = volume = 0
        while done < count:
            random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key, volume)))
            edge = max(EDGE * self.grain_diameter, window.size * self.voxel_size)
            rock = Rock(random, edge / radius, self.sorting, self.cement / radius)
            corners = random.permutation(self._corners(window, shape, edge))[: count - done]
            for corner in corners:
                cut = rock.phases(corner * (self.voxel_size / radius), shape, self.voxel_size / radius)
                cut = cut[0] if window.dimensions == 2 else cut
                cuts[done] = cut if window.zoom == 1 else enlarged(cut, window.zoom)
                done += 1
            volume += 1
        return Microstructures(cuts, self.voxel_size / window.zoom)

    def _corners(self, window: Window, shape: tuple[int, int, int], edge: float) -> np.ndarray:
        """List the ``(M, 3)`` first voxels of the windows in a volume."""
        stride = window.stride or window.size
        across = (
            stride
            if window.dimensions == 3
            else window.slice_step or round(SLICE_STEP * self.grain_diameter / self.voxel_size) or 1
        )
        length = max(round(edge / self.voxel_size), window.size)
        starts = [np.arange(0, length - n + 1, step) for n, step in zip(shape, (across, stride, stride), strict=True)]
        return np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 3)
