"""The Laguerre tessellation of spheres in a periodic box: the flat walls of each cell."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial import ConvexHull

MARGIN = 3.0
"""Spheres that stand further from a cell than this many mean spacings make none of its walls."""
IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
"""Shifts of a box to itself, in the middle, and to its neighbours; opposite ones stand opposite in the list."""


class Laguerre:
    """Splits a periodic box into cells: a place belongs to the sphere of the least ``|x - c|^2 - r^2``.

    With equal radii these are Voronoi cells. A wall of a cell is a facet, ``normal . (x - centre) = height``, and
    stands there once for each of its two cells.

    Args:
        centre: ``(G, 3)`` in [0, edge), of at least some ten spheres.
        radius: ``(G,)``. A sphere among much larger ones may have no cell.
        edge: of the box, which repeats along all three axes.

    Attributes:
        normal: ``(F, 3)`` unit normals of all cells' facets, outward, one cell's after another's.
        height: ``(F,)`` distances of the facets' planes from the centres of their cells.
        wall: ``(F,)`` number of the wall that a facet is a side of.
        facets: one slice of the facets a cell.
        reach: ``(G, 3)`` distance along each axis of a cell's furthest corner from its centre.

    Source: Aurenhammer, SIAM J. Comput. 16, 78 (1987): the cells are the lower convex hull of the spheres lifted to a
    paraboloid; as a model of foam Redenbach, Computational Materials Science 44, 1397 (2009).
    """

    def __init__(self, centre: np.ndarray, radius: np.ndarray, edge: float) -> None:
        n = len(centre)
        place, owner, image = _with_images(centre, edge, min(MARGIN * edge / n ** (1 / 3), edge))
        lifted = (place**2).sum(1) - radius[owner] ** 2
        hull = ConvexHull(np.column_stack([place, lifted]))
        below = hull.equations[:, 3] < 0
        simplices = hull.simplices[below]
        corners = hull.equations[below, :3] / (-2 * hull.equations[below, 3:4])
        self.reach = np.zeros((n, 3))
        for sphere in simplices.T:
            ours = sphere < n
            np.maximum.at(self.reach, sphere[ours], np.abs(corners[ours] - centre[sphere[ours]]))
        pairs = np.concatenate([simplices[:, [i, j]] for i, j in itertools.permutations(range(4), 2)])
        pairs = pairs[pairs[:, 0] < n]
        cell, beyond = np.divmod(np.unique(pairs[:, 0] * len(place) + pairs[:, 1]), len(place))
        apart = place[beyond] - centre[cell]
        distance = np.linalg.norm(apart, axis=1)
        self.normal = apart / distance[:, None]
        self.height = (distance**2 + radius[cell] ** 2 - radius[owner[beyond]] ** 2) / (2 * distance)
        ends = np.searchsorted(cell, np.arange(n + 1))
        self.facets = [slice(start, stop) for start, stop in itertools.pairwise(ends)]
        side = (cell * n + owner[beyond]) * len(IMAGES) + image[beyond]
        back = (owner[beyond] * n + cell) * len(IMAGES) + len(IMAGES) - 1 - image[beyond]
        self.wall = np.unique(np.minimum(side, back), return_inverse=True)[1]


def _with_images(centre: np.ndarray, edge: float, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join the points and their images up to ``margin`` outside the box: places, their points, and which images."""
    place = (centre[:, None] + edge * IMAGES).reshape(-1, 3)
    owner, image = np.divmod(np.arange(len(place)), len(IMAGES))
    is_own = image == len(IMAGES) // 2
    near = np.flatnonzero(((place > -margin) & (place < edge + margin)).all(1) & ~is_own)
    kept = np.concatenate([np.flatnonzero(is_own), near])
    return place[kept], owner[kept], image[kept]
