"""Diffusion on a processor: what :mod:`matopt.physics.conduction.slopes` does, in compiled loops."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from matopt.physics.conduction import kernels
from matopt.physics.conduction.cells import Cells


def add_slopes(
    cells: Cells,
    conductances: Sequence[torch.Tensor],
    x: torch.Tensor,
    drops: Sequence[torch.Tensor],
    total: torch.Tensor,
    beside: Sequence[torch.Tensor],
) -> None:
    """Add squared fluxes and drops, see :func:`matopt.physics.conduction.slopes.add_slopes`."""
    dimensions, number = len(cells.shape), x.numpy().dtype.type
    for axis in range(dimensions):
        kernels.add_squares(*(t.numpy() for t in (cells.neighbours[axis], conductances[axis], drops[axis], total)))
    for k, (neighbour, step) in enumerate(zip(cells.neighbours, cells.steps, strict=True)):
        along, place = number({0: 1, dimensions: -1}.get(k, 0)), (cells.place + step).numpy()
        kernels.add_beside(neighbour.numpy(), place, x.numpy(), along, *(t.numpy() for t in beside))
