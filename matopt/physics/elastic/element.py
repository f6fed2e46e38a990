"""The bilinear (2D) or trilinear (3D) brick element, one voxel each, fully integrated.

Numbers of an element's corners are ordered axis by axis, the first slowest, and within a corner by component. An
element's deformation is written in sums and differences of its corners along each axis: mode ``a`` in {0, 1}^d has the
shape ``prod_i f(a_i)`` with ``f(0) = 1/2`` and ``f(1) = xi_i - 1/2`` on the unit cube. In these modes the shapes are
orthogonal and the stiffness is sparse. Mode 0, a translation, has no energy and is left out.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import torch


def corners(dimensions: int) -> list[tuple[int, ...]]:
    """The corners of an element in order, 0 or 1 along each axis."""
    return list(itertools.product((0, 1), repeat=dimensions))


@lru_cache(maxsize=4)
def modes(dimensions: int) -> torch.Tensor:
    """The matrix ``(M, C)`` float64 from displacements of corners to element modes. Do not edit: it is cached."""
    identity = torch.eye(dimensions, dtype=torch.float64)
    matrix = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(dimensions):
        matrix = torch.kron(matrix, torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64))
    return torch.kron(matrix[1:], identity)


@lru_cache(maxsize=8)
def corner_stiffness(poisson_ratio: float, dimensions: int) -> torch.Tensor:
    """The stiffness ``(C, C)`` float64 of an element of unit Young's modulus, in its corners. Do not edit: cached."""
    shapes = modes(dimensions)
    return shapes.T @ stiffness(poisson_ratio, dimensions) @ shapes


@lru_cache(maxsize=8)
def stiffness(poisson_ratio: float, dimensions: int) -> torch.Tensor:
    """The stiffness ``(M, M)`` float64 of an element of unit Young's modulus, in its modes; plane strain in 2D.

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
    """Integrate the derivative along k of shape a times the derivative along m of shape b over the unit cube."""
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
    """The axes of the Voigt components: 11, 22, 12 in 2D; 11, 22, 33, 23, 13, 12 in 3D."""
    normal = [(i, i) for i in range(dimensions)]
    return normal + ([(0, 1)] if dimensions == 2 else [(1, 2), (0, 2), (0, 1)])


@lru_cache(maxsize=4)
def unit_strains(dimensions: int) -> torch.Tensor:
    """The element modes ``(L, M)`` float64 of the unit macroscopic strains, engineering shear. Do not edit: cached."""
    shapes = [a for a in itertools.product((0, 1), repeat=dimensions) if any(a)]
    pairs = voigt_pairs(dimensions)
    out = torch.zeros(len(pairs), len(shapes), dimensions, dtype=torch.float64)
    for load, (i, j) in enumerate(pairs):
        for component, axis in {(i, j), (j, i)}:
            shape = tuple(int(k == axis) for k in range(dimensions))
            out[load, shapes.index(shape), component] = 2 ** (dimensions - 1) * (1.0 if i == j else 0.5)
    return out.flatten(1)
