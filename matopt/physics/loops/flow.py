"""One sample's slow flow: its cycles of multigrid, friction, gradient and divergence."""

from __future__ import annotations

import numpy as np

from matopt.physics.loops.compiler import compiled


@compiled
def relax(stencils, start, end, r, share, x, t):
    """Adds a share of what ``x`` leaves of ``r`` to ``x``, and puts the rest in ``t``; but for 0, of a colour alone."""
    near, coupling = stencils.near, stencils.coupling
    is_volume, kept = near.shape[1] == 6, x.dtype.type(1) - share
    for here in range(np.uint64(start), np.uint64(end)):
        total = coupling[here, 0] * x[near[here, 0]] + coupling[here, 1] * x[near[here, 1]]
        total += coupling[here, 2] * x[near[here, 2]] + coupling[here, 3] * x[near[here, 3]]
        if is_volume:
            total += coupling[here, 4] * x[near[here, 4]] + coupling[here, 5] * x[near[here, 5]]
        total += r[here] - x[here]
        x[here] += share * total
        t[here] = kept * total


@compiled
def descend(stencils, level, r, x, t, below):
    """Relaxes from 0 for ``r``, which it scales, and adds what is left to ``below``, that of the parents."""
    start, parent, root = stencils.start[level], stencils.parent, stencils.root
    share = stencils.rates[0]
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        r[here] = r[here] / root[here] if root[here] > 0 else 0
        x[here] = share * r[here] if here < start[1] else 0
    relax(stencils, start[1], start[2], r, share, x, t)
    relax(stencils, start[2], start[3], r, share, x, t)
    # Of the last colour it is known.
    relax(stencils, start[0], start[2] if start[2] < start[3] else start[1], r, x.dtype.type(0), x, t)
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        below[parent[here]] += root[here] * t[here]


@compiled
def ascend(stencils, level, r, x, t, above):
    """Adds the parents' correction ``above`` to ``x``, relaxes it for ``r``, and unscales it; overwrites ``t``."""
    start, parent, root = stencils.start[level], stencils.parent, stencils.root
    share, stretch = stencils.rates
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        x[here] += stretch * root[here] * above[parent[here]]
    for colour in range(2, -1, -1):
        relax(stencils, start[colour], start[colour + 1], r, share, x, t)
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        x[here] = x[here] / root[here] if root[here] > 0 else 0


@compiled
def cycle(stencils, b, r, x, t):
    """A V-cycle over all levels for ``b``, ``(n,)``; leaves the solution in the first of ``x``.

    It overwrites ``r``, ``x`` and ``t``, each ``(N,)``.
    """
    start, root = stencils.start, stencils.root
    r[: b.size] = b
    r[b.size :] = 0
    for level in range(len(start) - 1):
        descend(stencils, level, r, x, t, r)
    for here in range(start[-1, 0], start[-1, 3]):
        x[here] = r[here] / root[here] ** 2 if root[here] > 0 else 0
    for level in range(len(start) - 2, -1, -1):
        ascend(stencils, level, r, x, t, x)
    x[start[0, 3] : b.size] = 0


@compiled
def remainder(aggregates, depth, r, x, t):
    """What of ``r`` is left by ``x``, into ``t``."""
    start, column, value = aggregates.start, aggregates.column, aggregates.value
    for row in range(aggregates.level[depth], aggregates.level[depth + 1]):
        total = r[row]
        for entry in range(start[row], start[row + 1]):
            total -= value[entry] * (x[row] - x[column[entry]])
        t[row] = total


@compiled
def correct(aggregates, r, x, t):
    """A V-cycle over all levels for ``r``, which holds 0 on all but the finest and is overwritten, as ``t`` is."""
    level, step, up_start = aggregates.level, aggregates.step, aggregates.up_start
    up_column, up_value = aggregates.up_column, aggregates.up_value
    for depth in range(level.size - 2):
        for row in range(level[depth], level[depth + 1]):
            x[row] = step[row] * r[row]
        remainder(aggregates, depth, r, x, t)
        for row in range(level[depth], level[depth + 1]):
            for entry in range(up_start[row], up_start[row + 1]):
                r[up_column[entry]] += up_value[entry] * t[row]
    x[level[-2] :] = 0
    for depth in range(level.size - 3, -1, -1):
        for row in range(level[depth], level[depth + 1]):
            for entry in range(up_start[row], up_start[row + 1]):
                x[row] += up_value[entry] * x[up_column[entry]]
        remainder(aggregates, depth, r, x, t)
        for row in range(level[depth], level[depth + 1]):
            x[row] += step[row] * t[row]


@compiled
def network_cycle(network, aggregates, b, fine, coarse):
    """A V-cycle over the grid and its aggregates for ``b``, ``(n,)``; leaves the solution in ``fine[1]``.

    It overwrites ``fine``, ``(3, n)``, and ``coarse``, ``(3, N)``.
    """
    level = len(network.start) - 1
    fine[0] = b
    coarse[0, :] = 0
    descend(network, level, fine[0], fine[1], fine[2], coarse[0])
    correct(aggregates, coarse[0], coarse[1], coarse[2])
    ascend(network, level, fine[0], fine[1], fine[2], coarse[1])
    fine[1, network.start[level, 3] :] = 0


@compiled
def add_divergence(ends, u, out):
    """Adds minus the divergence of velocities."""
    for face in range(u.size):
        out[ends[face, 1]] += u[face]
        out[ends[face, 0]] -= u[face]


@compiled
def add_gradient(ends, p, out):
    """Adds the gradient of pressures."""
    for face in range(len(ends)):
        out[face] += p[ends[face, 1]] - p[ends[face, 0]]


@compiled
def friction(velocities, u, scaled, out):
    """The friction of velocities; overwrites ``scaled``."""
    root = velocities.root
    for face in range(u.size):
        scaled[face] = root[face] * u[face]
    # What a share of zero leaves of the vector itself is what neighbours send.
    relax(velocities, velocities.start[0, 0], u.size, scaled, u.dtype.type(0), scaled, out)
    for face in range(u.size):
        out[face] = root[face] * (scaled[face] - out[face])


@compiled
def dot(a, b):
    """The dot product, in double precision."""
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total
