"""Assembly of the multigrid hierarchy on the grids of one sample, in compiled loops.

The hierarchy is that of :mod:`matopt.physics.flow.aggregation_multigrid`, of cubes of two grid cells to a side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from matopt.physics.flow.aggregation_multigrid import OVERCORRECTION, RELAXATION
from matopt.physics.flow.couplings import colours
from matopt.physics.numerics.compiler import compiled


class Stencils(NamedTuple):
    """The matrices of all levels, one after the other: couplings to neighbours over the diagonal.

    Attributes:
        start: ``(L, 4)`` int64, where the unknowns of each level and colour start, and where the last colour's end.
        near: ``(N, 2 d)`` uint32, the neighbours ahead along each axis and those behind; itself where there is none.
        coupling: ``(N, 2 d)`` to these neighbours, minus the matrix's entries over the diagonal.
        diagonal: ``(N,)`` of the matrix.
        parent: ``(N,)`` uint32, the unknown of the next coarser level.
        rates: ``RELAXATION`` and ``OVERCORRECTION`` of :mod:`~matopt.physics.flow.aggregation_multigrid`.
    """

    start: np.ndarray
    near: np.ndarray
    coupling: np.ndarray
    diagonal: np.ndarray
    parent: np.ndarray
    rates: np.ndarray


def unfilled(number: np.ndarray, size: int, dimensions: int, dtype: np.dtype, levels: bool) -> Stencils:
    """Number the levels and find the neighbours of their unknowns.

    Still to be written, before :func:`fill`: the couplings of the finest level, and in ``diagonal`` its conductances to
    Dirichlet values.

    Args:
        number: ``(G, S, S, S)`` int32 index of the unknown, ascending, -1 where there is none.
        size: how many unknowns there are; the last need not be on the grids.
        dimensions: how many of the last axes have neighbours.
        dtype: of the vectors.
        levels: all levels, of cubes of two to a side; else the finest alone.
    """
    grids, parents, ends = [number], [], [0, size]
    while levels and max(grids[-1].shape[1:]) > 1:
        parents.append(np.zeros(ends[-1] - ends[-2], np.uint32))
        colour = colours(tuple((n + 1) // 2 for n in grids[-1].shape[1:]))
        cubes, end = halved(grids[-1], ends[-2], colour, ends[-1], parents[-1])
        grids.append(cubes)
        ends.append(end)
    parents.append(np.zeros(ends[-1] - ends[-2], np.uint32))
    near, coupling = np.empty((ends[-1], 2 * dimensions), np.uint32), np.empty((ends[-1], 2 * dimensions), dtype)
    counts = np.zeros((len(grids), 4), np.int64)
    for grid, count in zip(grids, counts, strict=True):
        join(grid, colours(grid.shape[1:]), near, count)
    start = np.array(ends[:-1])[:, None] + np.cumsum(counts, 1)
    on_none = np.arange(start[0, 3], size, dtype=np.uint32)
    near[on_none], coupling[start[0, 3] :] = on_none[:, None], 0
    rates = np.array([RELAXATION, OVERCORRECTION], dtype)
    return Stencils(start, near, coupling, np.zeros(ends[-1], dtype), np.concatenate(parents), rates)


@compiled
def halved(number, first, colour, coarse, parent):
    """Number the cubes of two to a side by colour, from ``coarse`` on, and write the parents of the unknowns.

    Returns:
        The numbers of the cubes on their own grids, and the number after the last.
    """
    grids, a, b, c = number.shape
    cubes = np.full((grids, *colour.shape), -1, np.int32)
    for g in range(grids):
        for x in range(a):
            for y in range(b):
                for z in range(c):
                    if number[g, x, y, z] >= 0:
                        cubes[g, x // 2, y // 2, z // 2] = 0
    flat, per_grid = cubes.reshape(-1), colour.reshape(-1)
    for shade in range(3):
        for at in range(flat.size):
            if flat[at] == 0 and per_grid[at % per_grid.size] == shade:
                flat[at] = coarse
                coarse += 1
    for g in range(grids):
        for x in range(a):
            for y in range(b):
                for z in range(c):
                    if number[g, x, y, z] >= 0:
                        parent[number[g, x, y, z] - first] = cubes[g, x // 2, y // 2, z // 2]
    return cubes, coarse


@compiled
def join(number, colour, near, counts):
    """Write the neighbours of the unknowns on periodic grids, and count those of colour c in ``counts[c + 1]``."""
    grids, a, b, c = number.shape
    dimensions = near.shape[1] // 2
    number, colour = number.reshape(-1), colour.reshape(-1)
    for g in range(grids):
        for x in range(a):
            for y in range(b):
                row, start = (x * b + y) * c, g * a * b * c
                x_ahead, x_behind = start + ((x + 1) % a * b + y) * c, start + ((x - 1) % a * b + y) * c
                y_ahead, y_behind = start + (x * b + (y + 1) % b) * c, start + (x * b + (y - 1) % b) * c
                for z in range(c):
                    here = number[start + row + z]
                    if here < 0:
                        continue
                    counts[colour[row + z] + 1] += 1
                    if dimensions == 3:
                        there = number[x_ahead + z]
                        near[here, 0] = there if there >= 0 else here
                        there = number[x_behind + z]
                        near[here, 3] = there if there >= 0 else here
                    there = number[y_ahead + z]
                    near[here, dimensions - 2] = there if there >= 0 else here
                    there = number[y_behind + z]
                    near[here, 2 * dimensions - 2] = there if there >= 0 else here
                    there = number[start + row + (z + 1 if z + 1 < c else 0)]
                    near[here, dimensions - 1] = there if there >= 0 else here
                    there = number[start + row + (z - 1 if z > 0 else c - 1)]
                    near[here, 2 * dimensions - 1] = there if there >= 0 else here


@compiled
def put_friction(face, cell, normal, across, drags, velocities, ends):
    """Write the couplings of velocities along one axis, their conductances to Dirichlet values, and the faces' ends.

    Args:
        face: ``(S, S, S)`` numbers of the open faces.
        cell: ``(S, S, S)`` numbers of the open voxels.
        normal: the axis that the faces are normal to.
        across: d of ``(S, S, S)``, the couplings to what is ahead along each axis, walls included.
        drags: ``(S, S, S)``, see :class:`~matopt.physics.flow.friction.Friction`.
        velocities: the levels, from :func:`unfilled`; written to.
        ends: ``(n, 2)``, the voxels behind and ahead of each face; written to.
    """
    near, coupling, dirichlet = velocities.near, velocities.coupling, velocities.diagonal
    dimensions, (a, b, c) = len(across), cell.shape
    first, none = 3 - dimensions, drags.dtype.type(0)
    face, cell, drags = face.reshape(-1), cell.reshape(-1), drags.reshape(-1)
    # Of the axes, and from a voxel to those ahead and behind along each.
    size, ahead, behind = np.array([a, b, c]), np.zeros(3, np.int64), np.zeros(3, np.int64)
    for x in range(a):
        ahead[0], behind[0] = ((x + 1) % a - x) * b * c, ((x - 1) % a - x) * b * c
        for y in range(b):
            ahead[1], behind[1] = ((y + 1) % b - y) * c, ((y - 1) % b - y) * c
            for z in range(c):
                here = (x * b + y) * c + z
                number = face[here]
                if number < 0:
                    continue
                ahead[2], behind[2] = (1 if z + 1 < c else 1 - c), (-1 if z > 0 else c - 1)
                ends[number, 0], ends[number, 1] = cell[here], cell[here + ahead[first + normal]]
                total = drags[here]
                for axis in range(dimensions):
                    after = before = none
                    if size[first + axis] > 1:
                        flat = across[axis].reshape(-1)
                        after, before = flat[here], flat[here + behind[first + axis]]
                    # At a closed face the velocity is 0.
                    is_end = near[number, axis] == number
                    total += after if is_end else none
                    coupling[number, axis] = none if is_end else after
                    is_end = near[number, dimensions + axis] == number
                    total += before if is_end else none
                    coupling[number, dimensions + axis] = none if is_end else before
                dirichlet[number] = total


@compiled
def put_mobility(ends, axis, mobility, network):
    """Write the couplings of voxels: the mobility ``(n,)`` of the face between them, across its axis ``(n,)``."""
    coupling = network.coupling
    coupling[:] = 0
    dimensions = coupling.shape[1] // 2
    for face in range(len(ends)):
        behind, ahead = ends[face, 0], ends[face, 1]
        if behind != ahead:
            coupling[behind, axis[face]] = mobility[face]
            coupling[ahead, dimensions + axis[face]] = mobility[face]


@compiled
def fill(stencils):
    """Write the couplings of coarser levels and all diagonals, and divide by these."""
    start, near, coupling, diagonal, parent = stencils[:5]
    is_volume, one, none = near.shape[1] == 6, coupling.dtype.type(1), coupling.dtype.type(0)
    for level in range(len(start)):
        is_last = level == len(start) - 1
        # Written out, as loops over so few take thrice as long.
        for here in range(np.uint64(start[level, 0]), np.uint64(start[level, 3])):
            c0, c1, c2, c3 = coupling[here, 0], coupling[here, 1], coupling[here, 2], coupling[here, 3]
            c4, c5 = (coupling[here, 4], coupling[here, 5]) if is_volume else (none, none)
            if not is_last:
                above = parent[here]
                diagonal[above] += diagonal[here]
                coupling[above, 0] += c0 if parent[near[here, 0]] != above else none
                coupling[above, 1] += c1 if parent[near[here, 1]] != above else none
                coupling[above, 2] += c2 if parent[near[here, 2]] != above else none
                coupling[above, 3] += c3 if parent[near[here, 3]] != above else none
                if is_volume:
                    coupling[above, 4] += c4 if parent[near[here, 4]] != above else none
                    coupling[above, 5] += c5 if parent[near[here, 5]] != above else none
            total = diagonal[here] + c0 + c1 + c2 + c3 + c4 + c5
            diagonal[here], inverse = total, one / total if total > 0 else none
            coupling[here, 0], coupling[here, 1] = inverse * c0, inverse * c1
            coupling[here, 2], coupling[here, 3] = inverse * c2, inverse * c3
            if is_volume:
                coupling[here, 4], coupling[here, 5] = inverse * c4, inverse * c5
