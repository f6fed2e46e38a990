"""Effective diffusivity of the pore space, with grains that conduct little or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.conduction.bounds import DiffusivityBounds
from matopt.physics.conduction.cells import Cells
from matopt.physics.conduction.network import Network
from matopt.physics.numerics import percolation
from matopt.physics.numerics.adjoint import with_gradient
from matopt.physics.numerics.batching import check_density, solve_in_chunks, statuses
from matopt.properties import Property, Symmetry

WORKING_SET = 2**26
"""Bytes at which a batch on a CPU is quickest: its many small operations on coarse levels serve all samples alike."""


@SIMULATORS.register("diffusivity")
@dataclass(frozen=True)
class Diffusivity(Simulator):
    """Effective diffusivity over that of the free pore, D/D0, by cell-centred finite volumes.

    A voxel of solid fraction s has the diffusivity ``1 - s + s * grain_diffusivity``; a face between two voxels has
    their harmonic mean. D/D0 is the dissipated energy at unit mean gradient, whose error is the square of the field's.

    Boundary: ``fixed`` fixes the concentration on the two outer faces of axis x and lets nothing through the sides, as
    an experiment does; it is the same as periodic on the image continued by its mirror images. It is the default
    because a window of an image is not periodic: a periodic seam would cut every pore that reaches it.

    ``tensor``: with ``periodic`` the symmetric tensor ``(N, d, d)`` over D0, entry ``[i, j]`` the flux along axis i for
    a unit gradient along axis j; with ``fixed`` the flow along x alone, ``(N, 1, 1)``, or with ``flow="all"`` that
    along each axis, ``(N, d)``, each between the outer faces of that axis; 0 where it could not be solved for.

    Only voxels that conduct are solved for, by conjugate gradients with multigrid.

    Where a voxel carries nothing at all its gradient is one of the many supergradients: the effective diffusivity is
    concave in the voxels' diffusivities, and has a kink there.

    Attributes:
        grain_diffusivity: of the grain, over D0. None is 0 for volumes and 0.01 for 2D images, whose pores hardly ever
            percolate: it lets them have a value.
        boundary: "fixed" or "periodic".
        flow: between fixed faces along "x" alone, or along "all" axes, which takes as many solves.
        tolerance: relative residual at which the iterations stop, scaled by the roots of the voxels' conductances; the
            error of the value goes with its square, that of the gradient with itself.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 3

    grain_diffusivity: float | None = None
    boundary: Literal["fixed", "periodic"] = "fixed"
    flow: Literal["x", "all"] = "x"
    tolerance: float = 1e-3
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        if self.grain_diffusivity is not None and not 0 <= self.grain_diffusivity < float("inf"):
            raise InputError(
                f"grain_diffusivity must be at least 0 (over that of the pore); got {self.grain_diffusivity}"
            )
        if self.boundary not in ("fixed", "periodic"):
            raise InputError(f"boundary of diffusivity must be 'fixed' or 'periodic'; got {self.boundary!r}")
        if self.flow not in ("x", "all"):
            raise InputError(f"flow of diffusivity must be 'x' or 'all'; got {self.flow!r}")

    @property
    def property(self) -> Property:
        """The diffusivity D/D0, between Hashin and Shtrikman's bounds of grain and pore.

        It has the constant ``grain_diffusivity_3d`` where the grain of volumes differs from that of 2D images.
        """
        constants = [("grain_diffusivity", self.grain(2))]
        if self.grain(3) != self.grain(2):
            constants.append(("grain_diffusivity_3d", self.grain(3)))
        shifts = self.boundary == "periodic"
        return Property(
            "diffusivity",
            "D/D_0",
            "1",
            "1",
            scale="log",
            constants=tuple(constants),
            increases_with_solid=self.grain(3) > 1,
            symmetries=(Symmetry(shifts), Symmetry(shifts, alike=(1, 2))),
            length_power=0,
            bounds=DiffusivityBounds(self.grain(2), self.grain(3)),
        )

    def grain(self, dimensions: int) -> float:
        """The grain's diffusivity over D0 in samples of 2 or 3 dimensions."""
        if self.grain_diffusivity is not None:
            return self.grain_diffusivity
        return 0.01 if dimensions == 2 else 0.0

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch; ``voxel_size`` does not matter to a ratio. See :meth:`Simulator.solve`."""
        check_density(density)
        solution = self._solve_all(density)
        if self.boundary == "periodic" or self.flow == "x":
            return solution
        along = [solution] + [self._solve_all(density.detach().transpose(2, a)) for a in range(3, density.ndim)]
        flows = [torch.where(torch.from_numpy(s.is_ok).to(density.device), s.values.detach(), 0.0) for s in along]
        return replace(solution, tensor=torch.stack(flows, 1))

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        """D/D0 ``(N, d - 1)`` along axes y (and z), where they were solved for; NaN where nothing flows."""
        if self.boundary == "periodic":
            along = np.diagonal(tensor.reshape(-1, dimensions, dimensions), axis1=1, axis2=2)[:, 1:]
        elif self.flow == "all":
            along = tensor.reshape(-1, dimensions)[:, 1:]
        else:
            return super().exchanged(tensor, dimensions)
        return np.where(along > 0, along, np.nan)

    def _solve_all(self, density: torch.Tensor) -> Solution:
        """Solve a batch for the flow along x, and if periodic along all axes."""
        loads = density.ndim - 2 if self.boundary == "periodic" else 1
        return solve_in_chunks(
            density, 40 + 6 * loads, self._solve, (loads, loads), self.tolerance, self.max_iterations, WORKING_SET
        )

    def _solve(self, density: torch.Tensor) -> Solution:
        periodic = self.boundary == "periodic"
        if periodic:
            # A network has no place for a voxel that is its own neighbour; two of it are the same sample.
            density = density.repeat(1, 1, *(2 if n == 1 else 1 for n in density.shape[2:]))
        with torch.no_grad():
            solid = density.detach()[:, 0]
            grain = self.grain(solid.ndim - 1)
            local = 1 - (1 - grain) * solid
            conducts = local > 0
            flows, cluster = torch.ones(len(solid), solid.ndim - 1, dtype=torch.bool, device=local.device), None
            if grain == 0:
                find = percolation.wrapping if periodic else percolation.crossing
                found = find(conducts.cpu().numpy())
                conducts = torch.from_numpy(found.carrying).to(local.device)
                flows = torch.from_numpy(found.along).to(local.device)
                cluster = torch.from_numpy(found.cluster).to(local.device)
            network = Network.of(local, Cells.of(conducts, periodic), cluster)
            loads = range(solid.ndim - 1 if periodic else 1)
            solved = [network.solve(load, flows[:, load], self.tolerance, self.max_iterations) for load in loads]
            drops = [network.drops(s.x, load) for load, s in zip(loads, solved, strict=True)]
            tensor = network.dissipation(drops)
            along_x = flows[:, 0]
            values = torch.where(along_x, tensor[:, 0, 0], 0.0)
            residual = torch.stack([s.residual for s in solved]).amax(0).cpu().numpy()
            iterations = torch.stack([s.iterations for s in solved]).amax(0).cpu().numpy()
            if density.requires_grad:
                slope = network.sensitivity(solved[0].x, drops[0], grain - 1)[:, None]
                if not along_x.all():
                    slope[~along_x] = 0
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(along_x.cpu().numpy(), residual, self.tolerance)
        return Solution(values, tensor, status, residual, iterations)
