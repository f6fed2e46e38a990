"""The source that makes sandstone by a process model, in place of measuring it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from matopt.data.sandstone.rock import Rock
from matopt.data.sources.base import SOURCES, ProcessModel
from matopt.errors import InputError
from matopt.units import metres


@SOURCES.register("sandstone")
class Sandstone(ProcessModel):
    """A process model of sandstone; by default it makes Berea sandstone. See ``docs/sandstone.md`` for how well.

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

    VERSION: ClassVar[int] = 1
    EDGE: ClassVar[float] = 20.6  # grain radii: it holds some hundreds of grains
    SLICE_STEP: ClassVar[float] = 2.0  # pores a grain diameter apart are uncorrelated

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

    @property
    def unit(self) -> float:
        """The median radius of the grains."""
        return self.grain_diameter / 2

    def specimen(self, random: np.random.Generator, edge: float) -> Rock:
        """Lay down, compact and cement the grains of a cube."""
        return Rock(random, edge, self.sorting, self.cement / self.unit)
