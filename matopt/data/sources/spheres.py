"""The source that makes packings of hard spheres, as pores or as grains."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from matopt.data.processes.ball_packing import BallPacking
from matopt.data.processes.limits import resolved, within
from matopt.data.sources.base import SOURCES, ProcessModel
from matopt.errors import InputError
from matopt.units import metres


@SOURCES.register("spheres")
class Spheres(ProcessModel):
    """Spheres that do not overlap: bubbles in a solid, or loose beads; see ``docs/materials.md``.

    Args:
        voxel_size: metres, or a length with its unit.
        diameter: median diameter of the spheres, a length.
        spread: standard deviation of the logarithm of the diameters.
        porosity: of the material; the spheres fill half of it at most. A window's differs from it by chance.
        sphere: what the spheres are, "pore" or "grain".

    Raises:
        InputError: a length or a number that cannot be, or more spheres than can be parted.

    Source: Torquato, *Random Heterogeneous Materials* (2002), chapter 3; the packing as Clarke and Wiley, Phys. Rev. B
    35, 7350 (1987).
    """

    VERSION: ClassVar[int] = 1
    EDGE: ClassVar[float] = 16.0
    SLICE_STEP: ClassVar[float] = 1.6

    def __init__(
        self,
        voxel_size: float | str = 1e-5,
        diameter: float | str = 1.2e-4,
        spread: float = 0.2,
        porosity: float = 0.3,
        sphere: Literal["pore", "grain"] = "pore",
    ) -> None:
        self.voxel_size = metres(voxel_size)
        self.diameter = resolved("diameter", diameter, self.voxel_size)
        self.spread = within("spread", spread, 0, 0.5)
        if sphere not in ("pore", "grain"):
            raise InputError(f"sphere must be pore or grain, not {sphere!r}")
        self.sphere = sphere
        self.porosity = within("porosity", porosity, *((0.01, 0.5) if sphere == "pore" else (0.5, 0.99)))

    @property
    def unit(self) -> float:
        """The median diameter."""
        return self.diameter

    def specimen(self, random: np.random.Generator, edge: float) -> BallPacking:
        """Pack the spheres of a cube."""
        if self.sphere == "pore":
            return BallPacking(random, edge, self.porosity, self.spread, ball=0)
        return BallPacking(random, edge, 1 - self.porosity, self.spread, ball=1)
