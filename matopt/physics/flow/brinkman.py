"""Stokes-Brinkman flow through pores and permeable grains."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from matopt.physics.flow.friction import Friction
from matopt.physics.flow.stokes import Stokes, assembled
from matopt.physics.numerics.divergence_form import add_to_sides


@dataclass(frozen=True, eq=False)
class Brinkman(Stokes):
    """Stokes flow in pores, Brinkman flow with a drag in grains; velocity and traction are continuous between them.

    The drag of a face is the mean of its two voxels', so that flow across layers meets their resistances in series.
    There are no walls, so nothing is closed. See :class:`~matopt.physics.flow.stokes.Stokes` for the rest.

    Attributes:
        grain_drag: Brinkman drag of a full voxel: its squared edge over the grain's permeability.
    """

    grain_drag: float

    @staticmethod
    def through(solid: torch.Tensor, grain_drag: float) -> Brinkman:
        """Set up the flow through densities ``(B, *S)``, in which the drag is linear."""

        def friction() -> Friction:
            axes = range(1, solid.ndim)
            drags = torch.stack([grain_drag / 2 * (solid + solid.roll(-1, axis)) for axis in axes], 1)
            return Friction(drags)

        return Brinkman(solid, *assembled(solid, torch.ones_like(solid, dtype=torch.bool), friction), grain_drag)

    def sensitivity(self, x: torch.Tensor, along: int = 0) -> torch.Tensor:
        """The derivative ``(B, *S)`` of the summed velocity along an axis with respect to the densities."""
        u, _ = self.fields(x)
        slope = torch.zeros_like(self.solid)
        for axis in range(1, self.solid.ndim):
            steeper = -self.grain_drag / 2 * u[:, axis - 1].square()
            add_to_sides(slope, steeper, steeper, axis)
        return slope
