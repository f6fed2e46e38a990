"""Multigrid cycles of one sample's slow flow, its saddle-point matrix and the preconditioner, in compiled loops."""

from __future__ import annotations

import numpy as np

from matopt.physics.numerics.compiler import compiled


@compiled
def relax(stencils, start, end, r, x):
    """Relax the unknowns of a colour: add a share of their residual, over the diagonal, to ``x``."""
    near, coupling, share = stencils.near, stencils.coupling, stencils.rates[0]
    is_volume = near.shape[1] == 6
    for here in range(np.uint64(start), np.uint64(end)):
        total = coupling[here, 0] * x[near[here, 0]] + coupling[here, 1] * x[near[here, 1]]
        total += coupling[here, 2] * x[near[here, 2]] + coupling[here, 3] * x[near[here, 3]]
        if is_volume:
            total += coupling[here, 4] * x[near[here, 4]] + coupling[here, 5] * x[near[here, 5]]
        x[here] += share * (total + r[here] - x[here])


@compiled
def restrict(stencils, start, end, r, share, x, below):
    """Add a share of the residual to ``x``, and what is left of it to ``below``, the right-hand side of the next level.

    A share other than 0 is for the unknowns of one colour, which are not coupled.
    """
    near, coupling, diagonal, parent = stencils.near, stencils.coupling, stencils.diagonal, stencils.parent
    is_volume, kept = near.shape[1] == 6, x.dtype.type(1) - share
    for here in range(np.uint64(start), np.uint64(end)):
        total = coupling[here, 0] * x[near[here, 0]] + coupling[here, 1] * x[near[here, 1]]
        total += coupling[here, 2] * x[near[here, 2]] + coupling[here, 3] * x[near[here, 3]]
        if is_volume:
            total += coupling[here, 4] * x[near[here, 4]] + coupling[here, 5] * x[near[here, 5]]
        total += r[here] - x[here]
        x[here] += share * total
        below[parent[here]] += kept * diagonal[here] * total


@compiled
def descend(stencils, level, r, x, below):
    """Relax from 0 for ``r``, which is divided by the diagonal, and add the residual to ``below``, the next level's."""
    start, diagonal, share = stencils.start[level], stencils.diagonal, stencils.rates[0]
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        r[here] = r[here] / diagonal[here] if diagonal[here] > 0 else 0
        x[here] = share * r[here] if here < start[1] else 0
    last = 2 if start[2] < start[3] else 1
    if last == 2:
        relax(stencils, start[1], start[2], r, x)
    # After a colour has been relaxed it is known what of it is left.
    restrict(stencils, start[last], start[3], r, share, x, below)
    restrict(stencils, start[0], start[last], r, x.dtype.type(0), x, below)


@compiled
def ascend(stencils, level, r, x, above):
    """Add the correction ``above`` of the next level to ``x`` and relax it for ``r``, over the diagonal."""
    start, parent, overcorrection = stencils.start[level], stencils.parent, stencils.rates[1]
    for here in range(np.uint64(start[0]), np.uint64(start[3])):
        x[here] += overcorrection * above[parent[here]]
    for colour in range(2, -1, -1):
        relax(stencils, start[colour], start[colour + 1], r, x)


@compiled
def cycle(stencils, size, r, x):
    """Solve approximately for the first ``size`` numbers of ``r`` by one V-cycle, into the first of ``x``.

    It overwrites ``r`` and ``x``, each ``(N,)``.
    """
    start, diagonal = stencils.start, stencils.diagonal
    r[size:] = 0
    for level in range(len(start) - 1):
        descend(stencils, level, r, x, r)
    for here in range(start[-1, 0], start[-1, 3]):
        x[here] = r[here] / diagonal[here] if diagonal[here] > 0 else 0
    for level in range(len(start) - 2, -1, -1):
        ascend(stencils, level, r, x, x)
    x[start[0, 3] : size] = 0


@compiled
def remainder(aggregates, depth, r, x, t):
    """Write the residual ``r - A x`` of a level into ``t``."""
    start, column, value = aggregates.start, aggregates.column, aggregates.value
    for row in range(aggregates.level[depth], aggregates.level[depth + 1]):
        total = r[row]
        for entry in range(start[row], start[row + 1]):
            total -= value[entry] * (x[row] - x[column[entry]])
        t[row] = total


@compiled
def correct(aggregates, r, x, t):
    """Solve approximately for ``r`` by one V-cycle over the aggregates, into ``x``.

    ``r`` is 0 on all levels but the finest; it is overwritten, as ``t`` is.
    """
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
    """Solve approximately for ``fine[0]`` by one V-cycle over the pore network and its aggregates, into ``fine[1]``.

    It overwrites ``fine``, ``(2, n)``, and ``coarse``, ``(3, N)``.
    """
    level = len(network.start) - 1
    coarse[0, :] = 0
    descend(network, level, fine[0], fine[1], coarse[0])
    correct(aggregates, coarse[0], coarse[1], coarse[2])
    ascend(network, level, fine[0], fine[1], coarse[1])
    fine[1, network.start[level, 3] :] = 0


@compiled
def apply(velocities, ends, x, out):
    """Multiply the saddle-point system by ``x``, all velocities and then all pressures, into ``out``."""
    near, coupling, diagonal, faces = velocities.near, velocities.coupling, velocities.diagonal, len(ends)
    u, p, force, inflow = x[:faces], x[faces:], out[:faces], out[faces:]
    is_volume = near.shape[1] == 6
    inflow[:] = 0
    for here in range(np.uint64(faces)):
        total = coupling[here, 0] * u[near[here, 0]] + coupling[here, 1] * u[near[here, 1]]
        total += coupling[here, 2] * u[near[here, 2]] + coupling[here, 3] * u[near[here, 3]]
        if is_volume:
            total += coupling[here, 4] * u[near[here, 4]] + coupling[here, 5] * u[near[here, 5]]
        behind, ahead = ends[here, 0], ends[here, 1]
        force[here] = p[ahead] - p[behind] + diagonal[here] * (u[here] - total)
        inflow[ahead] += u[here]
        inflow[behind] -= u[here]


@compiled
def precondition(velocities, ends, network, aggregates, residual, solution, work, fine, coarse):
    """Solve approximately, see :meth:`~matopt.physics.flow.system.FlowSystem.precondition`; overwrites work arrays."""
    faces = len(ends)
    force, source, u, p = residual[:faces], residual[faces:], solution[:faces], solution[faces:]
    r, change, excess, found = work[0], work[1], fine[0], fine[1]
    r[:faces] = force
    cycle(velocities, faces, r, change)
    for cell in range(p.size):
        p[cell] = -source[cell]
    for face in range(faces):
        u[face] = change[face]
        p[ends[face, 1]] += u[face]
        p[ends[face, 0]] -= u[face]
    excess[:] = p
    network_cycle(network, aggregates, fine, coarse)
    for cell in range(p.size):
        p[cell] += found[cell]
    square = -dot(source, p)
    for cell in range(p.size):
        source[cell] = -p[cell]
    for face in range(faces):
        r[face] = p[ends[face, 1]] - p[ends[face, 0]]
    cycle(velocities, faces, r, change)
    for face in range(faces):
        both = u[face] + change[face]
        u[face] -= change[face]
        change[face] = both
    square += dot(force, change)
    force[:] = change[:faces]
    return square


@compiled
def dot(a, b):
    """The dot product, summed in double precision."""
    total = 0.0
    for i in range(a.size):
        total += np.float64(a[i]) * np.float64(b[i])
    return total
