"""Permeability of the pore space to slow viscous flow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics import percolation
from matopt.physics.adjoint import with_gradient
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.duct import Duct
from matopt.physics.krylov import Solved
from matopt.physics.stokes import Stokes
from matopt.properties import Property

SQUARE_METRES_A_MILLIDARCY = 9.869233e-16


@SIMULATORS.register("permeability")
@dataclass(frozen=True)
class Permeability(Simulator):
    """Permeability in m^2: of a section (2D) along its normal, of a volume (3D) along axis x.

    Sections: their pores hardly ever reach across, but a bundle of ducts of this section carries flow along itself.
    With ``-laplace u = 1`` in pores and no slip at grains the permeability is the mean of u over the section times the
    voxel's area. Volumes: Stokes flow through periodic samples, no slip at grains, the mean velocity along x under a
    unit pressure gradient along x; pores that do not reach across are left out. Grey voxels resist by a drag.

    A section's edge: ``mirror`` continues it by its mirror images. It is the default because a window of an image is
    not periodic: a ``periodic`` seam makes pores end at, or run into, whatever the opposite edge shows, and walls along
    the edges would narrow every pore that reaches one.

    A section without any pore, or a volume without one that reaches across along x, has the value 0 and is
    ``non_percolating``. A sample without any grain has nothing that holds the flow and no finite permeability: its
    value is 0, its status ``not_converged``, its residual 1.

    ``tensor``: ``(N, 1, 1)``, the permeability along the one axis that is solved for. Residuals are in the norm of the
    preconditioner for volumes.

    Attributes:
        section_edge: "mirror" or "periodic"; volumes are always periodic.
        tolerance: relative residual at which the iterations stop.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    section_edge: Literal["mirror", "periodic"] = "mirror"
    tolerance: float = 1e-3
    max_iterations: int = 4000

    def __post_init__(self) -> None:
        if self.section_edge not in ("mirror", "periodic"):
            raise InputError(f"section_edge of permeability must be 'mirror' or 'periodic'; got {self.section_edge!r}")

    @property
    def property(self) -> Property:
        """The permeability k in m^2."""
        return Property("permeability", "k", "m^2", "mD", 1 / SQUARE_METRES_A_MILLIDARCY, scale="log")

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch of sections or volumes. See :meth:`Simulator.solve`."""
        check_density(density)
        if not (math.isfinite(voxel_size) and voxel_size > 0):
            raise ValueError(f"voxel_size must be positive, in metres; got {voxel_size}")
        vectors = 9 if density.ndim == 4 else 60
        return solve_in_chunks(density, vectors, lambda chunk: self._solve(chunk, voxel_size), (1, 1))

    def _solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        with torch.no_grad():
            solid = density.detach()[:, 0]
            flow = self._section if solid.ndim == 3 else self._volume
            mean, slope, carries, solved = flow(solid, density.requires_grad)
            area = voxel_size**2
            values = (mean * area).to(solid.dtype)
            residual = solved.residual.cpu().numpy()
        tensor = values.view(-1, 1, 1)
        if slope is not None:
            values = with_gradient(density, values, slope[:, None] * (area / solid[0].numel()))
        status = statuses(carries, residual, self.tolerance)
        return Solution(values, tensor, status, residual, solved.iterations.cpu().numpy())

    def _section(self, solid: torch.Tensor, with_slope: bool) -> _Flow:
        duct = Duct.of(solid, self.section_edge == "periodic")
        solved = duct.solve(self.tolerance, self.max_iterations)
        mean = solved.x.flatten(1).mean(1, dtype=torch.float64)
        carries = (solid < 1).flatten(1).any(1).cpu().numpy()
        return mean, duct.sensitivity(solved.x) if with_slope else None, carries, solved

    def _volume(self, solid: torch.Tensor, with_slope: bool) -> _Flow:
        found = percolation.wrapping((solid < 1).cpu().numpy())
        carries = found.along[:, 0]
        flows = torch.from_numpy(found.carrying & carries.reshape(-1, 1, 1, 1)).to(solid.device)
        stokes = Stokes.of(torch.where(flows, solid, 1.0))
        mean, solved = stokes.solve(self.tolerance, self.max_iterations)
        slope = None
        if with_slope:
            # A pore that leads nowhere has no part in the flow.
            slope = torch.where(flows | (solid == 1), stokes.sensitivity(solved.x), 0.0)
            slope = torch.where(torch.from_numpy(carries).to(solid.device).view(-1, 1, 1, 1), slope, 0.0)
        return mean, slope, carries, solved


_Flow = tuple[torch.Tensor, torch.Tensor | None, np.ndarray, Solved]
"""Mean velocities in voxel units, the slopes of the summed ones, whether anything carries, and how the solve went."""
