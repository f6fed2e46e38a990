"""The bilinear (2D) or trilinear (3D) brick element, one voxel each, fully integrated, on a periodic grid.

An element's displacement is written in sums and differences of its corners along each axis rather than in the corners:
mode ``a`` in {0, 1}^d has the shape ``prod_i f(a_i)`` with ``f(0) = 1/2`` and ``f(1) = xi_i - 1/2`` on the unit cube.
In these modes the shapes are orthogonal, the stiffness is sparse, and going there and back takes sums and differences
of neighbouring layers only. Mode 0, a translation, has no energy and is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import torch


def modes(displacement: torch.Tensor) -> torch.Tensor:
    """Element modes ``(B, (2^d - 1) d, *S)`` of nodal displacements ``(B, d, *S)``; axis by axis, first slowest."""
    dimensions = displacement.shape[1]
    parts = [displacement]
    for axis in range(2, dimensions + 1):
        parts = [half for part in parts for half in (_sum(part, axis), _difference(part, axis))]
    count = 2**dimensions - 1
    out = displacement.new_empty(len(displacement), count, *displacement.shape[1:])
    for i, part in enumerate(parts):
        if i:
            _sum(part, dimensions + 1, out[:, 2 * i - 1])
        _difference(part, dimensions + 1, out[:, 2 * i])
    return out.flatten(1, 2)


def forces(stresses: torch.Tensor, dimensions: int) -> torch.Tensor:
    """Nodal forces ``(B, d, *S)`` of element mode stresses: the transpose of :func:`modes`."""
    first, *others = stresses.unflatten(1, (2**dimensions - 1, dimensions)).unbind(1)
    axis = dimensions + 1
    pairs = zip(others[::2], others[1::2], strict=True)
    parts = [_transpose(None, first, axis), *(_transpose(a, b, axis) for a, b in pairs)]
    while len(parts) > 1:
        axis -= 1
        parts = [_transpose(a, b, axis) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _sum(x: torch.Tensor, axis: int, out: torch.Tensor | None = None) -> torch.Tensor:
    return _neighbours(torch.add, x, axis, out)


def _difference(x: torch.Tensor, axis: int, out: torch.Tensor | None = None) -> torch.Tensor:
    return _neighbours(torch.sub, x, axis, out)


def _neighbours(operation: Callable, x: torch.Tensor, axis: int, out: torch.Tensor | None) -> torch.Tensor:
    """``operation(next, this)`` along a periodic axis."""
    out = torch.empty_like(x) if out is None else out
    n = x.shape[axis]
    operation(x.narrow(axis, 1, n - 1), x.narrow(axis, 0, n - 1), out=out.narrow(axis, 0, n - 1))
    operation(x.narrow(axis, 0, 1), x.narrow(axis, n - 1, 1), out=out.narrow(axis, n - 1, 1))
    return out


def _transpose(of_sum: torch.Tensor | None, of_difference: torch.Tensor, axis: int) -> torch.Tensor:
    n = of_difference.shape[axis]
    out = of_difference.neg() if of_sum is None else of_sum - of_difference
    for part in (of_difference,) if of_sum is None else (of_sum, of_difference):
        out.narrow(axis, 1, n - 1).add_(part.narrow(axis, 0, n - 1))
        out.narrow(axis, 0, 1).add_(part.narrow(axis, n - 1, 1))
    return out


@lru_cache(maxsize=8)
def stiffness(poisson_ratio: float, dimensions: int) -> torch.Tensor:
    """``(M, M)`` float64 stiffness in the modes of an element of unit Young's modulus; plane strain in 2D.

    Exact integration over the unit cube. Do not edit: it is cached.
    """
    lame = poisson_ratio / ((1 + poisson_ratio) * (1 - 2 * poisson_ratio))
    shear = 1 / (2 * (1 + poisson_ratio))
    shapes = [a for a in itertools.product((0, 1), repeat=dimensions) if any(a)]
    matrix = torch.zeros(len(shapes), dimensions, len(shapes), dimensions, dtype=torch.float64)
    axes = range(dimensions)
    for (p, a), (q, b) in itertools.product(enumerate(shapes), repeat=2):
        for k, m in itertools.product(axes, axes):  # derivatives of the two shapes
            overlap = _overlap(a, k, b, m)
            for i, j in itertools.product(axes, axes):  # components of the two displacements
                elastic = lame * (i == k) * (j == m) + shear * ((i == j) * (k == m) + (i == m) * (k == j))
                matrix[p, i, q, j] += elastic * overlap
    return matrix.flatten(2, 3).flatten(0, 1)


def _overlap(a: tuple[int, ...], k: int, b: tuple[int, ...], m: int) -> float:
    """Integral of the derivative along k of shape a times the derivative along m of shape b."""
    if not (a[k] and b[m]):
        return 0.0
    product = 1.0
    for axis, (left, right) in enumerate(zip(a, b, strict=True)):
        # As polynomials of xi - 1/2: f(0) = 1/2, f(1) = itself, the derivative of f(1) = 1.
        p = (1.0, 0.0) if axis == k else (0.5, 0.0) if left == 0 else (0.0, 1.0)
        q = (1.0, 0.0) if axis == m else (0.5, 0.0) if right == 0 else (0.0, 1.0)
        product *= p[0] * q[0] + p[1] * q[1] / 12
    return product


def voigt_pairs(dimensions: int) -> list[tuple[int, int]]:
    """Axes of the Voigt components: 11, 22, 12 in 2D; 11, 22, 33, 23, 13, 12 in 3D."""
    normal = [(i, i) for i in range(dimensions)]
    return normal + ([(0, 1)] if dimensions == 2 else [(1, 2), (0, 2), (0, 1)])


@lru_cache(maxsize=4)
def unit_strains(dimensions: int) -> torch.Tensor:
    """``(L, M)`` float64 element modes of the unit macroscopic strains, engineering shear. Do not edit: cached."""
    shapes = [a for a in itertools.product((0, 1), repeat=dimensions) if any(a)]
    pairs = voigt_pairs(dimensions)
    out = torch.zeros(len(pairs), len(shapes), dimensions, dtype=torch.float64)
    for load, (i, j) in enumerate(pairs):
        for component, axis in {(i, j), (j, i)}:
            shape = tuple(int(k == axis) for k in range(dimensions))
            out[load, shapes.index(shape), component] = 2 ** (dimensions - 1) * (1.0 if i == j else 0.5)
    return out.flatten(1)
