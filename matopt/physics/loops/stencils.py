"""Multigrid on the grids of one sample in compiled loops: the cycle of :mod:`matopt.physics.aggregation`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from matopt.physics.aggregation import RELAXATION, STRETCH
from matopt.physics.links import colours
from matopt.physics.loops.compiler import compiled


class Stencils(NamedTuple):
    """What unknowns exchange with their neighbours, on all levels one after the other, over the matrix's diagonal.

    Attributes:
        start: ``(L, 4)`` int64, where the unknowns of each level and colour start, and where the last colour's end.
        near: ``(N, 2 d)`` uint32, the neighbours ahead along each axis and those behind; itself where there is none.
        coupling: ``(N, 2 d)``, to them, minus the matrix's entries over the diagonal.
        diagonal: ``(N,)`` of the matrix.
        parent: ``(N,)`` uint32, the unknown of the next level.
        rates: :data:`~matopt.physics.aggregation.RELAXATION` and :data:`~matopt.physics.aggregation.STRETCH`.
    """

    start: np.ndarray
    near: np.ndarray
    coupling: np.ndarray
    diagonal: np.ndarray
    parent: np.ndarray
    rates: np.ndarray


def unfilled(number: np.ndarray, size: int, dimensions: int, dtype: np.dtype, levels: bool) -> Stencils:
    """Room for the couplings; the finest, to neighbours ahead, and in ``diagonal`` what holds them are to be put in.

    Args:
        number: ``(G, S, S, S)`` int32 index of the unknown, ascending, -1 where there is none.
        size: how many unknowns there are; not all need to be on the grids.
        dimensions: how many of the last axes have neighbours.
        dtype: of the vectors.
        levels: all of them, of cubes of two to a side; else the finest alone.
    """
    grids, parents, ends = [number], [], [0, size]
    while levels and max(grids[-1].shape[1:]) > 1:
        parents.append(np.zeros(ends[-1] - ends[-2], np.uint32))
        colour = colours(tuple((n + 1) // 2 for n in grids[-1].shape[1:]))
        cubes, end = halved(grids[-1], ends[-2], colour, ends[-1], parents[-1])
        grids.append(cubes)
        ends.append(end)
    parents.append(np.zeros(ends[-1] - ends[-2], np.uint32))
    near = np.empty((ends[-1], 2 * dimensions), np.uint32)
    near[:] = np.arange(ends[-1], dtype=np.uint32)[:, None]
    counts = np.zeros((len(grids), 4), np.int64)
    for grid, count in zip(grids, counts, strict=True):
        join(grid, colours(grid.shape[1:]), near, count)
    start = np.array(ends[:-1])[:, None] + np.cumsum(counts, 1)
    rates = np.array([RELAXATION, STRETCH], dtype)
    diagonal = np.zeros(ends[-1], dtype)
    return Stencils(start, near, np.zeros(near.shape, dtype), diagonal, np.concatenate(parents), rates)


@compiled
def halved(number, first, colour, coarse, parent):
    """The grids of cubes of two to a side, numbered by colour from ``coarse``, and their end; fills in the parents."""
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
    """Puts in the neighbours on periodic grids, no unknown as its own, and counts colours, one place further on."""
    grids, a, b, c = number.shape
    dimensions = near.shape[1] // 2
    for g in range(grids):
        for x in range(a):
            for y in range(b):
                for z in range(c):
                    here = number[g, x, y, z]
                    if here < 0:
                        continue
                    counts[colour[x, y, z] + 1] += 1
                    ahead = (
                        number[g, x + 1 if x + 1 < a else 0, y, z],
                        number[g, x, y + 1 if y + 1 < b else 0, z],
                        number[g, x, y, z + 1 if z + 1 < c else 0],
                    )
                    for axis in range(dimensions):
                        there = ahead[3 - dimensions + axis]
                        if there >= 0:
                            near[here, axis] = there
                            near[there, dimensions + axis] = here


@compiled
def put_friction(face, cell, walls, drags, velocities, ends):
    """Puts in what velocities exchange with those ahead and what holds them, and the voxels behind and ahead of faces.

    Args:
        face: ``(d, S, S, S)`` numbers.
        cell: ``(S, S, S)`` numbers.
        walls: ``(d, S, S, S)``, see :class:`~matopt.physics.viscous.Friction`, as the next.
        drags: ``(d, S, S, S)``.
        velocities: without either.
        ends: ``(n, 2)``.
    """
    near, coupling, held = velocities.near, velocities.coupling, velocities.diagonal
    dimensions, (a, b, c) = len(face), cell.shape
    face, cell = face.reshape(dimensions, -1), cell.reshape(-1)
    walls, drags = walls.reshape(dimensions, -1), drags.reshape(dimensions, -1)
    # Of the axes, and to the places ahead and behind along each.
    size, ahead, behind = np.array([a, b, c]), np.zeros(3, np.int64), np.zeros(3, np.int64)
    stride, at, first = np.array([b * c, c, 1]), np.zeros(3, np.int64), 3 - dimensions
    for here in range(cell.size):
        for axis in range(3):
            last = size[axis] - 1
            ahead[axis] = here + (stride[axis] if at[axis] < last else -last * stride[axis])
            behind[axis] = here - (stride[axis] if at[axis] > 0 else -last * stride[axis])
        for axis in range(2, -1, -1):
            at[axis] += 1
            if at[axis] < size[axis]:
                break
            at[axis] = 0
        for normal in range(dimensions):
            number = face[normal, here]
            if number < 0:
                continue
            next_one = ahead[first + normal]
            ends[number, 0], ends[number, 1] = cell[here], cell[next_one]
            held[number] = drags[normal, here]
            for axis in range(dimensions):
                if size[first + axis] == 1:
                    continue
                back = behind[first + axis]
                before, after = 1 + 0 * held[number], 1 + 0 * held[number]
                if axis != normal:
                    before += walls[axis, back] * walls[axis, next_one + back - here]
                    after += walls[axis, here] * walls[axis, next_one]
                # What ends at a closed face is held there.
                if near[number, axis] == number:
                    held[number] += after
                else:
                    coupling[number, axis] = after
                if near[number, dimensions + axis] == number:
                    held[number] += before


@compiled
def fill(stencils):
    """Completes the couplings behind and those of coarser levels, and what holds those."""
    start, near, coupling, held, parent = stencils[:5]
    dimensions = near.shape[1] // 2
    for level in range(len(start)):
        is_last = level == len(start) - 1
        for here in range(start[level, 0], start[level, 3]):
            if not is_last:
                held[parent[here]] += held[here]
            for axis in range(dimensions):
                there = near[here, axis]
                if there == here:
                    coupling[here, axis] = 0
                else:
                    coupling[there, dimensions + axis] = coupling[here, axis]
                    if not is_last and parent[there] != parent[here]:
                        coupling[parent[here], axis] += coupling[here, axis]


@compiled
def scale(stencils):
    """Puts in the diagonals, and divides the couplings by them."""
    coupling, diagonal = stencils.coupling, stencils.diagonal
    for here in range(diagonal.size):
        for k in range(coupling.shape[1]):
            diagonal[here] += coupling[here, k]
        if diagonal[here] > 0:
            inverse = 1 / diagonal[here]
            for k in range(coupling.shape[1]):
                coupling[here, k] *= inverse
