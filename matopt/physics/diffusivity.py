"""Effective diffusivity of the pore space, with grains that conduct little or nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch

from matopt.errors import InputError
from matopt.physics.base import SIMULATORS, Sensitivity, Simulator, Solution, check_iteration
from matopt.physics.conduction.bounds import DiffusivityBounds
from matopt.physics.conduction.cells import Cells
from matopt.physics.conduction.flips import Surrounded
from matopt.physics.conduction.network import Network
from matopt.physics.numerics import local, percolation
from matopt.physics.numerics.adjoint import derivative, with_gradient
from matopt.physics.numerics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.numerics.boundaries import check_boundary
from matopt.physics.numerics.conjugate_gradients import ConjugateGradientsResult
from matopt.physics.numerics.patches import around
from matopt.physics.numerics.settling import MARGIN
from matopt.properties import Property, Symmetry

WORKING_SET = 2**26
"""Bytes at which a batch on a CPU is quickest: its many small operations on coarse levels serve all samples alike."""

CLOSED = "no pore reaches across: the value stems from the grain's diffusivity"
"""Said of samples that a wall closes, and that have a value all the same."""

VECTORS = 40
"""Numbers a voxel of a solve, besides those of each axis along which it is solved for."""


@SIMULATORS.register("diffusivity")
@dataclass(frozen=True)
class Diffusivity(Simulator):
    """Effective diffusivity over that of the free pore, D/D0, by cell-centred finite volumes.

    A voxel of solid fraction s has the diffusivity ``1 - s + s * grain_diffusivity``; a face between two voxels has
    their harmonic mean. D/D0 is the dissipated energy at unit mean gradient, whose error is the square of the field's.

    Boundary: ``sealed`` holds the concentration on the two outer faces of axis x and lets nothing through the sides, as
    an experiment does. A mirror plane lets nothing through either, so ``mirror`` is the same here, and kept under that
    name, as ``fixed`` is. It is the default because a window of an image is not periodic: a periodic seam would cut
    every pore that reaches it (``docs/boundaries.md``).

    ``tensor``: with ``periodic`` the symmetric tensor ``(N, d, d)`` over D0, entry ``[i, j]`` the flux along axis i for
    a unit gradient along axis j; with ``sealed`` the flow along x alone, ``(N, 1, 1)``, or with ``flow="all"`` that
    along each axis, ``(N, d)``, each between the outer faces of that axis; 0 where it could not be solved for.

    Only voxels that conduct are solved for, by conjugate gradients with multigrid.

    The gradient of the values is the adjoint one where voxels conduct. One that does not is at a kink: there it is the
    one-sided derivative, its concentration being where the dissipation is least
    (:meth:`~matopt.physics.conduction.network.Network.sensitivity`), the limit of that of grey voxels.

    Attributes:
        grain_diffusivity: of the grain, over D0. None is 0 for volumes and 0.01 for 2D images, whose pores hardly ever
            percolate: it lets them have a value.
        boundary: "sealed" or "periodic".
        flow: through sealed samples along "x" alone, or along "all" axes, which takes as many solves.
        tolerance: relative residual at which the iterations stop, scaled by the roots of the voxels' conductances; the
            error of the value goes with its square, that of the gradient with itself.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 3

    grain_diffusivity: float | None = None
    boundary: Literal["sealed", "mirror", "fixed", "periodic"] = "sealed"
    flow: Literal["x", "all"] = "x"
    tolerance: float = 1e-3
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        check_iteration(self.tolerance, self.max_iterations)
        if self.grain_diffusivity is not None and not 0 <= self.grain_diffusivity < float("inf"):
            raise InputError(
                f"grain_diffusivity must be at least 0 (over that of the pore); got {self.grain_diffusivity}"
            )
        if self.boundary in ("fixed", "mirror"):
            object.__setattr__(self, "boundary", "sealed")
        check_boundary("diffusivity", self.boundary, ("sealed", "mirror", "periodic"))
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
            conducts_in=(2, 3),
            bounds=DiffusivityBounds(self.grain(2), self.grain(3)),
            contributions=self.contributions,
        )

    def grain(self, dimensions: int) -> float:
        """The grain's diffusivity over D0 in samples of 2 or 3 dimensions."""
        if self.grain_diffusivity is not None:
            return self.grain_diffusivity
        return 0.01 if dimensions == 2 else 0.0

    def stands_for(self, dimensions: int) -> str:
        """Along x, and what the grain lets through. See :meth:`Simulator.stands_for`."""
        grain = self.grain(dimensions)
        return f"along x, {self.boundary}" + (f", grain {grain:g}" if grain else "")

    def notes(self, phases: np.ndarray) -> list[str]:
        """Of samples without a pore from face to face, whose value is the grain's doing."""
        if not self.grain(phases.ndim - 1):
            return super().notes(phases)
        find = percolation.wrapping if self.boundary == "periodic" else percolation.crossing
        return ["" if reaches else CLOSED for reaches in find(phases == 0).along[:, 0]]

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

    def contributions(self, density: torch.Tensor, voxel_size: float) -> torch.Tensor:
        """The dissipation ``(N, 1, *S)`` over that of the free pore, at unit mean gradient along x.

        Its mean over the voxels is D/D0. It is 0 where nothing conducts, and in samples that let nothing through.
        """
        own = self._diffusivities(density.detach()[:, 0])[:, None]
        rate = self.grain(density.ndim - 2) - 1
        if not rate:
            return own
        # The value is of the first degree in the voxels' diffusivities: each times its derivative adds up to it.
        return own * derivative(lambda solid: self._solve_all(solid).values, density) / rate * math.prod(own.shape[2:])

    def _solve_all(self, density: torch.Tensor) -> Solution:
        """Solve a batch for the flow along x, and if periodic along all axes."""
        loads = density.ndim - 2 if self.boundary == "periodic" else 1
        return solve_in_chunks(
            density, VECTORS + 6 * loads, self._solve, (loads, loads), self.tolerance, self.max_iterations, WORKING_SET
        )

    def sensitivity(self, density: torch.Tensor, voxel_size: float) -> Sensitivity:
        """Solve binary samples and tell what each of their voxels does; see :meth:`Simulator.sensitivity`."""
        return local.sensitivity(density, VECTORS, self._sensitivity, WORKING_SET)

    def estimated_changes(
        self, density: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor, voxel_size: float
    ) -> torch.Tensor:
        """Estimate what changes do; see :meth:`Simulator.estimated_changes`."""
        return local.estimated_changes(density, moved, sample, VECTORS, self._estimated_changes, WORKING_SET)

    def _solve(self, density: torch.Tensor) -> Solution:
        density = self._repeated(density)
        with torch.no_grad():
            flow = self._flow(density.detach()[:, 0])
            solution = self._solution(flow)
            if not density.requires_grad:
                return solution
            slope = self._slope(flow)
        return replace(solution, values=with_gradient(density, solution.values, slope[:, None]))

    def _repeated(self, density: torch.Tensor) -> torch.Tensor:
        """Two of what is one voxel thick and periodic: a network has no place for a voxel that is its own neighbour."""
        if self.boundary == "sealed":
            return density
        return density.repeat(1, 1, *(2 if n == 1 else 1 for n in density.shape[2:]))

    def _diffusivities(self, solid: torch.Tensor) -> torch.Tensor:
        """Those of voxels of these densities ``(n, *S)``."""
        return 1 - (1 - self.grain(solid.ndim - 1)) * solid

    def _flow(self, solid: torch.Tensor) -> _Flow:
        """Solve for the fluctuations of samples ``(n, *S)``."""
        periodic = self.boundary == "periodic"
        diffusivity = self._diffusivities(solid)
        conducts = diffusivity > 0
        flows, cluster = torch.ones(len(solid), solid.ndim - 1, dtype=torch.bool, device=solid.device), None
        if self.grain(solid.ndim - 1) == 0:
            find = percolation.wrapping if periodic else percolation.crossing
            found = find(conducts.cpu().numpy())
            conducts = torch.from_numpy(found.carrying).to(solid.device)
            flows = torch.from_numpy(found.along).to(solid.device)
            cluster = torch.from_numpy(found.cluster).to(solid.device)
        network = Network.of(diffusivity, Cells.of(conducts, periodic), cluster)
        loads = range(solid.ndim - 1 if periodic else 1)
        solved = [network.solve(load, flows[:, load], self.tolerance, self.max_iterations) for load in loads]
        return _Flow(torch.where(conducts, diffusivity, 0.0), flows[:, 0], network, solved)

    def _solution(self, flow: _Flow) -> Solution:
        """What is reported of it."""
        tensor = flow.network.dissipation([flow.network.drops(s.x, load) for load, s in enumerate(flow.solved)])
        values = torch.where(flow.carries, tensor[:, 0, 0], 0.0)
        residual = torch.stack([s.residual for s in flow.solved]).amax(0).cpu().numpy()
        iterations = torch.stack([s.iterations for s in flow.solved]).amax(0).cpu().numpy()
        return Solution(
            values, tensor, statuses(flow.carries.cpu().numpy(), residual, self.tolerance), residual, iterations
        )

    def _slope(self, flow: _Flow) -> torch.Tensor:
        """The derivative ``(n, *S)`` of the value, one-sided where nothing conducts."""
        x = flow.solved[0].x
        slope = flow.network.sensitivity(x, flow.network.drops(x, 0), self.grain(flow.local.ndim - 1) - 1)
        if not flow.carries.all():
            slope[~flow.carries] = 0
        return slope

    def _sensitivity(self, density: torch.Tensor) -> Sensitivity:
        """The sensitivities of a part of a batch."""
        solid = self._repeated(density)[:, 0]
        flow = self._flow(solid)
        flip = flow.surrounded(self.boundary == "periodic").flips(self._diffusivities(1 - solid))
        # What is one voxel thick was flipped in one of its images alone.
        axes = [axis for axis, n in enumerate(density.shape[2:], start=1) if n != solid.shape[axis]]
        both = [each.sum(axes, keepdim=True) if axes else each for each in (self._slope(flow), flip)]
        return Sensitivity(self._solution(flow), *(each[:, None] for each in both))

    def _estimated_changes(
        self, density: torch.Tensor, moved: torch.Tensor, sample: torch.Tensor
    ) -> tuple[Solution, torch.Tensor]:
        """What changes do to a part of a batch."""
        periodic = self.boundary == "periodic"
        solid, changed = self._repeated(density)[:, 0], self._repeated(moved)[:, 0]
        flow = self._flow(solid)
        is_changed = changed != solid[sample]
        after = torch.where(is_changed, self._diffusivities(changed), flow.local[sample])
        surrounded, out = flow.surrounded(periodic), after.new_zeros(len(after), dtype=torch.float64)
        for patches in around(is_changed, sample, MARGIN, periodic, local.VOXELS_TOGETHER[density.device.type]):
            out[patches.move] = surrounded.changes(patches, after)
        return self._solution(flow), out


@dataclass(frozen=True, eq=False)
class _Flow:
    """The diffusion through n samples.

    Attributes:
        local: ``(n, *S)`` diffusivities, 0 where nothing carries.
        carries: ``(n,)`` whether anything does along axis x.
        network: of what carries.
        solved: the fluctuations under a gradient along each axis that was solved for.
    """

    local: torch.Tensor
    carries: torch.Tensor
    network: Network
    solved: list[ConjugateGradientsResult]

    def surrounded(self, periodic: bool) -> Surrounded:
        """The flow along x, with what lies around the samples."""
        return Surrounded.of(self.local, self.network.cells.on_grids(self.solved[0].x), periodic)
