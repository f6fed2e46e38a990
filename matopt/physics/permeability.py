"""Permeability of the pore space to slow viscous flow, by Stokes flow in ducts and volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.flow.brinkman import Brinkman
from matopt.physics.flow.duct import Duct
from matopt.physics.flow.stokes import Stokes
from matopt.physics.numerics import percolation
from matopt.physics.numerics.adjoint import with_gradient
from matopt.physics.numerics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult
from matopt.physics.numerics.mirror import mirrored
from matopt.properties import Property, Symmetry

SQUARE_METRES_A_MILLIDARCY = 9.869233e-16


@SIMULATORS.register("permeability")
@dataclass(frozen=True)
class Permeability(Simulator):
    """Permeability in m^2: of a section (2D) along its normal or across, of a volume (3D) along one axis or all.

    Axial sections: their pores hardly ever reach across, but a bundle of ducts of this section carries flow along
    itself. With ``-laplace u = 1`` in pores and no slip at grains the permeability is the mean of u over the section
    times the voxel's area. Volumes and transverse sections: Stokes flow through the sample, the mean velocity under a
    unit pressure gradient. Grains stop it (no slip; pores that do not reach across are left out) or, with a
    ``grain_permeability``, let it through with Brinkman's drag. Grey voxels resist by a drag.

    Boundary: ``mirror`` continues a sample by its mirror images, ``periodic`` by itself. Axial sections are mirrored by
    default because a window of an image is not periodic: a seam makes pores end at, or run into, whatever the opposite
    edge shows. Flow across is periodic by default, as mirror images take ``2^d`` times the memory and time.

    A sample without any pore that could carry has the value 0 and is ``non_percolating``. A sample without anything
    that resists the flow has no finite permeability: its value is 0, its status ``not_converged``, its residual 1.

    ``tensor``: ``(N, 1, 1)``, the permeability along the one axis that is solved for; with ``flow="all"`` the symmetric
    ``(N, d, d)``, entry ``[i, j]`` the mean velocity along axis i for a pressure gradient along axis j, and the values
    are those along x. The residual of flow across is the root of the estimated relative error of the value, the largest
    over the axes: 1e-3 leaves errors of about 1e-6 in the values.

    Attributes:
        section: how sections are flowed through, "axial" or "transverse"; volumes have no such choice.
        flow: the axis of transverse sections and volumes along which the fluid is pushed, "x", "y" or "z" for axis 0, 1
            or 2 of space, or "all".
        grain_permeability: of the grain itself in m^2 (1 mD is about 1e-15), for transverse sections and volumes.
        boundary: "mirror" or "periodic"; None is what the class says.
        tolerance: relative residual at which the iterations stop.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 3

    section: Literal["axial", "transverse"] = "axial"
    flow: Literal["x", "y", "z", "all"] = "x"
    grain_permeability: float = 0.0
    boundary: Literal["mirror", "periodic"] | None = None
    tolerance: float = 1e-3
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        choices = {"section": ("axial", "transverse"), "flow": ("x", "y", "z", "all")}
        choices["boundary"] = ("mirror", "periodic", None)
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} of permeability must be one of {allowed}; got {getattr(self, name)!r}")
        if not 0 <= self.grain_permeability < math.inf:
            raise InputError(f"grain_permeability must be at least 0, in m^2; got {self.grain_permeability}")

    @property
    def property(self) -> Property:
        """The permeability k in m^2."""
        across = Symmetry(self.boundary != "mirror")
        axial = Symmetry(self.boundary == "periodic", alike=(0, 1))
        axis = "xyz".index("x" if self.flow == "all" else self.flow)
        others = tuple(a for a in range(3) if a != axis)
        return Property(
            "permeability",
            "k",
            "m^2",
            "mD",
            1 / SQUARE_METRES_A_MILLIDARCY,
            scale="log",
            increases_with_solid=False,
            symmetries=(axial if self.section == "axial" else across, replace(across, alike=others)),
            length_power=None if self.grain_permeability else 2,
        )

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch of sections or volumes. See :meth:`Simulator.solve`.

        Raises:
            InputError: settings that sections or volumes do not have.
        """
        check_density(density)
        if not (math.isfinite(voxel_size) and voxel_size > 0):
            raise ValueError(f"voxel_size must be positive, in metres; got {voxel_size}")
        dimensions = density.ndim - 2
        if dimensions == 2 and self.section == "axial":
            if self.flow != "x" or self.grain_permeability:
                raise InputError("flow and grain_permeability are for volumes and for section='transverse'")
            return solve_in_chunks(
                density, 9, lambda chunk: self._along(chunk, voxel_size), (1, 1), self.tolerance, self.max_iterations
            )
        if self.flow == "z" and dimensions == 2:
            raise InputError("a section has no axis z; its permeability along the normal is section='axial'")
        loads = dimensions if self.flow == "all" else 1
        vectors = 60 * dimensions + (dimensions + 1) * (loads - 1)
        if self.boundary == "mirror":
            vectors *= 2**dimensions

        # On a CPU one after the other: compiled loops gain nothing from batches.
        def across(chunk: torch.Tensor) -> Solution:
            return self._across(chunk, voxel_size)

        return solve_in_chunks(density, vectors, across, (loads, loads), self.tolerance, self.max_iterations, cache=0)

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        """Permeability ``(N, d - 1)`` in m^2 along axes y (and z), with ``flow="all"``; NaN where nothing flows."""
        if self.flow != "all":
            return super().exchanged(tensor, dimensions)
        diagonal = np.diagonal(tensor.reshape(-1, dimensions, dimensions), axis1=1, axis2=2)[:, 1:]
        return np.where(diagonal > 0, diagonal, np.nan)

    def _along(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve for the axial flow, along the normal of sections."""
        with torch.no_grad():
            solid = density.detach()[:, 0]
            duct = Duct.of(solid, self.boundary == "periodic")
            solved = duct.solve(self.tolerance, self.max_iterations)
            mean = solved.x.flatten(1).mean(1, dtype=torch.float64)
            carries = (solid < 1).flatten(1).any(1)
            slope = duct.sensitivity(solved.x) if density.requires_grad else None
        return self._solution(density, voxel_size, mean.view(-1, 1, 1), slope, carries, solved)

    def _across(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve for the flow between the grains, along axes of the samples."""
        if self.boundary == "mirror":
            density = mirrored(density)
        with torch.no_grad():
            solid = density.detach()[:, 0]
            axes = range(solid.ndim - 1) if self.flow == "all" else ["xyz".index(self.flow)]
            cells = [1] * (solid.ndim - 1)
            if self.grain_permeability:
                along = torch.ones(len(solid), solid.ndim - 1, dtype=torch.bool, device=solid.device)
                stokes: Stokes = Brinkman.through(solid, voxel_size**2 / self.grain_permeability)
            else:
                found = percolation.wrapping((solid < 1).cpu().numpy())
                along = torch.from_numpy(found.along).to(solid.device)
                flows = torch.from_numpy(found.carrying).to(solid.device) & along[:, axes].any(1).view(-1, *cells)
                stokes = Stokes.of(torch.where(flows, solid, 1.0))
                del found, flows
            runs = [stokes.solve(self.tolerance, self.max_iterations, axis, along[:, axis]) for axis in axes]
            tensor = runs[0][0].new_zeros(len(solid), len(runs), len(runs))
            for i, (mean, flow) in enumerate(runs):
                tensor[:, i, i] = mean
                for j in range(i):
                    # Positive semidefinite, it is 0 where a diagonal entry is.
                    carry = along[:, axes[i]] & along[:, axes[j]]
                    tensor[:, i, j] = torch.where(carry, stokes.mutual(flow.x, runs[j][1].x, (i, j)), 0.0)
                    tensor[:, j, i] = tensor[:, i, j]
            carries = along[:, axes[0]]
            slope = None
            if density.requires_grad:
                # A pore that leads nowhere has no part in the flow.
                has_part = (stokes.solid < 1) | (solid == 1)
                slope = stokes.sensitivity(runs[0][1].x, axes[0])
                slope = torch.where(has_part & carries.view(-1, *cells), slope, 0.0)
            worst = ConjugateGradientsResult(
                runs[0][1].x,
                torch.stack([flow.residual for _, flow in runs]).amax(0),
                torch.stack([flow.iterations for _, flow in runs]).amax(0),
            )
        return self._solution(density, voxel_size, tensor, slope, carries, worst)

    def _solution(
        self,
        density: torch.Tensor,
        voxel_size: float,
        tensor: torch.Tensor,
        slope: torch.Tensor | None,
        carries: torch.Tensor,
        solved: ConjugateGradientsResult,
    ) -> Solution:
        """Turn mean velocities in voxel units, and the slope of the first summed one, into a solution in SI units."""
        area = voxel_size**2
        tensor = (tensor * area).to(density.dtype)
        values = tensor[:, 0, 0]
        if slope is not None:
            values = with_gradient(density, values, slope[:, None] * (area / density[0].numel()))
        residual = solved.residual.cpu().numpy()
        status = statuses(carries.cpu().numpy(), residual, self.tolerance)
        return Solution(values, tensor, status, residual, solved.iterations.cpu().numpy())
