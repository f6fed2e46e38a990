"""Spheres in a periodic box that push each other apart."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from matopt.errors import FailureError

SIEVES = 2.0
"""Radii lie within so many standard deviations (of their logarithm) of the median, as between two sieves."""
GAP = 5e-3
"""Hard spheres are pushed to this share of their radii apart, so that they soon cease to overlap."""
PUSHES = 1000


def log_normal_radii(random: np.random.Generator, volume: float, median: float, sorting: float) -> np.ndarray:
    """Draw radii until the volume of their spheres reaches ``volume``."""
    batches: list[np.ndarray] = []
    while sum(4 / 3 * np.pi * (b**3).sum() for b in batches) < volume:
        batches.append(median * np.exp(sorting * np.clip(random.standard_normal(64), -SIEVES, SIEVES)))
    radius = np.concatenate(batches)
    return radius[: np.searchsorted(np.cumsum(4 / 3 * np.pi * radius**3), volume)]


def push_apart(centre: np.ndarray, radius: np.ndarray, edge: float, share: float) -> tuple[np.ndarray, float]:
    """Move both spheres of each overlapping pair away from each other by ``share`` of their overlap.

    Args:
        centre: ``(G, 3)`` in [0, edge).
        radius: ``(G,)``.
        edge: of the box, which repeats along all three axes.
        share: one half parts a pair that touches no third sphere.

    Returns:
        The new centres, and the largest overlap at the old ones, over the sum of the pair's radii.

    Source: Clarke and Wiley, Phys. Rev. B 35, 7350 (1987).
    """
    n = len(radius)
    pairs = KDTree(centre, boxsize=edge).query_pairs(2 * radius.max(), output_type="ndarray")
    apart = nearest_image(centre[pairs[:, 0]] - centre[pairs[:, 1]], edge)
    distance = np.sqrt((apart**2).sum(1))
    reach = radius[pairs].sum(1)
    overlap = reach - distance
    touching = overlap > 0
    worst = float((overlap / reach).max(initial=0))
    pairs, apart, distance = pairs[touching], apart[touching], distance[touching]
    push = apart * (share * overlap[touching] / np.maximum(distance, 1e-9 * edge))[:, None]
    moved = centre.copy()
    for axis in range(3):
        moved[:, axis] += np.bincount(pairs[:, 0], push[:, axis], n) - np.bincount(pairs[:, 1], push[:, axis], n)
    return moved % edge, worst


def hard_spheres(random: np.random.Generator, edge: float, radius: np.ndarray) -> np.ndarray:
    """Throw spheres into a periodic box and push them apart until no two overlap.

    They start independent of each other, so that the box is denser in one place than in another.

    Args:
        random: where the numbers come from.
        edge: of the box.
        radius: ``(G,)``; up to half of the box's volume.

    Returns:
        ``(G, 3)`` centres in [0, edge).

    Raises:
        FailureError: they still overlap after many pushes, for they are too many.
    """
    centre = edge * random.random((len(radius), 3))
    for _ in range(PUSHES):
        moved, overlap = push_apart(centre, radius * (1 + GAP), edge, share=0.5)
        if overlap <= GAP / (1 + GAP):
            return centre
        centre = moved
    fraction = 4 / 3 * np.pi * (radius**3).sum() / edge**3
    raise FailureError(f"spheres that fill {fraction:.2f} of the volume cannot be parted; let them fill less of it")


def nearest_image(vector: np.ndarray, edge: float) -> np.ndarray:
    """Shorten each vector to that between the nearest periodic images of its ends."""
    return vector - edge * np.round(vector / edge)
