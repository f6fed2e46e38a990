"""Effective diffusivity of the pore space, with grains that conduct little or nothing."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from matopt.errors import InputError
from matopt.physics import percolation
from matopt.physics.adjoint import with_gradient
from matopt.physics.base import SIMULATORS, Simulator, Solution
from matopt.physics.batching import check_density, solve_in_chunks, statuses
from matopt.physics.cells import Cells, by_sample
from matopt.physics.conduction import Conduction
from matopt.physics.krylov import Solved, dot
from matopt.properties import Property

WORKING_SET = 2**26
"""Bytes at which a batch on a CPU is quickest: its many small operations on coarse levels serve all samples alike."""


@SIMULATORS.register("diffusivity")
@dataclass(frozen=True)
class Diffusivity(Simulator):
    """Effective diffusivity over that of the free pore, D/D0, by cell-centred finite volumes.

    A voxel of solid fraction s has the diffusivity ``1 - s + s * grain_diffusivity``; a face between two voxels has
    their harmonic mean. D/D0 is the dissipated energy at unit mean gradient, whose error is the square of the field's.

    Boundary: ``fixed`` holds the concentration on the two outer faces of axis x and lets nothing through the sides, as
    an experiment does; it is the same as periodic on the image continued by its mirror images. It is the default
    because a window of an image is not periodic: a periodic seam would cut every pore that reaches it.

    ``tensor``: with ``periodic`` the symmetric tensor ``(N, d, d)`` over D0, entry ``[i, j]`` the flux along axis i for
    a unit gradient along axis j; with ``fixed`` only the flow along x exists, ``(N, 1, 1)``.

    Only voxels that conduct are solved for, by conjugate gradients with multigrid.

    Where a voxel carries nothing at all its gradient is one of the many supergradients: the effective diffusivity is
    concave in the voxels' diffusivities, and has a kink there.

    Attributes:
        grain_diffusivity: of the grain, over D0. None is 0 for volumes and 0.01 for 2D images, whose pores hardly ever
            percolate: it lets them have a value.
        boundary: "fixed" or "periodic".
        tolerance: relative residual at which the iterations stop, scaled by the roots of the voxels' conductances; the
            error of the value goes with its square, that of the gradient with itself.
        max_iterations: at which a sample is given up as ``not_converged``.
    """

    version: ClassVar[int] = 2

    grain_diffusivity: float | None = None
    boundary: Literal["fixed", "periodic"] = "fixed"
    tolerance: float = 1e-3
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        if self.grain_diffusivity is not None and not 0 <= self.grain_diffusivity < float("inf"):
            raise InputError(
                f"grain_diffusivity must be at least 0 (over that of the pore); got {self.grain_diffusivity}"
            )
        if self.boundary not in ("fixed", "periodic"):
            raise InputError(f"boundary of diffusivity must be 'fixed' or 'periodic'; got {self.boundary!r}")

    @property
    def property(self) -> Property:
        """D/D0. The constant ``grain_diffusivity_3d`` exists where that of volumes differs from that of 2D images."""
        constants = [("grain_diffusivity", self.grain(2))]
        if self.grain(3) != self.grain(2):
            constants.append(("grain_diffusivity_3d", self.grain(3)))
        return Property("diffusivity", "D/D_0", "1", "1", scale="log", constants=tuple(constants))

    def grain(self, dimensions: int) -> float:
        """The grain's diffusivity over D0 in samples of 2 or 3 dimensions."""
        if self.grain_diffusivity is not None:
            return self.grain_diffusivity
        return 0.01 if dimensions == 2 else 0.0

    def solve(self, density: torch.Tensor, voxel_size: float) -> Solution:
        """Solve a batch; ``voxel_size`` does not matter to a ratio. See :meth:`Simulator.solve`."""
        check_density(density)
        loads = density.ndim - 2 if self.boundary == "periodic" else 1
        return solve_in_chunks(density, 40 + 6 * loads, self._solve, (loads, loads), WORKING_SET)

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
            carries = torch.ones(len(solid), dtype=torch.bool)
            if grain == 0:
                find = percolation.wrapping if periodic else percolation.crossing
                found = find(conducts.cpu().numpy())
                conducts = torch.from_numpy(found.carrying).to(local.device)
                carries = torch.from_numpy(found.along[:, 0])
            network = _Network.of(local, Cells.of(conducts, periodic))
            loads = range(solid.ndim - 1 if periodic else 1)
            solved = [network.solve(load, self.tolerance, self.max_iterations) for load in loads]
            drops = [network.drops(s.x, load) for load, s in zip(loads, solved, strict=True)]
            tensor = network.dissipation(drops)
            flows = carries.to(local.device)
            values = torch.where(flows, tensor[:, 0, 0], 0.0)
            residual = torch.stack([s.residual for s in solved]).amax(0).cpu().numpy()
            iterations = torch.stack([s.iterations for s in solved]).amax(0).cpu().numpy()
            if density.requires_grad:
                slope = network.sensitivity(solved[0].x, drops[0], grain - 1)[:, None]
                if not carries.all():
                    slope[~flows] = 0
        if density.requires_grad:
            values = with_gradient(density, values, slope)
        status = statuses(carries.numpy(), residual, self.tolerance)
        return Solution(values, tensor, status, residual, iterations)


@dataclass(frozen=True, eq=False)
class _Network:
    """The cell problem of B samples: the fluctuation of the concentration around a unit mean gradient.

    Load case m is the gradient along axis m.

    Attributes:
        cells: the N that conduct.
        local: ``(N,)`` their diffusivities, 0 for spare numbers.
        faces: ``(N,)`` each, conductances: ahead along each axis; between fixed concentrations also behind the first
            cells along x and ahead of the last.
        systems: of the fluctuations.
    """

    cells: Cells
    local: torch.Tensor
    faces: tuple[torch.Tensor, ...]
    systems: Conduction

    @staticmethod
    def of(local: torch.Tensor, cells: Cells) -> _Network:
        """From the local diffusivities of all cells ``(B, *S)``."""
        own, ahead = cells.gather(local), []
        for axis in range(len(cells.shape)):
            other = cells.of_neighbours(own, axis)
            ahead.append((2 * own * other).div_((own + other).clamp_min_(torch.finfo(own.dtype).tiny)))
        if cells.periodic:
            return _Network(cells, own, tuple(ahead), Conduction.of(cells, ahead, torch.zeros_like(own)))
        # The concentration is held half a voxel outside the first and last cell: twice the conductance.
        outer = [2 * own * cells.at_edge(ahead=side) for side in (False, True)]
        return _Network(cells, own, (*ahead, *outer), Conduction.of(cells, ahead, outer[0] + outer[1]))

    def solve(self, load: int, tolerance: float, max_iterations: int) -> Solved:
        """The fluctuations, ``(N,)``."""
        dimensions = len(self.cells.shape)
        # The divergence of the flux that a unit gradient drives by itself.
        rhs = self.faces[load] - self.cells.of_neighbours(self.faces[load], dimensions + load)
        if not self.cells.periodic:
            rhs.add_(self.faces[-1] - self.faces[-2], alpha=0.5)
        return self.systems.solve(rhs, tolerance, max_iterations)

    def drops(self, x: torch.Tensor, load: int) -> list[torch.Tensor]:
        """The total concentration drops ``(N,)`` across the faces, of fluctuations; any where none conducts."""
        drops = [self.cells.of_neighbours(x, axis).sub_(x) for axis in range(len(self.cells.shape))]
        drops[load] += 1
        return drops if self.cells.periodic else [*drops, 0.5 + x, 0.5 - x]

    def dissipation(self, drops: list[list[torch.Tensor]]) -> torch.Tensor:
        """``(B, loads, loads)`` mean dissipated energies, mutual between the load cases."""
        loads, counts = len(drops), self.cells.counts
        total = torch.zeros(self.cells.batch, loads, loads, dtype=torch.float64, device=self.local.device)
        for face, conductances in enumerate(self.faces):
            for i, j in itertools.combinations_with_replacement(range(loads), 2):
                total[:, i, j] += dot(
                    by_sample(conductances * drops[i][face], counts), by_sample(drops[j][face], counts)
                )
        total = (total / math.prod(self.cells.shape)).to(self.local.dtype)
        return total + total.triu(1).mT

    def sensitivity(self, x: torch.Tensor, drops: list[torch.Tensor], rate: float) -> torch.Tensor:
        """``(B, *S)`` derivative of the dissipation along x where the local diffusivities change at a rate.

        Of the conductance c between a and b it is ``dc/da = c^2 / (2 a^2)``. Voxels that do not conduct are taken at
        the mean concentration of their place along x.
        """
        cells, dimensions = self.cells, len(self.cells.shape)
        rate /= math.prod(cells.shape)
        slope, total = x.new_full((len(cells.number),), rate), torch.zeros_like(x)
        for conductance, drop in zip(self.faces[dimensions:], drops[dimensions:], strict=True):
            total += (conductance * drop).square_()
        add = self.add_slopes_compiled if x.device.type == "cpu" else self.add_slopes
        add(x, drops, rate, total, slope)
        cells.fold(slope, rate)
        # Also where cells have others beside them.
        slope.scatter_(0, cells.place.long(), total.mul_(rate / 2).div_(self.local.square()))
        return cells.inner(slope.clamp_max_(0) if rate < 0 else slope.clamp_min_(0))

    def add_slopes(
        self, x: torch.Tensor, drops: list[torch.Tensor], rate: float, total: torch.Tensor, slope: torch.Tensor
    ) -> None:
        """Adds the squared fluxes between cells to ``total``, and to ``slope`` what cells give to places beside them.

        Args:
            x: ``(N,)`` fluctuations under a gradient along x.
            drops: of these, see :meth:`drops`.
            rate: at which diffusivities change.
            total: ``(N,)``.
            slope: ``(P,)``, of all places; those of cells come to nothing.
        """
        cells, dimensions = self.cells, len(self.cells.shape)
        for axis in range(dimensions):
            squares = (self.faces[axis] * drops[axis]).square_()
            total += squares
            total += cells.of_neighbours(squares, dimensions + axis)
        for k, step in enumerate(cells.steps):
            along = {0: 1, dimensions: -1}.get(k, 0)
            # Twice the squared drop to the place's mean concentration, without what is counted there already.
            slope.scatter_add_(0, cells.place.long() + step, rate * (2 * (along - x).square_() - along**2 / 2))

    def add_slopes_compiled(
        self, x: torch.Tensor, drops: list[torch.Tensor], rate: float, total: torch.Tensor, slope: torch.Tensor
    ) -> None:
        """As :meth:`add_slopes`, on a processor; other devices need nothing that compiles."""
        from matopt.physics.loops.slopes import add_beside, add_squares

        cells, dimensions, number = self.cells, len(self.cells.shape), x.numpy().dtype.type
        for axis in range(dimensions):
            add_squares(*(t.numpy() for t in (cells.neighbours[axis], self.faces[axis], drops[axis], total)))
        for k, (neighbour, step) in enumerate(zip(cells.neighbours, cells.steps, strict=True)):
            along, place = number({0: 1, dimensions: -1}.get(k, 0)), (cells.place + step).numpy()
            add_beside(neighbour.numpy(), place, x.numpy(), along, number(rate), slope.numpy())
