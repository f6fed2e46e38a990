"""Short fibres, straight or bent, that lie across each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import elliprd

from matopt.data.processes.periodic import Axes, bodies_in, project


class FibreMat:
    """Fibres in random places of a periodic box, which may cross: a Boolean model. In the unit of their diameter.

    A fibre's axis is a parabola; each section across its mean direction is a disc, and both ends are half balls.

    Args:
        random: where the numbers come from.
        edge: of the box.
        porosity: share of the volume that no fibre holds, on average over many boxes.
        aspect: length over diameter, without the ends.
        bend: root mean square of the rise of a fibre's arc over its length.
        orientation: diagonal of the second-order orientation tensor along the three axes, of sum 1; see
            :func:`directions`.

    Source: Chiu, Stoyan, Kendall and Mecke, *Stochastic Geometry and its Applications* (2013), chapter 3.
    """

    def __init__(
        self,
        random: np.random.Generator,
        edge: float,
        porosity: float,
        aspect: float,
        bend: float,
        orientation: Sequence[float],
    ) -> None:
        self.edge = edge
        volume = np.pi / 4 * aspect + np.pi / 6
        n = random.poisson(-np.log(porosity) / volume * edge**3)
        self.centre = edge * random.random((n, 3))
        self.axis = directions(random, n, orientation)
        self.half = aspect / 2
        self.rise = bend * aspect * random.standard_normal(n)
        self.side = _across(random.standard_normal((n, 3)), self.axis)
        self.reach = self.half * np.abs(self.axis) + np.abs(self.rise[:, None] * self.side) + 0.5

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels; see :class:`matopt.data.sources.base.Specimen`."""
        x, y, z = (c + voxel * np.arange(n) for c, n in zip(corner, shape, strict=True))
        solid = np.zeros(shape, np.uint8)
        for fibre, part, near in bodies_in((x, y, z), self.centre, self.reach, self.edge):
            solid[part] |= self._contains(fibre, near)
        return solid

    def _contains(self, fibre: int, axes: Axes) -> np.ndarray:
        x, y, z = axes
        along = project(axes, self.axis[fibre].astype(np.float32))
        aside = project(axes, self.side[fibre].astype(np.float32))
        nearest = np.clip(along, -self.half, self.half)
        arc = np.float32(self.rise[fibre]) * ((nearest / self.half) ** 2 - np.float32(1 / 3))
        square = (x**2)[:, None, None] + (y**2)[:, None] + z**2 - along**2 - aside**2
        return square + (along - nearest) ** 2 + (aside - arc) ** 2 < 0.25


def directions(random: np.random.Generator, n: int, orientation: Sequence[float]) -> np.ndarray:
    """Draw unit vectors whose mean square components are ``orientation``: ``(n, 3)``.

    They follow the angular central Gaussian distribution: that of normal deviates over their length, to which the
    flow of a melt turns fibres that were laid down in all directions.

    Args:
        random: where the numbers come from.
        n: how many.
        orientation: diagonal of the second-order orientation tensor: (1/3, 1/3, 1/3) is isotropic, (0, 1/2, 1/2) in
            the plane of the last two axes, (1, 0, 0) along the first.

    Source: Advani and Tucker, J. Rheol. 31, 751 (1987); Montgomery-Smith and others, J. Fluid Mech. 680, 321 (2011).
    """
    wanted = np.array(orientation, np.float64)
    variance = wanted.copy()
    for _ in range(60):
        variance *= np.divide(wanted, _mean_squares(variance), out=np.zeros(3), where=wanted > 0)
        variance /= variance.sum()
    vector = np.sqrt(variance) * random.standard_normal((n, 3))
    return vector / np.linalg.norm(vector, axis=1, keepdims=True)


def _mean_squares(variance: np.ndarray) -> np.ndarray:
    """Compute the mean square components of normal deviates of these variances over their length."""
    a, b, c = 1 / np.maximum(variance, 1e-12)
    return np.sqrt(a * b * c) / 3 * elliprd([b, a, a], [c, c, b], [a, b, c])


def _across(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Turn vectors ``(n, 3)`` into unit vectors across ``axis``, in the plane of both."""
    across = vector - (vector * axis).sum(1, keepdims=True) * axis
    return across / np.linalg.norm(across, axis=1, keepdims=True)
