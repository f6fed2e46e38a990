"""Dense packings of spheres in a periodic box: grains laid down and compacted."""

from __future__ import annotations

import numpy as np

from matopt.data.processes.packing import log_normal_radii, push_apart

ITERATIONS = 40


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
    radius = log_normal_radii(random, fill * edge**3, median_radius, sorting)
    n = len(radius)
    sites = int(np.ceil(n ** (1 / 3)))
    chosen = random.permutation(sites**3)[:n]
    lattice = np.stack(np.unravel_index(chosen, (sites,) * 3), axis=1)
    centre = (lattice + random.random((n, 3))) * (edge / sites)
    for _ in range(ITERATIONS):
        centre, _ = push_apart(centre, radius, edge, share=0.3)
    return centre, radius
