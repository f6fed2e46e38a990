"""Smoothed aggregation of one sample's pore network, in compiled loops.

The hierarchy is that of :mod:`matopt.physics.flow.aggregation_multigrid` without Dirichlet conditions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from matopt.physics.flow.aggregation_multigrid import JACOBI
from matopt.physics.numerics.compiler import compiled

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A sparse matrix: int64 where each row starts, uint32 columns of the entries, their values."""


class Aggregates(NamedTuple):
    """The matrices of all levels, one after the other, and the interpolations between them, as :data:`Rows`.

    Attributes:
        level: ``(L + 1,)`` int64, where the unknowns of each level start.
        start: uint32, of the couplings, minus the matrix. Their rows sum to 0.
        column: of the couplings.
        value: of the couplings.
        step: ``(N,)`` of Jacobi steps: :data:`~matopt.physics.flow.aggregation_multigrid.JACOBI` over the diagonal, or
            over more.
        up_start: uint32 of the interpolation from the next level.
        up_column: of the interpolation.
        up_value: of the interpolation.
    """

    level: np.ndarray
    start: np.ndarray
    column: np.ndarray
    value: np.ndarray
    step: np.ndarray
    up_start: np.ndarray
    up_column: np.ndarray
    up_value: np.ndarray


def aggregated(
    near: np.ndarray, coupling: np.ndarray, cube: np.ndarray, place: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, Aggregates]:
    """Aggregate what is connected within cubes, and build all coarser levels.

    Args:
        near: ``(n, 2 d)`` uint32, the unknowns' neighbours.
        coupling: ``(n, 2 d)`` to these neighbours, not divided by the diagonal.
        cube: ``(n,)`` uint32, the cube of each unknown.
        place: ``(cubes,)`` uint32, the flat index of each cube in its grid.
        shape: of that grid.

    Returns:
        ``(n,)`` uint32, the aggregate of each unknown, and the levels.
    """
    start = np.arange(0, near.size + 1, near.shape[1])
    aggregate, first = connected(start, near.reshape(-1), coupling.reshape(-1), cube)
    del start
    couplings, inverse = balanced(merged(near, coupling, aggregate, len(first)))
    place = place[cube[first]]
    all_couplings, steps, ups = [couplings], [inverse], []
    while len(couplings[1]) > len(inverse):
        place, shape = _halved(place, shape)
        coarser, first = connected(*couplings, place)
        ups.append(product(smoothing(*couplings, inverse), _constant(coarser, inverse.dtype), len(first)))
        down = transposed(*ups[-1], len(first))
        couplings, inverse = balanced(product(down, product(couplings, ups[-1], len(first)), len(first)))
        all_couplings.append(couplings)
        steps.append(inverse)
        place = place[first]
    del couplings
    level = np.cumsum([0, *map(len, steps)])
    step = np.concatenate(steps)
    step *= step.dtype.type(JACOBI)
    ups.append((np.zeros(1, np.int64), np.zeros(0, np.uint32), step[:0]))
    return aggregate, Aggregates(level, *_stacked(all_couplings, level[:-1]), step, *_stacked(ups, level[1:]))


def _halved(place: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
    """The flat indices in a grid of half as many cells along each axis, and the shape of that grid."""
    found, stride, half = np.zeros_like(place), 1, 1
    for n in reversed(shape):
        found += place // stride % n // 2 * half
        stride, half = stride * n, half * ((n + 1) // 2)
    return found, tuple((n + 1) // 2 for n in shape)


def merged(near: np.ndarray, coupling: np.ndarray, aggregate: np.ndarray, count: int) -> Rows:
    """The couplings between aggregates: sums of their unknowns'. Rows start with a diagonal of 0."""
    column, value = np.empty(near.size + count, np.uint32), np.empty(near.size + count, coupling.dtype)
    return _cut(sum_couplings(near, coupling, aggregate, count, column, value), column, value)


def product(a: Rows, b: Rows, columns: int) -> Rows:
    """Multiply two sparse matrices, the second of so many columns."""
    bound = count_products(a[1], b[0])
    # One entry more can be tried than there are.
    column, value = np.empty(bound + 1, np.uint32), np.empty(bound, a[2].dtype)
    return _cut(multiply(*a, *b, columns, column, value), column, value)


def balanced(couplings: Rows) -> tuple[Rows, np.ndarray]:
    """Set the diagonal of couplings, first in each row, so that rows sum to 0; with the matrix's inverse diagonal.

    Sums of large numbers would miss such a diagonal by their rounding. Overwrites the couplings, whose rows must have
    room for a diagonal.
    """
    inverse = balance(*couplings)
    return _cut(*couplings), inverse


def _cut(start: np.ndarray, column: np.ndarray, value: np.ndarray) -> Rows:
    """Cut off the room behind the last entry in place: copies would leave holes in memory."""
    for entries in (column, value):
        entries.resize(start[-1], refcheck=False)
    return start, column, value


def _constant(aggregate: np.ndarray, dtype: np.dtype) -> Rows:
    """Interpolation that is constant in each aggregate."""
    return np.arange(len(aggregate) + 1), aggregate, np.ones(len(aggregate), dtype)


def _stacked(matrices: list[Rows], first: np.ndarray) -> Rows:
    """Stack matrices one below the other, the columns of each counted from its ``first``; empties the list."""
    starts, columns, values = map(list, zip(*matrices, strict=True))
    matrices.clear()
    ends = np.cumsum([0, *map(len, columns)])
    starts = [start[:-1] + end for start, end in zip(starts, ends, strict=False)]
    start = np.concatenate([*starts, ends[-1:]]).astype(np.uint32)
    for column, shift in zip(columns, first, strict=True):
        column += np.uint32(shift)
    column = np.concatenate(columns)
    del columns
    return start, column, np.concatenate(values)


@compiled
def connected(start, column, value, block):
    """Number the connected parts of each block, ``(n,)``, and give the first unknown of each part."""
    root = np.empty(block.size, np.uint32)
    for row in range(block.size):
        root[row] = row
    for row in range(block.size):
        for entry in range(np.uint64(start[row]), np.uint64(start[row + 1])):
            if column[entry] < row and value[entry] != 0 and block[column[entry]] == block[row]:
                a, b = np.uint32(row), np.uint32(column[entry])
                while root[a] != a:
                    root[a] = root[root[a]]
                    a = root[a]
                while root[b] != b:
                    root[b] = root[root[b]]
                    b = root[b]
                root[max(a, b)] = min(a, b)
    count = 0
    for row in range(block.size):
        count += root[row] == row
    first, count = np.empty(count, np.int64), 0
    for row in range(block.size):
        if root[row] == row:
            root[row], first[count] = count, row
            count += 1
        else:
            # Roots come before what hangs on them, and are numbered.
            root[row] = root[root[row]]
    return root, first


@compiled
def sum_couplings(near, coupling, aggregate, count, column, value):
    """Write the couplings between aggregates, see :func:`merged`, and return where the rows start."""
    ends = np.zeros(count + 1, np.int64)
    for row in range(aggregate.size):
        ends[aggregate[row] + 1] += 1
    ends = np.cumsum(ends)
    members, at = np.empty(aggregate.size, np.uint32), ends[:-1].copy()
    for row in range(aggregate.size):
        members[at[aggregate[row]]] = row
        at[aggregate[row]] += 1
    start, found, end = np.zeros(count + 1, np.int64), np.full(count, -1), 0
    for mine in range(count):
        column[end], value[end] = mine, 0
        end += 1
        for row in members[ends[mine] : ends[mine + 1]]:
            for k in range(near.shape[1]):
                other = aggregate[near[row, k]]
                if other != mine:
                    if found[other] < start[mine]:
                        found[other], column[end], value[end] = end, other, 0
                        end += 1
                    value[found[other]] += coupling[row, k]
        start[mine + 1] = end
    return start


@compiled
def transposed(start, column, value, columns):
    """Transpose a sparse matrix."""
    ends = np.zeros(columns + 1, np.int64)
    for entry in range(column.size):
        ends[column[entry] + 1] += 1
    for row in range(columns):
        ends[row + 1] += ends[row]
    at = ends[:-1].copy()
    rows, values = np.empty(column.size, np.uint32), np.empty_like(value)
    for row in range(start.size - 1):
        for entry in range(start[row], start[row + 1]):
            to = at[column[entry]]
            rows[to], values[to] = row, value[entry]
            at[column[entry]] += 1
    return ends, rows, values


@compiled
def count_products(column, start):
    """How many entries a product has at most, from the columns of the first matrix and the row starts of the second."""
    bound = 0
    for entry in range(column.size):
        bound += start[column[entry] + 1] - start[column[entry]]
    return bound


@compiled
def multiply(start, column, value, start_b, column_b, value_b, columns, column_c, value_c):
    """Write the product and return where its rows start: Gustavson, ACM Trans. Math. Softw. 4 (1978) 250."""
    size = start.size - 1
    starts, seen, total = np.zeros(size + 1, np.int64), np.full(columns, -1), np.zeros(columns, value.dtype)
    # Numbers without a sign need no test of it as indices.
    end = np.uint64(0)
    for row in range(size):
        for entry in range(np.uint64(start[row]), np.uint64(start[row + 1])):
            factor, middle = value[entry], column[entry]
            for other in range(np.uint64(start_b[middle]), np.uint64(start_b[middle + 1])):
                to = column_b[other]
                total[to] += factor * value_b[other]
                # Without a branch, as one that cannot be predicted takes longer.
                column_c[end] = to
                end += np.uint64(seen[to] != row)
                seen[to] = row
        for entry in range(np.uint64(starts[row]), end):
            value_c[entry], total[column_c[entry]] = total[column_c[entry]], 0
        starts[row + 1] = end
    return starts


@compiled
def balance(start, column, value):
    """Set the diagonal of couplings as :func:`balanced` says, and return the inverse diagonal."""
    size = start.size - 1
    inverse, first, end = np.zeros(size, value.dtype), start[0], start[0]
    for row in range(size):
        total, magnitude, diagonal = value.dtype.type(0), value.dtype.type(0), end
        # What is first takes the place of the diagonal.
        moved, share = column[first], value[first]
        for entry in range(first + 1, start[row + 1]):
            is_diagonal = column[entry] == row
            other, amount = (moved, share) if is_diagonal else (column[entry], value[entry])
            if amount != 0:
                end += 1
                column[end], value[end] = other, amount
                total += amount
                magnitude += abs(amount)
        column[diagonal], value[diagonal] = row, -total
        first = start[row + 1]
        end += 1
        start[row + 1] = end
        bound = max(total, (abs(total) + magnitude) / 2)
        if bound > 0:
            inverse[row] = 1 / bound
    return inverse


@compiled
def smoothing(start, column, value, inverse):
    """A Jacobi step as a matrix, whose rows sum to 1: it smooths interpolations."""
    values = np.empty_like(value)
    for row in range(inverse.size):
        for entry in range(start[row], start[row + 1]):
            values[entry] = value.dtype.type(2 / 3) * inverse[row] * value[entry]
        values[start[row]] += 1
    return start, column, values
