"""What one voxel's grain is worth: how the energy changes where it is added or taken away, bit by bit or at once.

The energy is the least over the displacements, so each change is an extremum over the displacements that it frees, with
all others held. Both are quadratic forms in the strain of the voxel's element, which depend on the voxels around it
alone. Strains are in the element's modes, ``(M,)``, see :mod:`matopt.physics.elastic.element`; the grain's Young's
modulus is 1.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import torch

from matopt.physics.elastic import element

HINGE = 1e-3
"""Stiffness on which nodes rest that nothing holds once a voxel is cut: it takes the forces that a field which has
converged only so far leaves there. On the nodes of a filled voxel it is its square."""

COMMON = 1024
"""From how many voxels on those of one form are taken together; of fewer each has a copy of its own."""


@lru_cache(maxsize=4)
def onset_forms(poisson_ratio: float, dimensions: int) -> torch.Tensor:
    """The energy that the first grain in a void voxel has, for its strain, by which of its corners grain holds.

    The corners that nothing holds move so that it is least: the element's stiffness is condensed onto the others
    (Schur complement). The one-sided derivative of the effective energy is this energy at full density.

    Returns:
        ``(2^C, M, M)`` float64, C corners; bit i of the index says that corner i is held. Do not edit: it is cached.
    """
    shapes = element.modes(dimensions)
    whole = element.corner_stiffness(poisson_ratio, dimensions)
    forms = []
    for held in itertools.product((False, True), repeat=2**dimensions):
        free = ~torch.tensor(held[::-1]).repeat_interleave(dimensions)
        condensed = whole - whole[:, free] @ torch.linalg.pinv(whole[free][:, free], hermitian=True) @ whole[free]
        forms.append(condensed)
    back = torch.linalg.pinv(shapes)
    return back.T @ torch.stack(forms) @ back


def held_corners(grain: torch.Tensor) -> torch.Tensor:
    """Which corners of each element lie at grain: the index ``(n, *S)`` int64 of :func:`onset_forms`.

    Args:
        grain: ``(n, *S)`` bool, of periodic samples.
    """
    dimensions = grain.ndim - 1
    node = grain
    for axis in range(1, dimensions + 1):
        node = node | node.roll(1, axis)  # the node behind the voxel along all axes
    index = torch.zeros(grain.shape, dtype=torch.int64, device=grain.device)
    for i, corner in enumerate(element.corners(dimensions)):
        index += node.roll([-c for c in corner], list(range(1, dimensions + 1))).long() << i
    return index


def flip_forms(grain: torch.Tensor, voxels: torch.Tensor, poisson_ratio: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The change of the energy where a voxel of a binary sample is flipped, for the strain of its element.

    The corners of the voxel settle among the voxels around it, whose other corners are held. With the stiffness K of
    the element and A of what surrounds its corners, a filled voxel adds ``K - K (A + K)^+ K``, the two in series
    (Anderson and Duffin's parallel sum, J. Math. Anal. Appl. 26 (1969) 576), and a cut one takes ``K + K A^+ K``.

    Args:
        grain: ``(n, *S)`` bool, of periodic samples.
        voxels: ``(K, 1 + d)`` int64, sample and place of those that are asked for.
        poisson_ratio: of the grain.

    Returns:
        The forms ``(F, M, M)`` float64, and which of them is each voxel's, ``(K,)`` int64.
    """
    dimensions = grain.ndim - 1
    pattern = torch.zeros(grain.shape, dtype=torch.int64, device=grain.device)
    axes = list(range(1, dimensions + 1))
    for bit, offset in enumerate(_offsets(dimensions)):
        pattern += grain.roll([-o for o in offset], axes).long() << bit
    patterns, index = torch.unique(pattern[voxels.unbind(1)], return_inverse=True)
    bits = (patterns[:, None] >> torch.arange(3**dimensions, device=grain.device)) & 1
    parts = _surroundings(poisson_ratio, dimensions).to(grain.device)
    around = (bits.double() @ parts.flatten(1)).view(-1, *parts.shape[1:])
    is_grain = bits[:, _offsets(dimensions).index((0,) * dimensions)].bool()[:, None, None]
    shapes = element.modes(dimensions).to(around)
    stiffness = element.stiffness(poisson_ratio, dimensions).to(around)
    whole = element.corner_stiffness(poisson_ratio, dimensions).to(around)
    rest = torch.eye(len(whole), dtype=torch.float32).to(around)
    settled = torch.where(is_grain, around + HINGE * rest, around + whole + HINGE**2 * rest)
    factor = torch.linalg.cholesky(settled)
    loads = (shapes.T @ stiffness).expand(len(factor), -1, -1)
    half = torch.linalg.solve_triangular(factor, loads, upper=False)
    freed = half.mT @ half
    return torch.where(is_grain, -stiffness - freed, stiffness - freed), index


def _offsets(dimensions: int) -> list[tuple[int, ...]]:
    """The voxels around one, itself among them."""
    return list(itertools.product((-1, 0, 1), repeat=dimensions))


@lru_cache(maxsize=4)
def _surroundings(poisson_ratio: float, dimensions: int) -> torch.Tensor:
    """The stiffness ``(3^d, C, C)`` float64 that each voxel around one gives its corners; the one itself gives none."""
    corners = element.corners(dimensions)
    whole = element.corner_stiffness(poisson_ratio, dimensions)
    out = torch.zeros(3**dimensions, *whole.shape, dtype=torch.float64)
    for stiffness, offset in zip(out, _offsets(dimensions), strict=True):
        moved = [tuple(o + c for o, c in zip(offset, corner, strict=True)) for corner in corners]
        shared = [(i, corners.index(m)) for i, m in enumerate(moved) if any(offset) and m in corners]
        theirs, ours = (
            torch.tensor([k * dimensions + j for k in nodes for j in range(dimensions)], dtype=torch.int64)
            for nodes in ([i for i, _ in shared], [j for _, j in shared])
        )
        stiffness[ours[:, None], ours] = whole[theirs[:, None], theirs]
    return out


def in_strains(forms: torch.Tensor, index: torch.Tensor, strains: torch.Tensor) -> torch.Tensor:
    """Evaluate forms ``(F, M, M)``, those that an index ``(K,)`` names, at strains ``(K, M)``: ``(K,)``."""
    forms, out = forms.to(strains), strains.new_empty(len(strains))
    is_common = torch.bincount(index, minlength=len(forms)) >= COMMON
    rest = (~is_common[index]).nonzero()[:, 0]
    some = strains[rest]
    out[rest] = torch.einsum("km,kmj,kj->k", some, forms[index[rest]], some)
    for form in is_common.nonzero()[:, 0]:
        rows = (index == form).nonzero()[:, 0]
        some = strains[rows]
        out[rows] = ((some @ forms[form]) * some).sum(1)
    return out
