"""Nodal forces of uniform stresses in elements, one voxel each, on a periodic grid."""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


@compiled
def put_forces(density, stress, out):
    """Write the forces that balance a stress times the density: it is unbalanced where the density changes.

    Args:
        density: ``(S, S, S)``, the first axis of one voxel in two dimensions.
        stress: ``(3, d)`` by axis and component, what changes along an axis is worth.
        out: ``(d, S, S, S)``.
    """
    layers, rows, columns = density.shape
    # Of places one further on, so that what is behind the first is there.
    changes = np.empty((3, columns + 1), density.dtype)
    for i in range(layers):
        for j in range(rows):
            a, b = density[i, j], density[i, j - 1]
            c, d = density[i - 1, j], density[i - 1, j - 1]
            first, second, third = changes[0], changes[1], changes[2]
            for k in range(columns):
                first[k + 1] = a[k] + b[k] - c[k] - d[k]
                second[k + 1] = a[k] - b[k] + c[k] - d[k]
                third[k + 1] = a[k] + b[k] + c[k] + d[k]
            changes[:, 0] = changes[:, columns]
            for component in range(len(out)):
                u, v, w = stress[0, component], stress[1, component], stress[2, component]
                force = out[component, i, j]
                for k in range(columns):
                    force[k] = u * (first[k + 1] + first[k]) + v * (second[k + 1] + second[k])
                    force[k] += w * (third[k + 1] - third[k])
