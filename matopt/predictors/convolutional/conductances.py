"""How well a sample conducts, from few blocks: a coarse solution for a network to correct.

Blocks of voxels are made into one, pair by pair, until at most :data:`BLOCKS` are left, and these are solved as a
network of conductances. A mean of densities does not see whether the pores of a block hang together; this does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

CONTRAST = 100.0
"""Conductivity of the phase that conducts over that of the other one."""

BLOCKS = 64
"""At most so many are solved for: 8 x 8 of a section, 4 x 4 x 4 of a volume."""


def conductances(density: torch.Tensor, most: int = BLOCKS) -> torch.Tensor:
    """Estimate how well samples conduct along each axis, between two faces with sealed sides.

    Two voxels along an axis conduct one after the other, two across it side by side. Four voxels (in volumes eight) are
    between the two orders in which they can be taken; the geometric mean of both stands for the block (simplified
    renormalisation: Renard et al., Water Resour. Res. 36 (2000) 3567). At an odd edge the middle layer counts twice, so
    that mirror images conduct alike.

    Args:
        density: ``(N, 1, *S)`` in [0, 1].
        most: blocks that are solved for.

    Returns:
        ``(N, 2 d)`` natural logarithms, along each axis if the grain conducts and the pore does not, then the other
        way round; 0 is a sample that conducts everywhere. Twice differentiable. In sections both tell of the same: one
        phase along x is dual to the other along y (Keller, J. Math. Phys. 5 (1964) 548), and their errors are opposite.
    """
    phases = torch.cat([density, 1 - density]).squeeze(1)
    conductivity = (1 + (CONTRAST - 1) * phases) / CONTRAST
    halvings = 0
    while math.prod(-(-edge // 2**halvings) for edge in conductivity.shape[1:]) > most:
        halvings += 1
    fields = merged(conductivity, halvings)
    along = torch.stack([_conductivity(fields, axis) for axis in range(len(fields))], 1).log()
    return torch.cat(along.chunk(2), 1)


def merged(conductivity: torch.Tensor, halvings: int) -> list[torch.Tensor]:
    """Conductivities along each axis of the blocks of two voxels an edge, those of two such blocks, and so on.

    Args:
        conductivity: of voxels, ``(N, *S)``.
        halvings: of the edges.
    """
    fields = [conductivity] * (conductivity.ndim - 1)
    for _ in range(halvings):
        fields = [_merged(field, axis) for axis, field in enumerate(fields)]
    return fields


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


def _conductivity(fields: Sequence[torch.Tensor], along: int) -> torch.Tensor:
    """``(M,)`` conductivities of samples along an axis, of blocks that have one along each axis, ``(M, *B)``."""
    order = [along, *(axis for axis in range(len(fields)) if axis != along)]
    turned = [fields[axis].permute(0, *(1 + n for n in order)) for axis in order]
    return dissipation(turned).sum(1).flatten(1).mean(1)


def dissipation(conductivities: Sequence[torch.Tensor]) -> torch.Tensor:
    """Solve a network of blocks between the two faces of the first axis, with sealed sides.

    Args:
        conductivities: of cubic blocks along each axis, ``(N, *B)`` each; positive.

    Returns:
        ``(N, d, *B)``: what flow along each axis dissipates in each block, at unit mean gradient, in units of the
        conductivities: the sum over axes has the conductivity of the sample for its mean. Twice differentiable; NaN
        where a conductivity is.
    """
    shape = conductivities[0].shape[1:]
    blocks = torch.arange(math.prod(shape), device=conductivities[0].device).view(shape)
    links = [_links(conductivity, blocks, axis) for axis, conductivity in enumerate(conductivities)]
    # Half a block lies between the outermost concentrations and the faces, where they are 1 and 0.
    first, last = (blocks.select(0, layer).flatten() for layer in (0, -1))
    entry, exit_ = (2 * conductivities[0].flatten(1)[:, end] for end in (first, last))
    concentration = _concentration(links, (first, entry), (last, exit_), blocks.numel())
    dissipated = []
    for axis, (conductance, before, after) in enumerate(links):
        flux = conductance * (concentration[:, before] - concentration[:, after])
        places, fluxes = [before, after], [flux, flux]
        if axis == 0:
            places += [first, last]
            fluxes += [entry * (1 - concentration[:, first]), exit_ * concentration[:, last]]
        square = torch.zeros_like(concentration).index_add(1, torch.cat(places), torch.cat(fluxes, 1).square())
        dissipated.append(square / (2 * conductivities[axis].flatten(1)))
    return torch.stack(dissipated, 1).unflatten(2, shape) * shape[0] ** 2


def _links(
    conductivity: torch.Tensor, blocks: torch.Tensor, axis: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Conductances ``(N, L)`` between neighbours along an axis, and the numbers of both ``(L,)``."""
    inner = blocks.shape[axis] - 1
    before, after = (conductivity.narrow(1 + axis, first, inner).flatten(1) for first in (0, 1))
    near, far = (blocks.narrow(axis, first, inner).flatten() for first in (0, 1))
    return 2 / (1 / before + 1 / after), near, far


def _concentration(
    links: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    entry: tuple[torch.Tensor, torch.Tensor],
    exit_: tuple[torch.Tensor, torch.Tensor],
    n: int,
) -> torch.Tensor:
    """Concentrations ``(N, n)`` of blocks that are linked with each other, with a face at 1 and with one at 0."""
    conductance = torch.cat([link[0] for link in links], 1)
    near, far = (torch.cat([link[end] for link in links]) for end in (1, 2))
    places = torch.cat([near, far, entry[0], exit_[0]])
    own = torch.zeros_like(entry[1][:, :1]).expand(-1, n)
    own = own.index_add(1, places, torch.cat([conductance, conductance, entry[1], exit_[1]], 1))
    # Scaled by the roots of the diagonal: what conducts little is solved for as precisely as what conducts well.
    root = own.rsqrt()
    off = -conductance * root[:, near] * root[:, far]
    at = torch.cat([near * n + far, far * n + near])
    matrix = (
        torch.zeros_like(own[:, :1]).expand(-1, n * n).index_add(1, at, torch.cat([off, off], 1)).unflatten(1, (n, n))
    )
    matrix = matrix + torch.eye(n, dtype=matrix.dtype, device=matrix.device)
    source = torch.zeros_like(own).index_add(1, *entry) * root
    factor = torch.linalg.cholesky_ex(matrix)[0]
    return torch.cholesky_solve(source[..., None], factor)[..., 0] * root
