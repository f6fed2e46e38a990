"""Dense packings of spheres in a periodic box: grains laid down and compacted."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

ITERATIONS = 40
SIEVES = 2.0
"""Radii lie within so many standard deviations (of their logarithm) of the median, as between two sieves."""


def pack(
    random: np.random.Generator, edge: float, median_radius: float, sorting: float, fill: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pack spheres of log-normal radii until they overlap as little as their number allows.

    The spheres start on the jittered sites of a lattice, so that no part of the box is much denser than another,
    and overlapping pairs push each other apart. With a ``fill`` above 0.64, that of random close packing, overlaps
    stay: they stand for the grain contacts that compaction flattens.

    Args:
        random: where the numbers come from.
        edge: of the box, which repeats along all three axes.
        median_radius: in the unit of ``edge``.
        sorting: standard deviation of the radii's logarithm.
        fill: the spheres' volumes over the box's.

    Returns:
        ``(G, 3)`` centres in [0, edge) and ``(G,)`` radii.

    Source: overlap relaxation as Clarke and Wiley, Phys. Rev. B 35, 7350 (1987); compaction by moving centres
    together as Bakke and Oren, SPE J. 2, 136 (1997).
    """
    radius = _radii(random, fill * edge**3, median_radius, sorting)
    n = len(radius)
    sites = int(np.ceil(n ** (1 / 3)))
    chosen = random.permutation(sites**3)[:n]
    lattice = np.stack(np.unravel_index(chosen, (sites,) * 3), axis=1)
    centre = (lattice + random.random((n, 3))) * (edge / sites)
    for _ in range(ITERATIONS):
        pairs = KDTree(centre, boxsize=edge).query_pairs(2 * radius.max(), output_type="ndarray")
        apart = _nearest_image(centre[pairs[:, 0]] - centre[pairs[:, 1]], edge)
        distance = np.sqrt((apart**2).sum(1))
        overlap = radius[pairs].sum(1) - distance
        touching = overlap > 0
        pairs, apart, distance = pairs[touching], apart[touching], distance[touching]
        push = apart * (0.3 * overlap[touching] / np.maximum(distance, 1e-9 * edge))[:, None]
        for axis in range(3):
            centre[:, axis] += np.bincount(pairs[:, 0], push[:, axis], n) - np.bincount(pairs[:, 1], push[:, axis], n)
        centre %= edge
    return centre, radius


def _radii(random: np.random.Generator, volume: float, median: float, sorting: float) -> np.ndarray:
    """Draw radii until the volume of their spheres reaches ``volume``."""
    batches: list[np.ndarray] = []
    while sum(4 / 3 * np.pi * (b**3).sum() for b in batches) < volume:
        batches.append(median * np.exp(sorting * np.clip(random.standard_normal(64), -SIEVES, SIEVES)))
    radius = np.concatenate(batches)
    return radius[: np.searchsorted(np.cumsum(4 / 3 * np.pi * radius**3), volume)]


def _nearest_image(vector: np.ndarray, edge: float) -> np.ndarray:
    """Shorten each vector to that between the nearest periodic images of its ends."""
    return vector - edge * np.round(vector / edge)
