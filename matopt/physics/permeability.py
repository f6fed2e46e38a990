"""Permeability of the pore space to slow viscous flow, by Stokes flow in ducts and volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Sensitivity, Simulator, Solution, check_iteration
from matopt.physics.flow import stokes_flips
from matopt.physics.flow.axial import Axial
from matopt.physics.flow.boundary import Boundary, Continuation
from matopt.physics.flow.crossing import Crossing
from matopt.physics.numerics import local
from matopt.physics.numerics.adjoint import with_gradient
from matopt.physics.numerics.batching import check_density, check_voxel_size, solve_in_chunks, statuses
from matopt.physics.numerics.boundaries import check_boundary
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult
from matopt.properties import Property, Symmetry

SQUARE_METRES_A_MILLIDARCY = 9.869233e-16

AXIAL_VECTORS = 9
"""Numbers a voxel of a solve for the flow along sections' normals."""


@SIMULATORS.register("permeability")
@dataclass(frozen=True)
class Permeability(Simulator):
    """Permeability in m^2: of a section (2D) along its normal or across, of a volume (3D) along one axis or all.

    Axial sections: their pores hardly ever reach across, but a bundle of ducts of this section carries flow along
    itself. With ``-laplace u = 1`` in pores and no slip at grains the permeability is the mean of u over the section
    times the voxel's area. Volumes and transverse sections: Stokes flow through the sample, the mean velocity under a
    unit pressure gradient. Grains stop it (no slip; pores that do not reach across are left out) or, with a
    ``grain_permeability``, let it through with Brinkman's drag. Grey voxels resist by a drag.

    Boundary: ``sealed`` holds the pressure on the two outer faces that the fluid passes and closes the sides by walls,
    as in a laboratory; ``mirror`` continues a sample by its mirror images, ``periodic`` by itself. Flow across is
    sealed by default, or periodic where grains are permeable, for which there is no wall: a sample cut from a scan is
    not periodic, and at a seam pores end at whatever the opposite face shows. Axial sections are periodic by default:
    of windows of Berea sandstone that scatters least and comes nearest to whole slices, as mirror images make pores at
    the border as large again (``docs/boundaries.md``).

    A sample without any pore that could carry has the value 0 and is ``non_percolating``. A sample without anything
    that resists the flow has no finite permeability: its value is 0, its status ``not_converged``, its residual 1.

    ``tensor``: ``(N, 1, 1)``, the permeability along the one axis that is solved for; with ``flow="all"`` the symmetric
    ``(N, d, d)``, entry ``[i, j]`` the mean velocity along axis i for a pressure gradient along axis j, and the values
    are those along x. Sealed samples let nothing through their sides: ``flow="all"`` solves for each axis by itself,
    with the sides closed that then are the sides, ``(N, d)``; 0 where it could not be solved for.

    The residual of flow across is the root of the estimated relative error of the value, the largest over the axes:
    1e-3 leaves errors of about 1e-6 in the values.

    Attributes:
        section: how sections are flowed through, "axial" or "transverse"; volumes have no such choice.
        flow: the axis of transverse sections and volumes along which the fluid is pushed, "x", "y" or "z" for axis 0, 1
            or 2 of space, or "all".
        grain_permeability: of the grain itself in m^2 (1 mD is about 1e-15), for transverse sections and volumes.
        boundary: "sealed", "mirror" or "periodic"; None is what the class says.
        tolerance: relative residual at which the iterations stop.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 4

    section: Literal["axial", "transverse"] = "axial"
    flow: Literal["x", "y", "z", "all"] = "x"
    grain_permeability: float = 0.0
    boundary: Boundary | None = None
    tolerance: float = 1e-3
    max_iterations: int = 1000

    def __post_init__(self) -> None:
        check_iteration(self.tolerance, self.max_iterations)
        choices = {"section": ("axial", "transverse"), "flow": ("x", "y", "z", "all")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} of permeability must be one of {allowed}; got {getattr(self, name)!r}")
        check_boundary("permeability", self.boundary, ("sealed", "mirror", "periodic", None))
        if not 0 <= self.grain_permeability < math.inf:
            raise InputError(f"grain_permeability must be at least 0, in m^2; got {self.grain_permeability}")
        if self.grain_permeability and self.boundary == "sealed":
            raise InputError("permeable grain has no walls to seal sides by; set boundary to 'mirror' or 'periodic'")

    @property
    def property(self) -> Property:
        """The permeability k in m^2."""
        across = Symmetry(self._boundary(False) == "periodic")
        axial = Symmetry(self._boundary(True) == "periodic", alike=(0, 1))
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
            conducts_in=() if axis else (3,) if self.section == "axial" else (2, 3),
            contributions=self.contributions,
        )

    def stands_for(self, dimensions: int) -> str:
        """Along which axis, and for sections that they are taken for ducts. See :meth:`Simulator.stands_for`."""
        if dimensions == 2 and self.section == "axial":
            return "along the normal, as ducts"
        across = f"along {'x' if self.flow == 'all' else self.flow}, {self._boundary(False)}"
        return f"{across}, grain {self.grain_permeability:g} m^2" if self.grain_permeability else across

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch of sections or volumes. See :meth:`Simulator.solve`.

        Raises:
            InputError: settings that sections or volumes do not have.
        """
        check_density(density)
        check_voxel_size(voxel_size)
        dimensions = density.ndim - 2
        if dimensions == 2 and self.section == "axial":
            if self.flow != "x" or self.grain_permeability:
                raise InputError("flow and grain_permeability are for volumes and for section='transverse'")
            return solve_in_chunks(
                density,
                AXIAL_VECTORS,
                lambda chunk: self._along(chunk, voxel_size),
                (1, 1),
                self.tolerance,
                self.max_iterations,
            )
        if self.flow == "z" and dimensions == 2:
            raise InputError("a section has no axis z; its permeability along the normal is section='axial'")
        if self.flow == "all" and self._boundary(False) == "sealed":
            along = [replace(self, flow=axis).solve(density, voxel_size) for axis in "xyz"[:dimensions]]
            flows = [torch.where(torch.from_numpy(s.is_ok).to(density.device), s.values.detach(), 0.0) for s in along]
            return replace(along[0], tensor=torch.stack(flows, 1))
        loads, vectors = (dimensions if self.flow == "all" else 1), self._vectors(density)

        # On a CPU one after the other: compiled loops gain nothing from batches.
        def across(chunk: torch.Tensor) -> Solution:
            return self._across(chunk, voxel_size)

        return solve_in_chunks(density, vectors, across, (loads, loads), self.tolerance, self.max_iterations, cache=0)

    def exchanged(self, tensor: np.ndarray, dimensions: int) -> np.ndarray:
        """Permeability ``(N, d - 1)`` in m^2 along axes y (and z), with ``flow="all"``; NaN where nothing flows."""
        if self.flow != "all":
            return super().exchanged(tensor, dimensions)
        if self._boundary(False) == "sealed":
            along = tensor.reshape(-1, dimensions)[:, 1:]
        else:
            along = np.diagonal(tensor.reshape(-1, dimensions, dimensions), axis1=1, axis2=2)[:, 1:]
        return np.where(along > 0, along, np.nan)

    def contributions(self, density: torch.Tensor, voxel_size: float) -> torch.Tensor | None:
        """The velocities ``(N, 1, *S)`` in m^2 along sections, whose mean is the permeability; None of flow across."""
        if density.ndim == 5 or self.section == "transverse":
            return None
        check_density(density)
        parts = [self._axial(chunk, voxel_size)[0].velocities() for chunk in local.chunks(density, AXIAL_VECTORS)]
        return torch.cat([density[:0], *parts]) * voxel_size**2

    def sensitivity(self, density: torch.Tensor, voxel_size: float) -> Sensitivity:
        """Solve binary samples and tell what each of their voxels does; see :meth:`Simulator.sensitivity`.

        Raises:
            InputError: also if the grain is permeable.
        """
        is_axial = self._check_estimates(density, voxel_size)
        vectors = AXIAL_VECTORS if is_axial else self._vectors(density)

        def tell(chunk: torch.Tensor) -> Sensitivity:
            return (
                self._flips_along(chunk, voxel_size) if is_axial else self._along_x()._flips_across(chunk, voxel_size)
            )

        return local.sensitivity(density, vectors, tell)

    def estimated_changes(
        self, density: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor, voxel_size: float
    ) -> torch.Tensor:
        """Estimate what changes do; see :meth:`Simulator.estimated_changes`. Of flow across it is a sum of flips.

        Raises:
            InputError: also if the grain is permeable.
        """
        is_axial = self._check_estimates(density, voxel_size)
        vectors = AXIAL_VECTORS if is_axial else self._vectors(density)

        def tell(chunk: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor) -> tuple[Solution, torch.Tensor]:
            if not is_axial:
                told = self._along_x()._flips_across(chunk, voxel_size)
                return told.solution, ((moved != chunk[sample]) * told.flip[sample]).flatten(1).sum(1)
            axial, solution = self._axial(chunk, voxel_size)
            return solution, axial.changes(moved, sample) * voxel_size**2

        return local.estimated_changes(density, moved, sample, vectors, tell)

    def _check_estimates(self, density: torch.Tensor, voxel_size: float) -> bool:
        """Refuse flows without estimates; returns whether it is the axial flow of sections.

        Raises:
            InputError: the grain is permeable.
            ValueError: a voxel size that is none.
        """
        check_voxel_size(voxel_size)
        if self.grain_permeability:
            raise InputError("flips and changes are those of impermeable grain; set grain_permeability to 0")
        return density.ndim == 4 and self.section == "axial"

    def _boundary(self, is_axial: bool) -> Boundary:
        """What is beyond the samples' outer faces."""
        return self.boundary or ("periodic" if is_axial or self.grain_permeability else "sealed")

    def _along_x(self) -> Permeability:
        """For the flow along the first axis alone, where sealed samples are solved for each by itself."""
        is_each = self.flow == "all" and self._boundary(False) == "sealed"
        return replace(self, flow="x") if is_each else self

    def _continuation(self, dimensions: int) -> Continuation:
        """That of samples that are flowed through; periodic or mirrored it is the same for all axes."""
        return Continuation.across(self._boundary(False), dimensions, "xyz".index(self.flow.replace("all", "x")))

    def _vectors(self, density: torch.Tensor) -> int:
        """How many numbers a voxel a solve for flow across holds."""
        dimensions = density.ndim - 2
        loads = dimensions if self.flow == "all" else 1
        vectors = 60 * dimensions + (dimensions + 1) * (loads - 1)
        return vectors * 2 ** len(self._continuation(dimensions).mirrors)

    def _along(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve for the axial flow, along the normal of sections."""
        with torch.no_grad():
            axial, solution = self._axial(density.detach(), voxel_size)
            if not density.requires_grad:
                return solution
            slope = axial.slope() * voxel_size**2
        return replace(solution, values=with_gradient(density, solution.values, slope))

    def _flips_along(self, density: torch.Tensor, voxel_size: float) -> Sensitivity:
        """The sensitivities of the axial flow."""
        axial, solution = self._axial(density, voxel_size)
        return Sensitivity(solution, axial.slope() * voxel_size**2, axial.flips() * voxel_size**2)

    def _axial(self, density: torch.Tensor, voxel_size: float) -> tuple[Axial, Solution]:
        """Solve for the axial velocities of a part of a batch."""
        axial = Axial.solved(density, self._boundary(True), self.tolerance, self.max_iterations)
        carries = (density < 1).flatten(1).any(1)
        return axial, self._solution(density, voxel_size, axial.mean().view(-1, 1, 1), carries, axial.run)

    def _across(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve for the flow between the grains, along axes of the samples."""
        continuation = self._continuation(density.ndim - 2)
        density, share = continuation.apply(density), continuation.share(tuple(density.shape[2:]))
        with torch.no_grad():
            crossing, solution, scale = self._crossing(density.detach(), share, voxel_size)
            if not density.requires_grad:
                return solution
            slope = crossing.with_part(crossing.stokes.sensitivity(crossing.first, crossing.axes[0]))
        return replace(solution, values=with_gradient(density, solution.values, slope[:, None] * scale))

    def _flips_across(self, density: torch.Tensor, voxel_size: float) -> Sensitivity:
        """The sensitivities of the flow between the grains."""
        continuation = self._continuation(density.ndim - 2)
        density, share = continuation.apply(density), continuation.share(tuple(density.shape[2:]))
        crossing, solution, scale = self._crossing(density, share, voxel_size)
        stokes, axis = crossing.stokes, crossing.axes[0]
        flip = stokes_flips.flips(stokes.solid, *stokes.fields(crossing.first), axis)
        both = [crossing.with_part(each)[:, None] * scale for each in (stokes.sensitivity(crossing.first, axis), flip)]
        return Sensitivity(solution, *(continuation.take_back(each) for each in both))

    def _crossing(self, density: torch.Tensor, share: float, voxel_size: float) -> tuple[Crossing, Solution, float]:
        """Solve for the flow across continued samples ``(n, 1, *S)``; also the scale of its sensitivities."""
        axes = tuple(range(density.ndim - 2)) if self.flow == "all" else ("xyz".index(self.flow),)
        grain_drag = voxel_size**2 / self.grain_permeability if self.grain_permeability else None
        crossing = Crossing.solved(density[:, 0], axes, grain_drag, self.tolerance, self.max_iterations)
        tensor, carries, worst = crossing.found()
        solution = self._solution(density, voxel_size, tensor * share, carries, worst)
        return crossing, solution, share * voxel_size**2 / density[0].numel()

    def _solution(
        self,
        density: torch.Tensor,
        voxel_size: float,
        tensor: torch.Tensor,
        carries: torch.Tensor,
        solved: ConjugateGradientsResult,
    ) -> Solution:
        """Turn mean velocities in voxel units into a solution in SI units."""
        tensor = (tensor * voxel_size**2).to(density.dtype)
        residual = solved.residual.cpu().numpy()
        status = statuses(carries.cpu().numpy(), residual, self.tolerance)
        return Solution(tensor[:, 0, 0], tensor, status, residual, solved.iterations.cpu().numpy())
