"""A volume of sandstone as a function of place: grains, cement, opened contacts, leached grains and clay."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from matopt.data.processes.periodic import bodies_in
from matopt.data.sandstone.packing import pack
from matopt.data.sandstone.random_field import RandomField

FAR = np.float32(1e3)
"""The distance function of a grain that is out of reach."""


class Rock:
    """A periodic volume of sandstone, whose phases can be computed at any place and resolution.

    A grain is a convex polyhedron: ``f(x) = max_k (n_k . x - h_k)`` is its distance function, negative inside. With
    ``f1 <= f2`` the two least of these at a place, and ``c`` the thickness of the cement there, which varies smoothly
    through the rock, the place is solid where

    - ``f1 < c``: grain, or the overgrowth on it, which keeps the crystal faces; or
    - ``(f1 + f2) / 2 < c + THROAT``: a gap between two grains too narrow to have stayed open.

    It is pore all the same where the contact of two grains has opened, or within one of the few grains that have been
    leached; and solid where a patch of clay fills the pores. All lengths are in units of the median grain radius.
    """

    FILL = 0.78
    FACETS = 18
    ELONGATION = 0.2
    ROUGHNESS = 0.08
    GRAIN_VOLUME = 0.93
    CORNER = 1.25
    CEMENT_SPREAD, CEMENT_LENGTH = 0.055, 1.2
    SURFACE_SPREAD, SURFACE_LENGTH = 0.045, 0.4
    THROAT = 0.065
    CONTACT_MEAN, CONTACT_SPREAD, CONTACT_LENGTH = -0.32, 0.16, 0.8
    LEACHED_GRAINS, LEACHED_SHARE, LEACHED_LENGTH = 0.02, 0.25, 0.22
    CLAY_PATCHES, PATCH_LENGTH, CLAY_SHARE, CLAY_LENGTH = 0.15, 1.9, 0.35, 0.19

    def __init__(self, random: np.random.Generator, edge: float, sorting: float, cement: float) -> None:
        self.edge = edge
        self._cement = cement
        self._centre, radius = pack(random, edge, 1.0, sorting, self.FILL)
        n = len(radius)
        self._normal = _spread_directions(random, n, self.FACETS).astype(np.float32)
        self._height = (radius[:, None] * self._shape_factors(random)).astype(np.float32)
        # The tips of a polyhedron are worn off, which bounds the grain too.
        self._tip = self.CORNER * self._height.max(1)
        self._leached = random.random(n) < self.LEACHED_GRAINS
        self._cement_field = RandomField(random, self.CEMENT_LENGTH)
        self._surface_field = RandomField(random, self.SURFACE_LENGTH)
        self._contact_field = RandomField(random, self.CONTACT_LENGTH)
        self._leached_field = RandomField(random, self.LEACHED_LENGTH)
        self._patch_field = RandomField(random, self.PATCH_LENGTH)
        self._clay_field = RandomField(random, self.CLAY_LENGTH)

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels.

        Args:
            corner: ``(3,)`` centre of the first voxel, in median grain radii.
            shape: voxels along each axis.
            voxel: edge of a voxel, in median grain radii.

        Returns:
            ``shape`` uint8, 1 = grain, 0 = pore."""
        x, y, z = (c + voxel * np.arange(n) for c, n in zip(corner, shape, strict=True))
        axes = (x, y, z)
        first, second, leached = self._two_nearest_grains(axes)
        cement = self._cement + self.CEMENT_SPREAD * self._cement_field.at(axes)
        surface = self.SURFACE_SPREAD * self._surface_field.at(axes)
        solid = (first + surface < cement) | ((first + second) / 2 < cement + self.THROAT)
        opening = self.CONTACT_MEAN + self.CONTACT_SPREAD * self._contact_field.at(axes)
        solid &= (second - first) / 2 >= opening
        if leached.any():
            solid &= ~(leached & (self._leached_field.at(axes) < ndtri(self.LEACHED_SHARE)))
        patches = self._patch_field.at(axes) < ndtri(self.CLAY_PATCHES)
        if patches.any():
            solid |= patches & (self._clay_field.at(axes) < ndtri(self.CLAY_SHARE))
        return solid.astype(np.uint8)

    def _shape_factors(self, random: np.random.Generator) -> np.ndarray:
        """Draw ``(G, K)`` facet distances over the grain's radius: an ellipsoid's support function, roughened."""
        n = len(self._normal)
        axes = np.exp(self.ELONGATION * random.standard_normal((n, 1, 3)))
        axes /= axes.prod(2, keepdims=True) ** (1 / 3)
        turn = np.linalg.qr(random.standard_normal((n, 3, 3)))[0]
        support = np.sqrt((((self._normal @ turn) * axes) ** 2).sum(2))
        return (
            self.GRAIN_VOLUME * support * (1 + self.ROUGHNESS * np.clip(random.standard_normal(support.shape), -2, 2))
        )

    def _two_nearest_grains(
        self, axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute on a grid the two least distance functions, and whether the least is that of a leached grain."""
        shape = tuple(len(a) for a in axes)
        first = np.full(shape, FAR)
        second = np.full(shape, FAR)
        leached = np.zeros(shape, bool)
        # Beyond this a distance function decides nothing: neither cement nor the narrowest throat reaches so far.
        reach = self._tip + self._cement + 4 * self.CEMENT_SPREAD + 2 * self.THROAT + 4 * self.SURFACE_SPREAD
        for grain, box, (x, y, z) in bodies_in(axes, self._centre, reach[:, None], self.edge):
            distance = self._distance(grain, x, y, z)
            least = first[box]
            is_nearer = distance < least
            leached[box] = np.where(is_nearer, self._leached[grain], leached[box])
            second[box] = np.minimum(second[box], np.maximum(least, distance))
            first[box] = np.minimum(least, distance)
        return first, second, leached

    def _distance(self, grain: int, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        normal, height = self._normal[grain], self._height[grain]
        flat = (normal[:, :1] * x - height[:, None])[:, :, None, None]
        flat = flat + (normal[:, 1:2] * y)[:, None, :, None] + (normal[:, 2:] * z)[:, None, None, :]
        ball = np.sqrt((x**2)[:, None, None] + (y**2)[:, None] + z**2) - np.float32(self._tip[grain])
        return np.maximum(flat.max(0), ball)


def _spread_directions(random: np.random.Generator, n: int, count: int) -> np.ndarray:
    """Draw ``n`` times ``count`` unit vectors in random directions that keep apart: ``(n, count, 3)``."""
    vectors = random.standard_normal((n, count, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    for _ in range(6):  # a few steps down the electrostatic energy (Thomson's problem) are enough
        apart = vectors[:, :, None] - vectors[:, None]
        cubed = ((apart**2).sum(3) + 1e-3) ** 1.5
        vectors += 0.3 / count * (apart / cubed[..., None]).sum(2)
        vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return vectors
