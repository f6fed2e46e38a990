"""The nodal forces of uniform stresses: right-hand sides of the elastic cell problem."""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


@compiled
def put_forces(density, stress, out):
    """Write the nodal forces of a stress times the density, which is unbalanced where the density changes.

    Args:
        density: ``(S, S, S)``, the first axis of one voxel in two dimensions.
        stress: ``(3, d)`` force of a unit change of density, by the axis of the change and the component.
        out: ``(d, S, S, S)``.
    """
    layers, rows, columns = density.shape
    # Shifted by one node, so that what is behind the first is there.
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
