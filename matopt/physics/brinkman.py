"""Slow viscous flow through pores and through grains that let a little through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from matopt.physics.grid import DivergenceForm, add_to_sides
from matopt.physics.krylov import SMALLEST_TOLERANCE, dot
from matopt.physics.poisson import PeriodicInverse
from matopt.physics.stokes import Stokes, pressure_scale, screening


@dataclass(frozen=True, eq=False)
class Brinkman(Stokes):
    """Stokes flow in pores, Brinkman's with a drag in grains; velocity and traction are continuous between them.

    The drag of a face is the mean of its two voxels', so that flow across layers meets their resistances in series.
    There are no walls, so nothing is closed. See :class:`~matopt.physics.stokes.Stokes` for the rest.

    The preconditioner also balances what flows into and out of each pore as a whole. Without that the pressures of
    pores that grains all but seal off are found last, and no residual tells.

    Attributes:
        grain_drag: of a full voxel, its squared edge over the grain's permeability.
        pore: ``(B, *S)`` numbers of the pores, ascending from sample to sample, the first for grains.
        sealing: ``(pores,)`` how much resists a flow out of each, 0 for grains.
    """

    grain_drag: float
    pore: torch.Tensor
    sealing: torch.Tensor

    @staticmethod
    def through(solid: torch.Tensor, grain_drag: float) -> Brinkman:
        """From densities ``(B, *S)``; the drag is linear in them."""
        axes = range(1, solid.ndim)
        drag = torch.stack([grain_drag / 2 * (solid + solid.roll(-1, axis)) for axis in axes], 1)
        neighbours = 2 * len(axes)
        mobility = neighbours / (neighbours + drag)
        couplings = tuple(torch.ones_like(drag).flatten(0, 1) for _ in axes)
        # A voxel belongs to a pore where its drag is less than the friction on its neighbours.
        pore = _pores((grain_drag * solid < neighbours).cpu().numpy()).to(solid.device)
        leak = torch.zeros(int(pore.max()) + 1 if pore.numel() else 1, dtype=solid.dtype, device=solid.device)
        for axis in axes:
            is_rim = pore != pore.roll(-1, axis)
            out = torch.where(is_rim, 1 / (neighbours + drag[:, axis - 1]), 0.0).flatten()
            leak.index_add_(0, pore.flatten(), out).index_add_(0, pore.roll(-1, axis).flatten(), out)
        leak[0] = 0
        return Brinkman(
            solid,
            couplings,
            DivergenceForm(couplings, drag.flatten(0, 1), periodic=True),
            torch.ones_like(drag),
            screening(solid),
            torch.cat([mobility, pressure_scale(mobility, torch.ones_like(mobility))], 1).sqrt(),
            PeriodicInverse.of(solid),
            grain_drag,
            pore,
            torch.where(leak > 0, 1 / leak.clamp_min(torch.finfo(leak.dtype).tiny), 0.0),
        )

    def precondition(self, residual: torch.Tensor) -> torch.Tensor:
        """Approximate inverses times ``residual``."""
        out = super().precondition(residual)
        inflow = torch.zeros_like(self.sealing).index_add_(0, self.pore.flatten(), residual[:, -1].flatten())
        out[:, -1] += (inflow * self.sealing)[self.pore]
        return out

    def select(self, rows: torch.Tensor) -> Self:
        """The systems of these rows."""
        return replace(super().select(rows), pore=self.pore[rows])

    def _tolerances(self, rhs: torch.Tensor, tolerance: float) -> torch.Tensor:
        """Closer where grains block pores that hardly resist.

        There the push is balanced by the pressure in the pores, and the flow is but a small part of the balance. The
        error of the summed velocity is of the order of the squared residual, the sum itself at least that of grain
        and pores in series.
        """
        slowest = rhs.flatten(1).double().sum(1) / (self.grain_drag * self.solid.flatten(1).double().mean(1))
        share = slowest / dot(rhs, self.precondition(rhs))
        closer = tolerance * (10 * share.sqrt()).clamp_max(1)
        return torch.where(share > 0, closer, tolerance).clamp_min(min(tolerance, SMALLEST_TOLERANCE[rhs.dtype]))

    def sensitivity(self, x: torch.Tensor, along: int = 0) -> torch.Tensor:
        """``(B, *S)`` derivative of the summed velocity along an axis with respect to the densities."""
        slope = torch.zeros_like(self.solid)
        for axis in range(1, self.solid.ndim):
            steeper = -self.grain_drag / 2 * x[:, axis - 1].square()
            add_to_sides(slope, steeper, steeper, axis)
        return slope


def _pores(is_pore: np.ndarray) -> torch.Tensor:
    """``(B, *S)`` int64 numbers, from 1, of the clusters of periodic samples; 0 elsewhere."""
    structure = np.zeros((3,) * is_pore.ndim, bool)
    structure[1] = ndimage.generate_binary_structure(is_pore.ndim - 1, 1)
    labels, count = ndimage.label(is_pore, structure)
    first = np.concatenate([labels.take(0, axis).ravel() for axis in range(1, labels.ndim)])
    last = np.concatenate([labels.take(-1, axis).ravel() for axis in range(1, labels.ndim)])
    seam = (first > 0) & (last > 0)
    graph = coo_matrix((np.ones(seam.sum()), (first[seam], last[seam])), shape=(count + 1, count + 1))
    # Number 0 has no neighbour, so it remains the first component.
    return torch.from_numpy(connected_components(graph, directed=False)[1].astype(np.int64)[labels])
