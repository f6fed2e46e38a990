"""Balls that do not overlap."""

from __future__ import annotations

import numpy as np

from matopt.data.processes.packing import hard_spheres, log_normal_radii
from matopt.data.processes.periodic import bodies_in


class BallPacking:
    """Balls in a periodic box, no two of which overlap. In the unit of their median diameter.

    Args:
        random: where the numbers come from.
        edge: of the box.
        fraction: of the volume that the balls fill, at most one half.
        spread: standard deviation of the logarithm of the diameters.
        ball: the phase of the balls: 0 = pores in a solid, 1 = grains.
    """

    def __init__(self, random: np.random.Generator, edge: float, fraction: float, spread: float, ball: int) -> None:
        self.edge = edge
        self.radius = log_normal_radii(random, fraction * edge**3, 0.5, spread)
        self.centre = hard_spheres(random, edge, self.radius)
        self._ball = ball

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels; see :class:`matopt.data.sources.base.Specimen`."""
        x, y, z = (c + voxel * np.arange(n) for c, n in zip(corner, shape, strict=True))
        phases = np.full(shape, 1 - self._ball, np.uint8)
        for ball, part, (dx, dy, dz) in bodies_in((x, y, z), self.centre, self.radius[:, None], self.edge):
            inside = (dx**2)[:, None, None] + (dy**2)[:, None] + dz**2 < np.float32(self.radius[ball] ** 2)
            phases[part][inside] = self._ball
        return phases
