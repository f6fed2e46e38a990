"""Permeability of the pore space to slow viscous flow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from matopt.errors import InputError
from matopt.physics.adjoint import with_gradient
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.duct import Duct
from matopt.properties import Property

SQUARE_METRES_A_MILLIDARCY = 9.869233e-16


@SIMULATORS.register("permeability")
@dataclass(frozen=True)
class Permeability(Simulator):
    """Permeability in m^2: in 2D that of the extruded section along its axis.

    The pores of a section hardly ever reach across it, but a bundle of ducts with this section carries flow along
    itself: with ``-laplace u = 1`` in pores and no slip at grains the permeability is the mean of u over the section
    times the voxel's area.

    Boundary: ``mirror`` continues the section by its mirror images. It is the default because a window of an image is
    not periodic: a ``periodic`` seam makes pores end at, or run into, whatever the opposite edge shows, and walls along
    the edges would narrow every pore that reaches one.

    A section without any pore has the value 0, ``non_percolating``. One without any grain has nothing that holds the
    flow and no finite permeability: its value is 0, its status ``not_converged``, its residual 1.

    ``tensor``: ``(N, 1, 1)``, the axial permeability.

    Attributes:
        boundary: "mirror" or "periodic".
        tolerance: relative residual at which the iterations stop.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    boundary: Literal["mirror", "periodic"] = "mirror"
    tolerance: float = 1e-3
    max_iterations: int = 4000

    def __post_init__(self) -> None:
        if self.boundary not in ("mirror", "periodic"):
            raise InputError(f"boundary of permeability must be 'mirror' or 'periodic'; got {self.boundary!r}")

    @property
    def property(self) -> Property:
        """The permeability k in m^2."""
        return Property("permeability", "k", "m^2", "mD", 1 / SQUARE_METRES_A_MILLIDARCY, scale="log")

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch of sections. See :meth:`Simulator.solve`.

        Raises:
            InputError: volumes.
        """
        check_density(density)
        if not (math.isfinite(voxel_size) and voxel_size > 0):
            raise ValueError(f"voxel_size must be positive, in metres; got {voxel_size}")
        if density.ndim != 4:
            raise InputError("permeability is computed for sections (2D) only; leave it out for volumes")
        return solve_in_chunks(density, 9, lambda chunk: self._solve(chunk, voxel_size), (1, 1))

    def _solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        with torch.no_grad():
            solid = density.detach()[:, 0]
            area = voxel_size**2 / solid[0].numel()
            duct = Duct.of(solid, self.boundary == "periodic")
            solved = duct.solve(self.tolerance, self.max_iterations)
            values = (solved.x.flatten(1).sum(1, dtype=torch.float64) * area).to(solid.dtype)
            carries = (solid < 1).flatten(1).any(1).cpu().numpy()
            residual = solved.residual.cpu().numpy()
            if density.requires_grad:
                slope = duct.sensitivity(solved.x)[:, None] * area
        tensor = values.view(-1, 1, 1)
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(carries, residual, self.tolerance)
        return Solution(values, tensor, status, residual, solved.iterations.cpu().numpy())
