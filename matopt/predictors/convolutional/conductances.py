"""How well a sample conducts, from few blocks: a coarse solution for a network to correct.

Blocks of voxels are made into one, pair by pair, until at most :data:`BLOCKS` are left, and these are solved as a
network of conductances. A mean of densities does not see whether the pores of a block hang together; this does.
"""

from __future__ import annotations

import math

import torch

CONTRAST = 100.0
"""Conductivity of the phase that conducts over that of the other one."""

BLOCKS = 64
"""At most so many are solved for: 8 x 8 of a section, 4 x 4 x 4 of a volume."""


def conductances(density: torch.Tensor) -> torch.Tensor:
    """Estimate how well samples conduct along each axis, between two faces with sealed sides.

    Two voxels along an axis conduct one after the other, two across it side by side. Four voxels (in volumes eight) are
    between the two orders in which they can be taken; the geometric mean of both stands for the block (simplified
    renormalisation: Renard et al., Water Resour. Res. 36 (2000) 3567). At an odd edge the middle layer counts twice, so
    that mirror images conduct alike.

    Args:
        density: ``(N, 1, *S)`` in [0, 1].

    Returns:
        ``(N, 2 d)`` natural logarithms, along each axis if the grain conducts and the pore does not, then the other
        way round; 0 is a sample that conducts everywhere. Twice differentiable. In sections both tell of the same: one
        phase along x is dual to the other along y (Keller, J. Math. Phys. 5 (1964) 548), and their errors are opposite.
    """
    phases = torch.cat([density, 1 - density]).squeeze(1)
    conductivity = (1 + (CONTRAST - 1) * phases) / CONTRAST
    fields = [conductivity] * (conductivity.ndim - 1)
    while math.prod(fields[0].shape[1:]) > BLOCKS:
        fields = [_merged(field, axis) for axis, field in enumerate(fields)]
    along = torch.stack([_flux(fields, axis) for axis in range(len(fields))], 1).log()
    return torch.cat(along.chunk(2), 1)


def _merged(conductivity: torch.Tensor, along: int) -> torch.Tensor:
    """Conductivities ``(M, *S / 2)`` along an axis, of blocks of two an edge out of ``(M, *S)``."""
    for axis, edge in enumerate(conductivity.shape[1:]):
        if edge % 2:
            halves = [conductivity.narrow(1 + axis, first, edge // 2 + 1) for first in (0, edge // 2)]
            conductivity = torch.cat(halves, 1 + axis)
    across = [axis for axis in range(conductivity.ndim - 1) if axis != along]
    columns = _mean(1 / _mean(1 / conductivity, [along]), across)
    layers = 1 / _mean(1 / _mean(conductivity, across), [along])
    return (columns * layers).sqrt()


def _mean(field: torch.Tensor, axes: list[int]) -> torch.Tensor:
    """Means of neighbours, two by two along each of the axes."""
    for axis in axes:
        pairs = field.unflatten(1 + axis, (-1, 2))
        field = (pairs.select(2 + axis, 0) + pairs.select(2 + axis, 1)) / 2
    return field


def _flux(fields: list[torch.Tensor], along: int) -> torch.Tensor:
    """``(M,)`` conductivities of samples along an axis, of cubic blocks that have one along each axis, ``(M, *B)``."""
    shape = fields[0].shape[1:]
    blocks = torch.arange(math.prod(shape), device=fields[0].device).view(shape)
    one = torch.eye(blocks.numel(), dtype=fields[0].dtype, device=fields[0].device)
    links, differences = [], []
    for axis, field in enumerate(fields):
        inner = shape[axis] - 1
        before, after = (field.narrow(1 + axis, first, inner).flatten(1) for first in (0, 1))
        links.append(2 / (1 / before + 1 / after))
        near, far = (one[blocks.narrow(axis, first, inner).flatten()] for first in (0, 1))
        differences.append(far - near)
    # Half a block lies between the outermost concentrations and the faces, where they are 1 and 0.
    ends = [blocks.select(along, layer).flatten() for layer in (0, -1)]
    entry, exit_ = (2 * fields[along].flatten(1)[:, end] for end in ends)
    link = torch.cat([*links, entry, exit_], 1)
    difference = torch.cat([*differences, *(one[end] for end in ends)])
    concentration = torch.linalg.solve(difference.T @ (link[..., None] * difference), entry @ one[ends[0]])
    return (exit_ * concentration[:, ends[1]]).sum(1) * shape[along] / len(ends[0])
