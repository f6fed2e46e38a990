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
    rate: float,
    total: torch.Tensor,
    slope: torch.Tensor,
) -> None:
    """Add the squared fluxes between cells to ``total``, and to ``slope`` what cells give to voxels beside them.

    Args:
        cells: that conduct.
        conductances: ``(N,)`` to the neighbours ahead, an axis each.
        x: ``(N,)`` fluctuations of the concentration under a gradient along x.
        drops: ``(N,)`` of the concentration to the neighbours ahead, an axis each.
        rate: at which diffusivities change.
        total: ``(N,)``, overwritten.
        slope: ``(P,)``, of all places of the grids, overwritten; those of cells come to nothing.
    """
    dimensions = len(cells.shape)
    for axis in range(dimensions):
        squares = (conductances[axis] * drops[axis]).square_()
        total += squares
        total += cells.of_neighbours(squares, dimensions + axis)
    for k, step in enumerate(cells.steps):
        along = {0: 1, dimensions: -1}.get(k, 0)
        # Twice the squared drop to the place's mean concentration, without what is counted there already.
        slope.scatter_add_(0, cells.place.long() + step, rate * (2 * (along - x).square_() - along**2 / 2))
