"""The source that makes foams: cells between thin walls."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from matopt.data.processes.cellular_foam import CellularFoam
from matopt.data.processes.limits import resolved, within
from matopt.data.sources.base import SOURCES, ProcessModel
from matopt.units import metres


@SOURCES.register("foam")
class Foam(ProcessModel):
    """A foam: polyhedral cells between flat walls of one thickness, some of them burst; see ``docs/materials.md``.

    Args:
        voxel_size: metres, or a length with its unit.
        cell_diameter: diameter of the ball that is as large as the mean cell, a length.
        spread: standard deviation of the logarithm of the bubbles' diameters.
        burst: share of the walls that have burst; 0 is a closed-cell foam.
        porosity: of the material, from which the thickness of the walls follows. A window's differs from it by chance.

    Raises:
        InputError: a length or a number that cannot be.

    Source: Redenbach, Computational Materials Science 44, 1397 (2009).
    """

    VERSION: ClassVar[int] = 1
    EDGE: ClassVar[float] = 10.0
    SLICE_STEP: ClassVar[float] = 1.0

    def __init__(
        self,
        voxel_size: float | str = 1e-5,
        cell_diameter: float | str = 2e-4,
        spread: float = 0.2,
        burst: float = 0.08,
        porosity: float = 0.7,
    ) -> None:
        self.voxel_size = metres(voxel_size)
        self.cell_diameter = resolved("cell_diameter", cell_diameter, self.voxel_size)
        self.spread = within("spread", spread, 0, 0.5)
        self.burst = within("burst", burst, 0, 0.5)
        self.porosity = within("porosity", porosity, 0.01, 0.99)

    @property
    def unit(self) -> float:
        """The mean cell's diameter."""
        return self.cell_diameter

    def specimen(self, random: np.random.Generator, edge: float) -> CellularFoam:
        """Blow the cells of a cube."""
        return CellularFoam(random, edge, self.porosity, self.spread, self.burst)
