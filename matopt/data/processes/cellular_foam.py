"""A foam: cells between thin flat walls, some of which have burst."""

from __future__ import annotations

import numpy as np

from matopt.data.processes.laguerre import Laguerre
from matopt.data.processes.packing import SIEVES, hard_spheres
from matopt.data.processes.periodic import Axes, bodies_in

FILL = 0.4
"""Share of the volume that the bubbles fill from whose packing the cells follow."""
PROBES = 56
"""Places along each edge of the box at which the distance to the nearest wall is measured."""
ROUNDING = 1e-4
"""Places so near to a wall belong to the cells on both sides, so that none is lost between them."""


class CellularFoam:
    """The Laguerre cells of a packing of bubbles, between walls of one thickness.

    A place is solid where the nearest wall of its cell that has not burst is within half the thickness. The thickness
    is the one at which the box has the porosity asked for. Where a wall has burst the walls around it leave its frame.
    All lengths are in units of the diameter of the ball that is as large as the mean cell.

    Args:
        random: where the numbers come from.
        edge: of the box.
        porosity: share of the volume that is pore.
        spread: standard deviation of the logarithm of the bubbles' diameters.
        burst: share of the walls that have burst; 0 is a closed-cell foam.
    """

    def __init__(self, random: np.random.Generator, edge: float, porosity: float, spread: float, burst: float) -> None:
        self.edge = edge
        self.radius = np.exp(spread * np.clip(random.standard_normal(round(6 / np.pi * edge**3)), -SIEVES, SIEVES))
        self.radius *= edge * (FILL / (4 / 3 * np.pi * (self.radius**3).sum())) ** (1 / 3)
        self.centre = hard_spheres(random, edge, self.radius)
        self.cells = Laguerre(self.centre, self.radius, edge)
        self._is_intact = (random.random(self.cells.wall.max() + 1) >= burst)[self.cells.wall]
        probe = (np.arange(PROBES) + 0.5) * (edge / PROBES)
        self.thickness = 2 * float(np.quantile(self.clearance((probe, probe, probe)), 1 - porosity))

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels; see :class:`matopt.data.sources.base.Specimen`."""
        x, y, z = (c + voxel * np.arange(n) for c, n in zip(corner, shape, strict=True))
        return (self.clearance((x, y, z)) <= self.thickness / 2).astype(np.uint8)

    def clearance(self, axes: Axes) -> np.ndarray:
        """Compute on a grid the distance of each place to the nearest wall of its cell that has not burst."""
        cells = self.cells
        found = np.zeros(tuple(len(a) for a in axes), np.float32)
        for cell, part, (x, y, z) in bodies_in(axes, self.centre, cells.reach, self.edge):
            facets = cells.facets[cell]
            normal, height = cells.normal[facets].astype(np.float32), cells.height[facets].astype(np.float32)
            short = height[:, None, None, None] - (normal[:, :1] * x)[:, :, None, None]
            short = short - (normal[:, 1:2] * y)[:, None, :, None] - (normal[:, 2:] * z)[:, None, None, :]
            is_inside = (short > -ROUNDING).all(0)
            clear = short[self._is_intact[facets]].min(0, initial=np.inf)
            found[part][is_inside] = np.maximum(found[part], clear)[is_inside]
        return found
