"""The source that makes blocky two-phase alloys with specks."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from matopt.data.processes.dead_leaves import DeadLeaves
from matopt.data.processes.limits import resolved, within
from matopt.data.sources.base import SOURCES, ProcessModel
from matopt.errors import InputError
from matopt.units import metres


@SOURCES.register("alloy")
class Alloy(ProcessModel):
    """Angular blocks of two phases and many sizes, with small specks of each in the other; see ``docs/materials.md``.

    Args:
        voxel_size: metres, or a length with its unit.
        block_size: median of the cube root of a block's volume, a length, before others hide parts of it.
        spread: standard deviation of the logarithm of the blocks' sizes.
        speck_size: the same of the specks.
        speck_share: share of the volume that the specks hold.
        porosity: share of phase 0, its specks included. A window's differs from it by chance.

    Raises:
        InputError: a length or a number that cannot be, or more specks than the porosity asked for allows.

    Source: the blocks are a dead leaves model; Jeulin, *Morphological Models of Random Structures* (2021).
    """

    VERSION: ClassVar[int] = 1
    EDGE: ClassVar[float] = 16.0
    SLICE_STEP: ClassVar[float] = 2.0

    def __init__(
        self,
        voxel_size: float | str = 5e-7,
        block_size: float | str = 7e-6,
        spread: float = 0.4,
        speck_size: float | str = 1.3e-6,
        speck_share: float = 0.02,
        porosity: float = 0.3,
    ) -> None:
        self.voxel_size = metres(voxel_size)
        self.block_size = resolved("block_size", block_size, self.voxel_size)
        self.spread = within("spread", spread, 0, 0.6)
        self.speck_size = resolved("speck_size", speck_size, self.voxel_size)
        self.speck_share = within("speck_share", speck_share, 0, 0.2)
        self.porosity = within("porosity", porosity, 0, 1)
        if not self.speck_share <= self.porosity <= 1 - self.speck_share:
            raise InputError(
                f"porosity {porosity} cannot be reached with a speck_share of {speck_share}, for specks lie in both"
                " phases; take fewer specks"
            )

    @property
    def unit(self) -> float:
        """The median size of the blocks."""
        return self.block_size

    def specimen(self, random: np.random.Generator, edge: float) -> DeadLeaves:
        """Let blocks fall until they hide all else in a cube."""
        return DeadLeaves(random, edge, self.porosity, self.spread, self.speck_share, self.speck_size / self.unit)
