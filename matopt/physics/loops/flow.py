"""One sample's slow flow: its cycles of multigrid, what they stand for the inverse of, and that itself."""

from __future__ import annotations

import numpy as np

from matopt.physics.loops.compiler import compiled


@compiled
def relax(stencils, start, end, r, share, x, t):
    """Adds a share of what ``x`` leaves of ``r`` to ``x``, and puts the rest in ``t``; but for 0, of a colour alone.

    ``r`` and ``t`` are over the diagonal.
    """
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
    """Relaxes from 0 for ``r``, which it divides by the diagonal, and adds what is left to ``below``, the parents'."""
    start, parent, diagonal = stencils.start[level], stencils.parent, stencils.diagonal
    share = stencils.rates[0]
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        r[here] = r[here] / diagonal[here] if diagonal[here] > 0 else 0
        x[here] = share * r[here] if here < start[1] else 0
    relax(stencils, start[1], start[2], r, share, x, t)
    relax(stencils, start[2], start[3], r, share, x, t)
    # Of the last colour it is known.
    relax(stencils, start[0], start[2] if start[2] < start[3] else start[1], r, x.dtype.type(0), x, t)
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        below[parent[here]] += diagonal[here] * t[here]


@compiled
def ascend(stencils, level, r, x, above):
    """Adds the parents' correction ``above`` to ``x`` and relaxes it for ``r``, over the diagonal; overwrites ``r``."""
    start, parent = stencils.start[level], stencils.parent
    share, stretch = stencils.rates
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        x[here] += stretch * above[parent[here]]
    for colour in range(2, -1, -1):
        relax(stencils, start[colour], start[colour + 1], r, share, x, r)


@compiled
def cycle(stencils, size, r, x, t):
    """A V-cycle over all levels for the first ``r``, as many as ``size``; leaves the solution in the first of ``x``.

    It overwrites ``r``, ``x`` and ``t``, each ``(N,)``.
    """
    start, diagonal = stencils.start, stencils.diagonal
    r[size:] = 0
    for level in range(len(start) - 1):
        descend(stencils, level, r, x, t, r)
    for here in range(start[-1, 0], start[-1, 3]):
        x[here] = r[here] / diagonal[here] if diagonal[here] > 0 else 0
    for level in range(len(start) - 2, -1, -1):
        ascend(stencils, level, r, x, x)
    x[start[0, 3] : size] = 0


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
def network_cycle(network, aggregates, fine, coarse):
    """A V-cycle over the grid and its aggregates for ``fine[0]``; leaves the solution in ``fine[1]``.

    It overwrites ``fine``, ``(3, n)``, and ``coarse``, ``(3, N)``.
    """
    level = len(network.start) - 1
    coarse[0, :] = 0
    descend(network, level, fine[0], fine[1], fine[2], coarse[0])
    correct(aggregates, coarse[0], coarse[1], coarse[2])
    ascend(network, level, fine[0], fine[1], coarse[1])
    fine[1, network.start[level, 3] :] = 0


@compiled
def apply(velocities, ends, x, out):
    """The system times ``x``, all velocities and then all pressures, into ``out``."""
    faces, nothing, diagonal = len(ends), x.dtype.type(0), velocities.diagonal
    u, p, force, inflow = x[:faces], x[faces:], out[:faces], out[faces:]
    force[:], inflow[:] = 0, 0
    # A share of zero leaves the velocities as they are.
    relax(velocities, 0, faces, force, nothing, u, force)
    for face in range(faces):
        behind, ahead = ends[face, 0], ends[face, 1]
        force[face] = p[ahead] - p[behind] - diagonal[face] * force[face]
        inflow[ahead] += u[face]
        inflow[behind] -= u[face]


@compiled
def precondition(velocities, ends, network, aggregates, residual, solution, dual, work, fine, coarse):
    """See :meth:`~matopt.physics.flow_system.FlowSystem.precondition`; overwrites the work of cycles."""
    faces = len(ends)
    r, change = work[0], work[1]
    u, p, excess, found = solution[:faces], solution[faces:], fine[0], fine[1]
    r[:faces] = residual[:faces]
    cycle(velocities, faces, r, change, work[2])
    for cell in range(p.size):
        p[cell] = -residual[faces + cell]
    for face in range(faces):
        u[face] = change[face]
        p[ends[face, 1]] += u[face]
        p[ends[face, 0]] -= u[face]
    excess[:] = p
    network_cycle(network, aggregates, fine, coarse)
    for cell in range(p.size):
        p[cell] += found[cell]
        dual[faces + cell] = -p[cell]
    for face in range(faces):
        r[face] = p[ends[face, 1]] - p[ends[face, 0]]
    cycle(velocities, faces, r, change, work[2])
    for face in range(faces):
        dual[face] = u[face] + change[face]
        u[face] -= change[face]


@compiled
def dot(a, b):
    """The dot product, in double precision."""
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total
