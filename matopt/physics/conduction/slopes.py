"""How the dissipation of a diffusion field changes with the diffusivities of the voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from matopt.physics.conduction.cells import Cells


def add_slopes(
    cells: Cells,
    conductances: Sequence[torch.Tensor],
    x: torch.Tensor,
    drops: Sequence[torch.Tensor],
    total: torch.Tensor,
    beside: Sequence[torch.Tensor],
) -> None:
    """Add the squared fluxes between cells to ``total``, and to ``beside`` the drops to voxels beside cells.

    The drop is that from a cell to the mean concentration of the voxel's position. Positions of cells get what means
    nothing.

    Args:
        cells: that conduct.
        conductances: ``(N,)`` to the neighbours ahead, an axis each.
        x: ``(N,)`` fluctuations of the concentration under a gradient along x.
        drops: ``(N,)`` of the concentration to the neighbours ahead, an axis each.
        total: ``(N,)``, added to.
        beside: the sums of the drops' squares, of the drops, and their number, ``(P,)`` each, of all positions in the
            framed grids, added to.
    """
    dimensions = len(cells.shape)
    for axis in range(dimensions):
        squares = (conductances[axis] * drops[axis]).square_()
        total += squares
        total += cells.of_neighbours(squares, dimensions + axis)
    for k, step in enumerate(cells.steps):
        drop = {0: 1, dimensions: -1}.get(k, 0) - x
        for out, values in zip(beside, (drop.square(), drop, torch.ones_like(drop)), strict=True):
            out.scatter_add_(0, cells.place.long() + step, values)
